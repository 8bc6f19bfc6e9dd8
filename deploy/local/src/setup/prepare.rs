use std::fs;
use std::path::Path;

use super::Installation;
use crate::error::{Error, Result};
use crate::infrastructure::{class_archive, kafka, postgres, registry};
use crate::interrupt::Interrupt;
use crate::stack::Stack;
use crate::user::copy_tree;

/// What is prepared depends on how it is.
pub(super) const SOURCE: &str = include_str!("prepare.rs");

/// Runs the infrastructure once from nothing and keeps what makes every later start short: a formatted cluster, the
/// databases, with the registry's tables in its own, and archives of the classes that the JVMs load (from 9 s to 3 s on two cores).
pub(super) fn prepare(raw: Installation, directory: &Path, interrupt: &Interrupt) -> Result<()> {
    let builder = Stack::builder().only(["kafka", "registry", "mailbox"]).without("registry");
    let stack = builder.installation(raw).interrupt(interrupt.clone()).start()?;
    for database in [registry::DATABASE].iter().chain(postgres::DATABASES_OF_SERVICES) {
        let statement = format!("CREATE DATABASE {database}");
        let port = stack.site().port("postgres");
        postgres::execute(port, postgres::DATABASE, &statement).map_err(Error::io(&statement))?;
    }
    stack.part("registry").start()?;
    for part in ["registry", "kafka", "mailbox"] {
        // The archive is written at the end of the JVM, which is why it has to come to one.
        stack.part(part).stop();
        let archive = class_archive(&stack.site().part_directory(part)?, part);
        fs::copy(&archive, class_archive(directory, part)).map_err(Error::path("keep", &archive))?;
    }
    kafka::keep_formatted(stack.site(), directory)?;
    stack.part("postgres").stop();
    copy_tree(&stack.site().part_directory("postgres")?.join("data"), &directory.join(postgres::DATA), None)
}
