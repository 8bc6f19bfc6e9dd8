//! The orders service as a process, against a real broker and a real registry; the tests play its clients and the checks.

mod bad_input;
mod dead_letters;
mod faults;
mod harness;
mod instances;
mod outages;
mod placing;
mod raw_http;
mod reading;
mod restarting;
mod verdicts;
