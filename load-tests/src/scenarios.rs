//! One question each.

pub(crate) mod first_order;
mod full_store;
mod idle;
mod latency;
mod rebuilds;
mod restart;
mod restore;
mod scale;
mod throughput;
mod wrong_instance;

use clap::ValueEnum;

use crate::ground::{Ground, Instances};
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
}

impl Scenario {
    /// Those that share one stack: the idle ones before there is work, the big ones last.
    pub(crate) fn on(instances: Instances) -> &'static [Self] {
        match instances {
            Instances::One => &[Self::Idle, Self::Latency, Self::Throughput, Self::Restore, Self::FullStore],
            Instances::Two => &[Self::WrongInstance, Self::Scale, Self::Restart, Self::Rebuilds],
        }
    }

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
        }
    }
}
