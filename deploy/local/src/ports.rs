use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io;
use std::net::TcpListener;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::probe;

/// What this process has given out, so that two stacks in it do not get the same.
static GIVEN_OUT: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// Whether nobody listens on the port.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(probe::address(port)).is_ok()
}

/// A port that is free now.
///
/// It lies below those the system gives to outgoing connections. A port from among them could be taken by a client while
/// its part is down, even by one that tries to reach that very part and so connects to itself.
///
/// # Errors
/// If none is.
pub fn free() -> io::Result<u16> {
    let mut given_out = GIVEN_OUT.lock().unwrap_or_else(PoisonError::into_inner);
    let range = below_outgoing();
    let count = range.end - range.start;
    let offset = u16::try_from(RandomState::new().hash_one(()) % u64::from(count)).unwrap_or(0);
    let port = (0..count)
        .map(|step| range.start + (offset + step) % count)
        .find(|port| !given_out.contains(port) && is_free(*port))
        .ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no port is free"))?;
    given_out.insert(port);
    Ok(port)
}

fn below_outgoing() -> Range<u16> {
    const LOWEST: u16 = 20_000;
    const USUAL: u16 = 32_768;
    let first_outgoing = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(USUAL);
    LOWEST..if first_outgoing > LOWEST + 1000 { first_outgoing } else { USUAL }
}
