//! Per-interface sysctls below `/proc/sys/net`, which shows the namespace of the thread that opens it.

use std::fs;

use crate::kernel::{KernelError, LinuxKernel};
use crate::{inventory::Ipv6, plan::step::Place};

/// Writes `value` unless it is there already.
pub(crate) fn write(
    kernel: &mut LinuxKernel,
    place: Place,
    key: &str,
    value: &str,
) -> Result<(), KernelError> {
    match place {
        Place::Host => write_here(key, value),
        Place::Sandbox => {
            let (key, value) = (key.to_owned(), value.to_owned());
            kernel.sandbox()?.inside(move || write_here(&key, &value))?
        }
    }
}

/// Reads a sysctl of the calling thread's namespace, without the newline.
pub(crate) fn read_here(key: &str) -> Result<String, KernelError> {
    let path = format!("/proc/sys/net/{key}");
    let text = fs::read_to_string(&path).map_err(KernelError::io("read", path))?;
    Ok(text.trim_end().to_owned())
}

/// What IPv6 is like on interfaces that appear in the calling thread's namespace.
pub(crate) fn ipv6() -> Ipv6 {
    match read_here("ipv6/conf/default/disable_ipv6").as_deref() {
        Ok("0") => Ipv6::On,
        Ok(_) => Ipv6::Off,
        Err(_) => Ipv6::Absent,
    }
}

/// The kernel's name for this run of the machine; empty where it has none.
pub(crate) fn boot() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim_end().to_owned()
}

fn write_here(key: &str, value: &str) -> Result<(), KernelError> {
    if read_here(key)? == value {
        return Ok(());
    }
    let path = format!("/proc/sys/net/{key}");
    fs::write(&path, value).map_err(KernelError::io("write", path))
}
