//! The check as a process, against a real broker and a real registry; the tests play the orders service.

mod dead_letters;
mod harness;
mod restarting;
mod validations;
