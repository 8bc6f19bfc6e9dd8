//! Load tests: how fast the system is, beside what its broker allows.
//!
//! `make load` runs all scenarios on a stack of their own and prints one table; `load-tests latency` runs one. Nothing
//! here fails because of a figure: machines differ, and a ratio of two figures from one run is what holds. What is
//! measured, how, and what came out is in `docs/performance.md`.
//!
//! - [`pace`] sets the starts of an open loop, and latency counts from them: whoever waits for an answer before asking
//!   again measures only how the system does when it is well (coordinated omission).
//! - [`bare`] is the ground the system stands on: the same journey through the same broker in hops that do nothing.
//! - `scenarios/` has one small file per question.
//! - [`drive`] asks nothing, and only places orders with an ecosystem that somebody else has started.

#![expect(clippy::disallowed_methods, reason = "load tests measure the real world by its clock")]

mod appetite;
mod bare;
mod collector;
mod commits;
mod drive;
mod ground;
mod journaled;
mod journeys;
mod latencies;
mod members;
mod pace;
mod process;
mod prometheus;
mod provider;
mod report;
mod scenarios;
mod shop;
mod turns;

use std::process::ExitCode;

use clap::Parser;
use local::Interrupt;

use crate::ground::{Checks, Ground, Instances};
use crate::pace::Pace;
use crate::report::{Report, say};
use crate::scenarios::{ALONE, GROUNDS, Scenario};

/// Measures latency, throughput and appetite, each beside its bar.
#[derive(Debug, Parser)]
struct Options {
    /// What to measure; everything, if nothing is said.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// Transactions that warm the broker up; a cold one is several times slower.
    #[arg(long, value_name = "NUMBER", default_value_t = 5000)]
    warm_up: u32,
    /// Place orders with the instances of orders at these addresses, which run already, instead of measuring a stack of one's
    /// own; separated by commas.
    #[arg(long, value_name = "URL,…", value_delimiter = ',', conflicts_with = "scenarios")]
    orders_urls: Vec<String>,
    /// How many orders are placed a second there.
    #[arg(long, value_name = "NUMBER", default_value_t = 10, requires = "orders_urls")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000))]
    per_second: u32,
    /// For how long.
    #[arg(long, value_name = "NUMBER", default_value_t = 60, requires = "orders_urls")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let interrupt = Interrupt::on_signals()?;
    if !options.orders_urls.is_empty() {
        return drive::run(&options.orders_urls, Pace::new(options.per_second, options.seconds), &interrupt);
    }
    let wanted = |scenario: &Scenario| options.scenarios.is_empty() || options.scenarios.contains(scenario);
    let mut report = Report::default();
    let machine = process::machine()?;
    say(&machine);
    for (_, what, measure) in ALONE.iter().filter(|(scenario, ..)| wanted(scenario)) {
        say(what);
        measure(&interrupt, &mut report)?;
    }
    for (checks, instances, scenarios) in GROUNDS {
        let on_ground: Vec<Scenario> = scenarios.iter().copied().filter(wanted).collect();
        if on_ground.is_empty() {
            continue;
        }
        let ground = Ground::prepare(interrupt.clone(), options.warm_up, *checks, *instances)?;
        for scenario in on_ground {
            scenario.run(&ground, &mut report)?;
        }
        // Where rates are raised until it is too much, or instances are killed, some epochs do not end well.
        if (*checks, *instances) == (Checks::One, Instances::One) {
            ground.report_health(&mut report)?;
        }
    }
    report.print(&machine);
    Ok(())
}
