use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::addresses::Addresses;
use crate::declared::Declaration;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::ports;
use crate::setup::Installation;
use crate::user::User;
use crate::watchdog::Watchdog;

/// What all parts of one stack share: what is installed, where they keep their data, on which ports they listen.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) installation: Installation,
    /// Where our own programs are.
    pub(crate) binaries: PathBuf,
    /// Everything the stack writes; the watchdog removes it.
    pub(crate) directory: PathBuf,
    /// Whom PostgreSQL runs as.
    pub(crate) user: Option<User>,
    /// More environment for single parts: part, name, value.
    pub(crate) environment: Vec<(String, String, String)>,
    pub(crate) interrupt: Interrupt,
    pub(crate) watchdog: Arc<Watchdog>,
    pub(crate) parts: Vec<&'static Declaration>,
    pub(crate) ports: Mutex<BTreeMap<String, u16>>,
    /// The ports that were asked for by number.
    pub(crate) fixed_ports: BTreeSet<String>,
}

impl Site {
    /// The directory of a part, made if need be.
    pub(crate) fn part_directory(&self, part: &str) -> Result<PathBuf> {
        let directory = self.directory.join(part);
        fs::create_dir_all(&directory).map_err(Error::path("create", &directory))?;
        Ok(directory)
    }

    /// The log of a part or of a preparation.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.directory.join(name).with_extension("log")
    }

    /// The file with what a service said of itself.
    pub(crate) fn description(&self, service: &str) -> PathBuf {
        self.directory.join(service).with_extension("json")
    }

    /// A port of a part of this stack.
    pub(crate) fn port(&self, name: &str) -> u16 {
        self.lock_ports().get(name).copied().unwrap_or_default()
    }

    /// Gives a part other ports, where nobody insisted on a number.
    pub(crate) fn renew_ports(&self, part: &Declaration) -> Result<()> {
        for (name, _) in part.ports() {
            if !self.fixed_ports.contains(&name) {
                let port = ports::free().map_err(Error::io("find a free port"))?;
                self.lock_ports().insert(name, port);
            }
        }
        Ok(())
    }

    pub(crate) fn addresses(&self) -> Addresses {
        Addresses::new(&self.parts, |name| self.port(name))
    }

    /// The services of this stack, each once, however many instances it has.
    pub(crate) fn services(&self) -> BTreeSet<&'static str> {
        self.parts.iter().filter_map(|part| part.service()).collect()
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    fn lock_ports(&self) -> MutexGuard<'_, BTreeMap<String, u16>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
