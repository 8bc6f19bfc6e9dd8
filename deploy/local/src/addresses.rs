use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

use crate::declared::{Declaration, Kind, admin};
use crate::error::{Error, Result};
use crate::infrastructure::{jaeger, postgres, registry};

/// Where the parts of a stack are reached. A part that does not belong to the stack has an empty address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// `host:port` of the broker.
    pub kafka_bootstrap: String,
    /// Base of the registry's Confluent API.
    pub schema_registry_url: String,
    /// The database that is there from the beginning.
    pub postgres_url: String,
    /// Base of the mailbox's HTTP interface: `/api/user/<address>/messages`.
    pub mailbox_url: String,
    /// Where the mailbox takes mails.
    pub smtp_url: String,
    /// Base of Prometheus: `/api/v1/query`, `/api/v1/alerts`.
    pub prometheus_url: String,
    /// Base of the trace store: `/api/traces/<trace id>`.
    pub jaeger_url: String,
    /// Where traces are taken by OTLP over HTTP: from the collector if there is one, else from the trace store itself.
    pub otlp_url: String,
    /// The instances of the services, in the order of the declaration.
    pub services: Vec<ServiceAddress>,
}

/// Tells addresses that somebody gave this process for its use from those that happen to be in the environment, as they
/// are after sourcing the env file of a demo.
pub(crate) const GIVEN: &str = "MILLRACE_INFRASTRUCTURE_GIVEN";

/// Where an instance of a service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAddress {
    /// Its name as a part of the stack.
    pub name: String,
    /// The service it is an instance of.
    pub service: String,
    /// Base of its HTTP interface, if it has one.
    pub url: Option<String>,
    /// Base of its admin port: `/livez`, `/readyz`, `/metrics`.
    pub admin_url: String,
}

impl Addresses {
    pub(crate) fn new(parts: &[&Declaration], port: impl Fn(&str) -> u16) -> Self {
        let mut addresses = Self::default();
        for part in parts {
            match (part.name, &part.kind) {
                ("kafka", _) => addresses.kafka_bootstrap = format!("127.0.0.1:{}", port("kafka")),
                ("registry", _) => {
                    addresses.schema_registry_url = format!("{}{}", http(port("registry")), registry::CONFLUENT_API);
                }
                ("postgres", _) => addresses.postgres_url = postgres_url(port("postgres"), postgres::DATABASE),
                ("mailbox", _) => {
                    addresses.mailbox_url = http(port("mailbox"));
                    addresses.smtp_url = format!("smtp://127.0.0.1:{}", port("mailbox-smtp"));
                }
                ("prometheus", _) => addresses.prometheus_url = http(port("prometheus")),
                ("jaeger", _) => {
                    addresses.jaeger_url = http(port("jaeger"));
                    addresses.otlp_url = http(port(jaeger::OTLP_HTTP));
                }
                // Declared after the trace store.
                ("collector", _) => addresses.otlp_url = http(port("collector")),
                (name, Kind::Service { service, http_port, .. }) => addresses.services.push(ServiceAddress {
                    name: name.into(),
                    service: (*service).into(),
                    url: http_port.map(|_| http(port(name))),
                    admin_url: http(port(&admin(name))),
                }),
                _ => {}
            }
        }
        addresses
    }

    /// What [`exec()`](crate::exec()) has put into the environment of this process, if it has.
    pub fn given() -> Option<Self> {
        env::var_os(GIVEN)?;
        let variable = |name| env::var(name).unwrap_or_default();
        Some(Self {
            kafka_bootstrap: variable("KAFKA_BOOTSTRAP"),
            schema_registry_url: variable("SCHEMA_REGISTRY_URL"),
            postgres_url: variable("POSTGRES_URL"),
            mailbox_url: variable("MAILBOX_URL"),
            smtp_url: variable("SMTP_URL"),
            ..Self::default()
        })
    }

    /// Those in the env file of a demo, or of anything else that runs: what [`as_shell`](Self::as_shell) writes. It does not
    /// tell where admin ports are.
    ///
    /// # Errors
    /// If the file cannot be read, or one of its lines is not `NAME=value`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(Error::path("read", path))?;
        let mut addresses = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let Some((name, value)) = line.split_once('=') else {
                let refusal = io::Error::other(format!("NAME=value is wanted, not `{line}`"));
                return Err(Error::path("read", path)(refusal));
            };
            match name {
                "KAFKA_BOOTSTRAP" => addresses.kafka_bootstrap = value.to_string(),
                "SCHEMA_REGISTRY_URL" => addresses.schema_registry_url = value.to_string(),
                "POSTGRES_URL" => addresses.postgres_url = value.to_string(),
                "MAILBOX_URL" => addresses.mailbox_url = value.to_string(),
                "SMTP_URL" => addresses.smtp_url = value.to_string(),
                "PROMETHEUS_URL" => addresses.prometheus_url = value.to_string(),
                "JAEGER_URL" => addresses.jaeger_url = value.to_string(),
                "OTEL_EXPORTER_OTLP_ENDPOINT" => addresses.otlp_url = value.to_string(),
                _ => addresses.services.extend(instances(name, value)),
            }
        }
        Ok(addresses)
    }

    /// As environment variables: `KAFKA_BOOTSTRAP`, `SCHEMA_REGISTRY_URL`, `POSTGRES_URL`, `MAILBOX_URL`, `SMTP_URL`,
    /// `PROMETHEUS_URL`, `JAEGER_URL`, `OTEL_EXPORTER_OTLP_ENDPOINT` (which OpenTelemetry knows), and for each service with an HTTP interface `<SERVICE>_URL` (its first instance) and `<SERVICE>_URLS` (all instances, separated by commas).
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut variables = vec![
            ("KAFKA_BOOTSTRAP".to_string(), self.kafka_bootstrap.clone()),
            ("SCHEMA_REGISTRY_URL".to_string(), self.schema_registry_url.clone()),
            ("POSTGRES_URL".to_string(), self.postgres_url.clone()),
            ("MAILBOX_URL".to_string(), self.mailbox_url.clone()),
            ("SMTP_URL".to_string(), self.smtp_url.clone()),
            ("PROMETHEUS_URL".to_string(), self.prometheus_url.clone()),
            ("JAEGER_URL".to_string(), self.jaeger_url.clone()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT".to_string(), self.otlp_url.clone()),
        ];
        let mut urls: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for instance in &self.services {
            urls.entry(&instance.service).or_default().extend(instance.url.as_deref());
        }
        for (service, urls) in urls {
            let name = service.to_uppercase().replace('-', "_");
            variables.push((format!("{name}_URL"), urls.first().copied().unwrap_or_default().to_string()));
            variables.push((format!("{name}_URLS"), urls.join(",")));
        }
        variables.retain(|(_, value)| !value.is_empty());
        variables
    }

    pub(crate) fn postgres_port(&self) -> Option<u16> {
        let (_, behind_host) = self.postgres_url.rsplit_once(':')?;
        behind_host.split('/').next()?.parse().ok()
    }

    /// The same as lines that a shell can source.
    pub fn as_shell(&self) -> String {
        self.environment().iter().fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "{name}={value}");
            text
        })
    }
}

/// The instances that a variable such as `ORDERS_URLS` tells of; none, if it is none of that kind.
fn instances(name: &str, urls: &str) -> Vec<ServiceAddress> {
    let Some(service) = name.strip_suffix("_URLS") else { return Vec::new() };
    let service = service.to_lowercase().replace('_', "-");
    let named = |number| if number == 0 { service.clone() } else { format!("{service}-{number}") };
    let urls = urls.split(',').filter(|url| !url.is_empty()).enumerate();
    let instance = |(number, url): (usize, &str)| ServiceAddress {
        name: named(number),
        service: service.clone(),
        url: Some(url.to_string()),
        admin_url: String::new(),
    };
    urls.map(instance).collect()
}

fn http(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

pub(crate) fn postgres_url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::declared::PARTS;

    #[test]
    fn the_environment_names_the_first_instance_of_a_service_and_all_of_them() {
        let parts: Vec<&Declaration> = PARTS.iter().collect();
        let ports: BTreeMap<String, u16> = parts.iter().flat_map(|part| part.ports()).collect();

        let shell = Addresses::new(&parts, |name| ports[name]).as_shell();

        let lines: Vec<&str> = shell.lines().filter(|line| line.starts_with("ORDER")).collect();
        assert_eq!(
            lines,
            ["ORDERS_URL=http://127.0.0.1:8080", "ORDERS_URLS=http://127.0.0.1:8080,http://127.0.0.1:8090"]
        );
    }

    #[test]
    fn what_was_written_for_a_shell_is_read_again() -> Result<()> {
        let parts: Vec<&Declaration> = PARTS.iter().collect();
        let ports: BTreeMap<String, u16> = parts.iter().flat_map(|part| part.ports()).collect();
        let written = Addresses::new(&parts, |name| ports[name]);
        let file = tempfile::NamedTempFile::new().map_err(Error::io("create a file"))?;
        fs::write(file.path(), written.as_shell()).map_err(Error::path("write", file.path()))?;

        let read = Addresses::read(file.path())?;

        assert_eq!(read.as_shell(), written.as_shell());
        let second = read.services.iter().find(|instance| instance.name == "orders-1").cloned();
        assert_eq!(second.and_then(|instance| instance.url).as_deref(), Some("http://127.0.0.1:8090"));
        Ok(())
    }

    #[test]
    fn a_line_that_is_no_variable_is_named() -> Result<()> {
        let file = tempfile::NamedTempFile::new().map_err(Error::io("create a file"))?;
        fs::write(file.path(), "ORDERS_URLS\n").map_err(Error::path("write", file.path()))?;
        let refused = Addresses::read(file.path()).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.ends_with("NAME=value is wanted, not `ORDERS_URLS`")));
        Ok(())
    }
}
