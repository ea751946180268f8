//! Which run of the machine this is, and how long it lasts: a clock that nobody sets, and that goes on while the machine sleeps.

use std::{fs, io};

use nix::time::{ClockId, clock_gettime};

use super::LeaseError;

const ID: &str = "/proc/sys/kernel/random/boot_id";

/// The kernel's name for this run of the machine.
pub fn boot_id() -> Result<String, LeaseError> {
    let text = fs::read_to_string(ID).map_err(LeaseError::io("read", ID))?;
    Ok(text.trim().to_owned())
}

/// Milliseconds since it began (`CLOCK_BOOTTIME`).
pub fn since_boot() -> Result<u64, LeaseError> {
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME);
    let now = now.map_err(|errno| LeaseError::io("ask", "the clock")(io::Error::from(errno)))?;
    let (seconds, nanos) = (now.tv_sec().unsigned_abs(), now.tv_nsec().unsigned_abs());
    Ok(seconds * 1000 + nanos / 1_000_000)
}
