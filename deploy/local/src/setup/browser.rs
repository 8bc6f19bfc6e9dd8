use std::path::PathBuf;

use super::{cache, lock, programs};
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::progress::Progress;

/// A browser that needs no screen, and the program that drives it (WebDriver).
#[derive(Clone, Debug)]
pub struct Browser {
    /// Chromium.
    pub program: PathBuf,
    /// `chromedriver`, of the same version.
    pub driver: PathBuf,
}

/// Finds the browser that the page is tested with, and installs it if it is missing. Nothing but tests needs it.
///
/// # Errors
/// If it is missing and cannot be installed from here, with the command that installs it.
pub fn browser(interrupt: &Interrupt) -> Result<Browser> {
    if let Some(browser) = find() {
        return Ok(browser);
    }
    let (cache, progress) = (cache(), &Progress::shown());
    let _lock = lock(&cache, progress)?;
    let missing: Vec<_> = programs::BROWSER.iter().filter(|program| !program.is_on_path()).collect();
    if !missing.is_empty() {
        programs::install(&missing, &cache, progress, interrupt)?;
    }
    find().ok_or_else(|| programs::missing(&programs::BROWSER.each_ref()))
}

fn find() -> Option<Browser> {
    let [program, driver] = programs::BROWSER.each_ref().map(programs::Program::on_path);
    Some(Browser { program: program?, driver: driver? })
}
