//! The payments service as a process, against a real broker and a real registry; the tests play its clients.

mod dead_letters;
mod faults;
mod harness;
mod instances;
mod outages;
mod paying;
mod reading;
mod restarting;
