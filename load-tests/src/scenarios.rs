//! One question each.

mod checks;
mod first_order;
mod full_checks;
mod full_store;
mod idle;
mod join;
mod latency;
mod mail;
mod pages;
mod profile;
mod rebuild;
mod rebuilds;
mod records;
mod restart;
mod restore;
mod scale;
mod sustained;
mod throughput;
mod tracing;
mod views;
mod whole_demo;
mod wrong_instance;

use clap::ValueEnum;
use local::Interrupt;

use crate::ground::{Checks, Ground, Instances};
use crate::report::{Report, say};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// From the command that starts a demo to the first verdict.
    FirstOrder,
    /// Email alone: idle, from a paid order to its mail, and as many mails as there can be.
    Mail,
    /// How fast views apply a log that is there already.
    Views,
    /// The tables of views built anew from a million orders, beside a plain COPY of the same rows.
    Rebuild,
    /// From the commit of an order to an open page, and what fifty pages cost.
    Pages,
    /// What it costs to tell a collector of every order, and to be asked for metrics.
    Tracing,
    /// What services use that have nothing to do.
    Idle,
    /// From POST to VALIDATED beside three bare hops; how long a commit takes.
    Latency,
    /// A topology that passes records through beside a bare hop, both saturated.
    Throughput,
    /// A windowed join beside a topology that passes the same records through, both saturated.
    Join,
    /// A store of a million keys read back beside a bare consumer, and a restart with it on disk.
    Restore,
    /// Memory and latency of orders with 100 000 orders in its store.
    FullStore,
    /// Reads through the instance that has the order, and through the other.
    WrongInstance,
    /// Instances that leave and come while orders are placed.
    Scale,
    /// Instances that are killed, and started again or not.
    Restart,
    /// The ceiling, and producers rebuilt at 0.7 of it.
    Rebuilds,
    /// From POST to VALIDATED by all checks beside four bare hops, with one product and with many.
    Checks,
    /// Where the time of an order goes, hop by hop.
    Profile,
    /// How many records an order makes, and what each is for.
    Records,
    /// The highest rate of orders that all checks keep up with.
    Sustained,
    /// Memory of all services and latency with 100 000 orders in the stores.
    FullChecks,
    /// From POST to VALIDATED by all checks with two instances of each service.
    WholeDemo,
}

/// How a scenario measures.
type Measure = fn(&Interrupt, &mut Report) -> anyhow::Result<()>;

/// The scenarios that have a stack of their own, each with what is said before.
pub(crate) const ALONE: &[(Scenario, &str, Measure)] = &[
    (Scenario::FirstOrder, "first-order: a demo from nothing to its first verdict", first_order::run),
    (Scenario::Mail, "mail: orders and payments to mails", mail::run),
    (Scenario::Views, "views: a log to tables", views::run),
    (Scenario::Rebuild, "rebuild: a log to tables beside those that serve", rebuild::run),
    (Scenario::Pages, "pages: orders to open pages", pages::run),
    (Scenario::Tracing, "tracing: orders that are told of and others in turn", tracing::run),
];

/// The stacks, each with the scenarios that share it: the idle ones before there is work, the big ones last.
pub(crate) const GROUNDS: &[(Checks, Instances, &[Scenario])] = {
    use Scenario::{
        Checks as AllChecks, FullChecks, FullStore, Idle, Join, Latency, Profile, Rebuilds, Records, Restart, Restore,
        Scale, Sustained, Throughput, WholeDemo, WrongInstance,
    };
    &[
        (Checks::One, Instances::One, &[Idle, Latency, Throughput, Join, Restore, FullStore]),
        (Checks::One, Instances::Two, &[WrongInstance, Scale, Restart, Rebuilds]),
        (Checks::All, Instances::One, &[AllChecks, Profile, Records, Sustained]),
        (Checks::All, Instances::One, &[FullChecks]),
        (Checks::All, Instances::Two, &[WholeDemo]),
    ]
};

impl Scenario {
    pub(crate) fn run(self, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
        match self {
            Self::FirstOrder | Self::Mail | Self::Views | Self::Rebuild | Self::Pages | Self::Tracing => {
                anyhow::bail!("{self:?} has a stack of its own")
            }
            Self::Idle => {
                say("idle: services with nothing to do");
                idle::run(ground, report)
            }
            Self::Latency => {
                say("latency: orders and three bare hops in turn");
                latency::run(ground, report)
            }
            Self::Throughput => {
                say("throughput: a topology and a bare hop in turn");
                throughput::run(ground, report)
            }
            Self::Join => {
                say("join: pairs, joined and passed through in turn");
                join::run(ground, report)
            }
            Self::Restore => {
                say("restore: a million keys, and a bare consumer in turn");
                restore::run(ground, report)
            }
            Self::FullStore => {
                say("full-store: 100 000 orders");
                full_store::run(ground, report)
            }
            Self::WrongInstance => {
                say("wrong-instance: reads through either instance in turn");
                wrong_instance::run(ground, report)
            }
            Self::Scale => {
                say("scale: instances leave and come");
                scale::run(ground, report)
            }
            Self::Restart => {
                say("restart: instances are killed");
                restart::run(ground, report)
            }
            Self::Rebuilds => {
                say("rebuilds: the ceiling, and a minute at 0.7 of it");
                rebuilds::run(ground, report)
            }
            Self::Checks => {
                say("checks: orders through all checks and four bare hops in turn");
                checks::run(ground, report)
            }
            Self::Profile => {
                say("profile: where the time of an order goes");
                profile::run(ground, report)
            }
            Self::Records => {
                say("records: what an order writes");
                records::run(ground, report)
            }
            Self::Sustained => {
                say("sustained: the rate is raised");
                sustained::run(ground, report)
            }
            Self::FullChecks => {
                say("full-checks: 100 000 orders through all checks");
                full_checks::run(ground, report)
            }
            Self::WholeDemo => {
                say("whole-demo: two instances of each service");
                whole_demo::run(ground, report)
            }
        }
    }
}
