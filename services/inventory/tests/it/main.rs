//! The stock as a process, against a real broker and a real registry; the tests play the orders service and the warehouse.

mod dead_letters;
mod harness;
mod orders;
mod restarting;
mod stock;
