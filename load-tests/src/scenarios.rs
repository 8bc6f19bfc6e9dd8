//! One question each.

pub(crate) mod first_order;
mod full_store;
mod idle;
mod latency;
mod throughput;

use clap::ValueEnum;

use crate::ground::Ground;
use crate::report::{Report, say};

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// From the command that starts a demo to the first verdict.
    FirstOrder,
    /// What services use that have nothing to do.
    Idle,
    /// From POST to VALIDATED beside three bare hops; how long a commit takes.
    Latency,
    /// A topology that passes records through beside a bare hop, both saturated.
    Throughput,
    /// Memory and latency of orders with 100 000 orders in its store.
    FullStore,
}

impl Scenario {
    /// Those that share one stack: the idle ones before there is work, the big ones last.
    pub(crate) const ON_GROUND: [Self; 4] = [Self::Idle, Self::Latency, Self::Throughput, Self::FullStore];

    pub(crate) fn run(self, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
        match self {
            Self::FirstOrder => first_order::run(&ground.interrupt, report),
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
            Self::FullStore => {
                say("full-store: 100 000 orders");
                full_store::run(ground, report)
            }
        }
    }
}
