//! The local stack as a command.

#![expect(clippy::disallowed_methods, reason = "the stack lives in the real world: its clock, its environment")]

mod claim;
mod demo;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use local::Interrupt;

/// Runs Millrace on this machine, without containers.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Installs what is missing: programs of this machine, Kafka, the schema registry, PostgreSQL; and a browser for tests.
    Setup,
    /// Starts everything, says where it is, and stays until Ctrl-C or `down`.
    Up(demo::Options),
    /// Ends a running demo and waits until it is gone.
    Down {
        /// The env file of the demo.
        #[arg(long, value_name = "FILE", default_value_os_t = demo::default_env_file())]
        env_file: PathBuf,
    },
    /// Starts Kafka, the schema registry and PostgreSQL, runs a command with their addresses in its environment, and ends
    /// with its exit code.
    Exec {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

/// What a shell makes of Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) if matches!(error.downcast_ref(), Some(local::Error::Interrupted)) => {
            eprintln!("interrupted");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Setup => {
            let interrupt = Interrupt::on_signals()?;
            local::setup(&interrupt)?;
            println!("All that the stack needs is installed.");
            match local::browser(&interrupt) {
                Ok(_) => println!("So is the browser that the tests of the page need."),
                Err(local::Error::Interrupted) => return Ok(ExitCode::from(INTERRUPTED)),
                // Whoever only wants to run the demo is not to be stopped by it.
                Err(error) => println!("The tests of the page need a browser besides: {error}"),
            }
        }
        Command::Up(options) => demo::up(options)?,
        Command::Down { env_file } => demo::down(&env_file)?,
        Command::Exec { command } => return Ok(local::exec(&command, &Interrupt::on_signals()?)?),
    }
    Ok(ExitCode::SUCCESS)
}
