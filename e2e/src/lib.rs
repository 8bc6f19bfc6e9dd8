//! Tests of the running ecosystem from outside: real processes, started as a user starts them, asked over HTTP and looked
//! at through their topics. Nothing here knows how a service is made.
//!
//! - [`OrdersClient`] is a client of the orders service; one that repeats what was not acknowledged, as it is told to.
//! - [`Gateway`] is any instance with an HTTP interface, such as one of payments or customers.
//! - [`Mailbox`] is where customers find their mails.
//! - [`Topics`] reads what the services have said to each other, with the schemas the registry has.
//! - [`violations`] looks through all of it for what must never be.
//! - [`Tap`] keeps what they have said to themselves, and [`disagreements`] holds all of it against a plain fold.
//! - [`Chronicle`] is what the tables of views are made of, and [`differences`] holds what is [`shown`] against it.
//! - [`Witness`] keeps what readers were shown meanwhile, and [`wrong_answers`] holds it against the log.
//!
//! `tests/orchestration` has a positive and a negative test of each business scenario, `tests/journeys` walks through one
//! whole stack, `tests/failures` starts stacks of its own and breaks their parts.

mod audit;
mod client;
mod fold;
mod gateway;
mod mailbox;
mod readings;
mod tap;
mod topics;
mod views;
mod witness;

pub use audit::{Log, violations};
pub use client::{ANSWERED_WITHIN, Answer, NewOrder, OrderDocument, OrdersClient};
pub use fold::{Heard, broken_promises, disagreements};
pub use gateway::Gateway;
pub use mailbox::{Mail, Mailbox};
pub use readings::{Reading, Shown, wrong_answers};
pub use tap::Tap;
pub use topics::{Event, Topics};
pub use views::{Chronicle, Documents, differences, shown, shown_of};
pub use witness::{Question, Witness};
