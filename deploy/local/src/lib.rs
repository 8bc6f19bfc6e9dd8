//! The stack that everything runs on, without containers: Kafka, a schema registry, PostgreSQL, the steps that create topics
//! and register schemas, seed data, and the services.
//!
//! What runs, what each part needs and when it is ready is declared once, in `declared.rs`. The command `local` makes the
//! demo of it (`up`, `down`), and tests, load tests and failure tests use the same declaration as a library:
//!
//! ```no_run
//! # fn main() -> Result<(), local::Error> {
//! let stack = local::Stack::builder().without("order-details").start()?;
//! stack.part("kafka").kill();
//! stack.part("kafka").start()?;
//! println!("{}", stack.addresses().as_shell());
//! # Ok(())
//! # }
//! ```
//!
//! A stack has free ports and a data directory of its own, and belongs to its owner: dropped, panicked or killed, the owner
//! leaves no process and no file behind, because a small watchdog process outlives it by that moment. What the machine
//! lacks is installed or named by [`setup()`], which every start calls; it costs nothing when all is there.
//!
//! The demo runs two instances of each service, and has fixed ports: orders 8080 and 8090, payments 8480 and 8490, customers
//! 8580 and 8590, views and its page 8780 and 8790, the registry 8081, the mailbox 8025 and 1025, Kafka 9092 (and 9093 for its
//! controller), PostgreSQL 15432, and for probes and metrics orders 18080 and 18090, order-details 18180 and 18190, fraud
//! 18280 and 18290, inventory 18380 and 18390, payments 18480 and 18490, customers 18580 and 18590, email 18680 and 18690,
//! views 18780 and 18790. Where the demo is observed (`up --observe`): Prometheus 9090, the trace store 16686 (and 14317, 14318,
//! 16685 for its collector and for queries by gRPC), the OpenTelemetry Collector 4318 and 4317 (and 55679 for its pages), and
//! the broker's own figures 9404. `up --port orders=8888`, or `MILLRACE_PORTS=orders=8888` in the environment, moves one.
//!
//! Three more variables concern who calls. `MILLRACE_BUILT` says that the workspace has just been built, which spares the
//! call of cargo; `MILLRACE_BIN` names another directory of our programs; `MILLRACE_CACHE` names another place than
//! `target/stack` for what is fetched.

#![expect(clippy::disallowed_methods, reason = "the stack lives in the real world: its clock, its environment")]

mod addresses;
mod binaries;
mod declared;
mod error;
mod exec;
mod infrastructure;
mod interrupt;
mod launch;
mod page;
mod part;
mod ports;
mod probe;
mod process;
mod progress;
mod setup;
mod site;
mod stack;
mod user;
mod watchdog;

pub use addresses::{Addresses, ServiceAddress};
pub use binaries::{program, workspace};
pub use error::Error;
pub use exec::exec;
pub use infrastructure::postgres::create_database;
pub use interrupt::Interrupt;
pub use part::{Part, READY_WITHIN};
pub use ports::free as free_port;
pub use setup::{Browser, browser, promtool, setup};
pub use stack::{Builder, Stack};
