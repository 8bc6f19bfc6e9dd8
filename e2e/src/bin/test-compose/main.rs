//! Millrace in containers, from its images to nothing left: what `make test-compose` runs.
//!
//! `OFFLINE=yes` takes stand-ins for upstream images (`deploy/offline/README.md`), `OFFLINE=no` pulls them; unless it is
//! set, stand-ins are taken if the smallest upstream image cannot be pulled. Everything that is started is ended, whatever the outcome.

#![expect(
    clippy::disallowed_methods,
    reason = "it measures the real world by its clock, and is told by a variable what to take"
)]

mod command;
mod figures;
mod project;
mod trial;
mod version;

use std::env;
use std::process::{Command, ExitCode};

use anyhow::bail;
use local::{Interrupt, workspace};

use crate::figures::Figures;
use crate::project::{Project, settings};
use crate::trial::Trial;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let interrupt = Interrupt::on_signals()?;
    let mut figures = Figures::default();
    let is_offline = takes_stand_ins(&interrupt)?;
    if is_offline {
        let mut build = Command::new(workspace().join("deploy/offline/build.sh"));
        figures.timed("stand-ins for upstream images", None, || command::run(&mut build, &interrupt))?;
    }
    let project = Project::new(is_offline, interrupt.clone())?;
    if !is_offline {
        // The builder may keep the image that ours are built on for itself.
        project.docker(&["pull", "--quiet", project.setting("RUNTIME_IMAGE")?])?;
        figures.timed("pulling upstream images", None, || project.compose(&["pull", "--ignore-buildable"]))?;
    }
    figures.timed("all our images", Some(600.0), || project.build())?;
    figures.sizes(&project)?;
    version::build_another(&project, &mut figures, &interrupt)?;

    let mut trial = Trial::new(&project, interrupt, &mut figures)?;
    trial.start()?;
    trial.confined()?;
    trial.journeys()?;
    trial.memory()?;
    trial.stop_in_good_order()?;
    trial.crash_of_a_service()?;
    trial.crash_of_the_broker()?;
    trial.nothing_lost()?;

    project.down()?;
    figures.print();
    Ok(())
}

fn takes_stand_ins(interrupt: &Interrupt) -> anyhow::Result<bool> {
    match env::var("OFFLINE").as_deref() {
        Ok("yes") => Ok(true),
        Ok("no") => Ok(false),
        Ok("") | Err(_) => {
            let image = settings(".env")?.remove("RUNTIME_IMAGE").unwrap_or_default();
            let pulled = command::output(Command::new("docker").args(["pull", "--quiet", &image]), interrupt);
            if let Err(error) = &pulled {
                eprintln!("stand-ins take the place of upstream images, which cannot be pulled: {error:#}");
            }
            Ok(pulled.is_err())
        }
        Ok(other) => bail!("OFFLINE is yes, no or not set, not `{other}`"),
    }
}
