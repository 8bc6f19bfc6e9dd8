use crate::error::{Error, Result};
use crate::infrastructure::{collector, jaeger, kafka, mailbox, postgres, prometheus, registry};
use crate::launch::Launch;
use crate::site::Site;

/// The stack: what runs, and what each part needs before it. A service is one line, and so is each further instance of it.
///
/// The ports are those of the demo; everywhere else free ones are taken.
pub(crate) const PARTS: &[Declaration] = &[
    infrastructure("postgres", &[], &[("postgres", 15432)], postgres::launch, Ready::Postgres),
    infrastructure("kafka", &[], kafka::PORTS, kafka::launch, Ready::Kafka),
    infrastructure("registry", &["postgres"], &[("registry", 8081)], registry::launch, Ready::Http(registry::READY)),
    infrastructure(
        "mailbox",
        &[],
        &[("mailbox", 8025), ("mailbox-smtp", 1025)],
        mailbox::launch,
        Ready::Http(mailbox::READY),
    ),
    step("topics", "millrace-topics", &["kafka"], Describe::Passed),
    step("schemas", "millrace-schemas", &["registry"], Describe::Passed),
    step("seed", "millrace-seed", &["topics", "schemas"], Describe::NotPassed),
    service("orders", Some(8080), 18080),
    instance("orders-1", "orders", 1, Some(8090), 18090),
    service("order-details", None, 18180),
    instance("order-details-1", "order-details", 1, None, 18190),
    service("fraud", None, 18280),
    instance("fraud-1", "fraud", 1, None, 18290),
    service("inventory", None, 18380),
    instance("inventory-1", "inventory", 1, None, 18390),
    service("payments", Some(8480), 18480),
    instance("payments-1", "payments", 1, Some(8490), 18490),
    service("customers", Some(8580), 18580),
    instance("customers-1", "customers", 1, Some(8590), 18590),
    step("seed-customers", "millrace-seed-customers", &["customers"], Describe::NotPassed),
    service("email", None, 18680).needing(MAILING),
    instance("email-1", "email", 1, None, 18690).needing(MAILING),
    service("views", Some(8780), 18780).needing(VIEWING),
    instance("views-1", "views", 1, Some(8790), 18790).needing(VIEWING),
    infrastructure("jaeger", &[], jaeger::PORTS, jaeger::launch, Ready::Http(jaeger::READY)).observing(),
    infrastructure("collector", &["jaeger"], collector::PORTS, collector::launch, Ready::HttpAt(collector::READY))
        .observing(),
    infrastructure("prometheus", &[], prometheus::PORTS, prometheus::launch, Ready::Http(prometheus::READY))
        .observing(),
];

/// What a service needs that mails.
const MAILING: &[&str] = &["topics", "schemas", "seed", "postgres", "mailbox"];

/// What a service needs that keeps its views in tables.
const VIEWING: &[&str] = &["topics", "schemas", "seed", "postgres"];

/// One part of the stack.
#[derive(Debug)]
pub(crate) struct Declaration {
    pub(crate) name: &'static str,
    /// The parts that are ready, or done, before this one is started.
    pub(crate) needs: &'static [&'static str],
    pub(crate) kind: Kind,
    /// It looks at the others, and is there only where somebody asks for it.
    pub(crate) observes: bool,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// A program that is not ours.
    Infrastructure { ports: &'static [(&'static str, u16)], launch: fn(&Site) -> Result<Launch>, ready: Ready },
    /// A program that does its work and ends.
    Step { binary: &'static str, describe: Describe },
    /// One of `services/` in one of its slots, ready when its admin port says so.
    Service { service: &'static str, instance: u32, http_port: Option<u16>, admin_port: u16 },
}

/// How to find out that a program that is not ours works.
#[derive(Debug)]
pub(crate) enum Ready {
    Postgres,
    Kafka,
    /// The path on its own port.
    Http(&'static str),
    /// The path on a port of this name.
    HttpAt((&'static str, &'static str)),
}

/// Whether a step is told what the services say of themselves (`<service> describe`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Describe {
    Passed,
    NotPassed,
}

const fn infrastructure(
    name: &'static str,
    needs: &'static [&'static str],
    ports: &'static [(&'static str, u16)],
    launch: fn(&Site) -> Result<Launch>,
    ready: Ready,
) -> Declaration {
    Declaration { name, needs, kind: Kind::Infrastructure { ports, launch, ready }, observes: false }
}

const fn step(
    name: &'static str,
    binary: &'static str,
    needs: &'static [&'static str],
    describe: Describe,
) -> Declaration {
    Declaration { name, needs, kind: Kind::Step { binary, describe }, observes: false }
}

/// The first instance of a service bears the service's name.
const fn service(name: &'static str, http_port: Option<u16>, admin_port: u16) -> Declaration {
    instance(name, name, 0, http_port, admin_port)
}

/// A service waits by itself for what it needs; it is started last to spare its log the complaints, and so that the stock is
/// there when the first order is.
const fn instance(
    name: &'static str,
    service: &'static str,
    instance: u32,
    http_port: Option<u16>,
    admin_port: u16,
) -> Declaration {
    Declaration {
        name,
        needs: &["topics", "schemas", "seed"],
        kind: Kind::Service { service, instance, http_port, admin_port },
        observes: false,
    }
}

impl Declaration {
    const fn needing(mut self, needs: &'static [&'static str]) -> Self {
        self.needs = needs;
        self
    }

    const fn observing(mut self) -> Self {
        self.observes = true;
        self
    }

    pub(crate) fn is_infrastructure(&self) -> bool {
        matches!(self.kind, Kind::Infrastructure { .. })
    }

    /// The service it is an instance of.
    pub(crate) fn service(&self) -> Option<&'static str> {
        match self.kind {
            Kind::Service { service, .. } => Some(service),
            _ => None,
        }
    }

    /// Whether it is there for a service that another part runs already.
    pub(crate) fn is_further_instance(&self) -> bool {
        matches!(self.kind, Kind::Service { instance: 1.., .. })
    }

    /// Its ports by name, with their numbers in the demo. The first bears the name of the part if the part is talked to.
    pub(crate) fn ports(&self) -> Vec<(String, u16)> {
        match &self.kind {
            Kind::Infrastructure { ports, .. } => ports.iter().map(|(name, port)| (name.to_string(), *port)).collect(),
            Kind::Step { .. } => Vec::new(),
            Kind::Service { http_port, admin_port, .. } => {
                let http = http_port.map(|port| (self.name.to_string(), port));
                http.into_iter().chain([(admin(self.name), *admin_port)]).collect()
            }
        }
    }
}

/// The name of the admin port of a service's instance.
pub(crate) fn admin(part: &str) -> String {
    format!("{part}-admin")
}

/// The part of that name.
pub(crate) fn find(name: &str, parts: &[&'static Declaration]) -> Result<&'static Declaration> {
    parts.iter().find(|part| part.name == name).copied().ok_or_else(|| Error::Unknown {
        kind: "part",
        name: name.into(),
        known: parts.iter().map(|part| part.name).collect::<Vec<_>>().join(", "),
    })
}

/// The parts of those names and all they need, in the order of the declaration.
pub(crate) fn with_needs<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<&'static Declaration>> {
    let all: Vec<&Declaration> = PARTS.iter().collect();
    let mut wanted: Vec<&str> = names.into_iter().collect();
    let mut next = 0;
    while let Some(name) = wanted.get(next).copied() {
        wanted.extend(find(name, &all)?.needs);
        next += 1;
    }
    Ok(all.into_iter().filter(|part| wanted.contains(&part.name)).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_part_is_declared_after_all_it_needs() {
        for (position, part) in PARTS.iter().enumerate() {
            for need in part.needs {
                assert!(PARTS[..position].iter().any(|earlier| earlier.name == *need), "{} needs {need}", part.name);
            }
        }
    }

    #[test]
    fn no_two_parts_share_a_port_in_the_demo() {
        let ports: Vec<u16> = PARTS.iter().flat_map(|part| part.ports()).map(|(_, port)| port).collect();
        assert_eq!(ports.iter().collect::<HashSet<_>>().len(), ports.len(), "{ports:?}");
    }

    #[test]
    fn a_further_instance_is_named_after_its_service_and_its_slot() {
        for part in PARTS {
            if let Kind::Service { service, instance, .. } = part.kind {
                let name = if instance == 0 { service.to_string() } else { format!("{service}-{instance}") };
                assert_eq!(part.name, name);
            }
        }
    }

    #[test]
    fn what_a_part_needs_comes_with_it() -> Result<()> {
        let names: Vec<&str> = with_needs(["orders"])?.iter().map(|part| part.name).collect();
        assert_eq!(names, ["postgres", "kafka", "registry", "topics", "schemas", "seed", "orders"]);
        Ok(())
    }
}
