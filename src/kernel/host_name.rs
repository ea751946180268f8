//! What this machine calls itself, for people who look at several.

use std::fs;

/// The machine's name; empty where the kernel does not tell.
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
