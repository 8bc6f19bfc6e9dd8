//! How the parts that are not ours are started: what they need on disk, and with which settings.

pub(crate) mod collector;
pub(crate) mod jaeger;
pub(crate) mod kafka;
pub(crate) mod mailbox;
pub(crate) mod postgres;
pub(crate) mod prometheus;
pub(crate) mod registry;

use std::path::Path;

use crate::error::Result;
use crate::launch::Launch;
use crate::site::Site;

/// Java with what all of our JVMs have in common: nothing is left in the machine's temporary directory, and the classes
/// come out of an archive that was recorded at setup, which halves the time to start.
fn java(site: &Site, part: &str) -> Result<Launch> {
    let directory = site.part_directory(part)?;
    let archive = match &site.installation.prepared {
        Some(prepared) => format!("-XX:SharedArchiveFile={}", class_archive(prepared, part).display()),
        None => format!("-XX:ArchiveClassesAtExit={}", class_archive(&directory, part).display()),
    };
    Ok(Launch::new(&site.installation.java).arguments([
        "-XX:-UsePerfData".to_string(),
        format!("-Djava.io.tmpdir={}", directory.display()),
        archive,
    ]))
}

/// The recorded classes of a part.
pub(crate) fn class_archive(directory: &Path, part: &str) -> std::path::PathBuf {
    directory.join(part).with_extension("jsa")
}
