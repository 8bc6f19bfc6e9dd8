//! What must hold when parts of the ecosystem come late, stall, end or are killed. Each test breaks a stack of its own, and
//! they take turns, because a machine that runs several stacks is slow in ways that are no failure.

mod ecosystem;
mod kill;
mod late_start;
mod load;
mod mail;
mod many_instances;
mod owner_dies;
mod registry_outage;
mod seed;
mod stall;
mod stop;
mod told;
mod views;
