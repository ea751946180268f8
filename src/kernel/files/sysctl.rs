//! Per-interface sysctls below `/proc/sys/net`, which shows the namespace of the thread that opens it.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::kernel::{KernelError, LinuxKernel};
use crate::{inventory::Ipv6, plan::step::Place, types::KernelText};

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

/// Writes a sysctl of an interface of the calling thread's namespace; `key` is `ipv4/rp_filter` for its `net/ipv4/conf/NAME/rp_filter`.
pub(crate) fn write_of(name: &KernelText, key: &str, value: &str) -> Result<(), KernelError> {
    let path = path_of(name, key)
        .ok_or_else(|| KernelError::absent(format!("net/{key} of {name}"), "no such sysctl"))?;
    fs::write(&path, value).map_err(KernelError::io("write", path.display().to_string()))
}

/// Reads the sysctls of an interface that are files of their own; those that this kernel does not have are left out.
pub(crate) fn read_of(name: &KernelText, keys: &[&str]) -> Vec<(String, String)> {
    let value = |key: &str| fs::read_to_string(path_of(name, key)?).ok();
    let read =
        keys.iter().filter_map(|key| Some(((*key).to_owned(), value(key)?.trim_end().to_owned())));
    read.collect()
}

fn path_of(name: &KernelText, key: &str) -> Option<PathBuf> {
    let (family, key) = key.split_once('/')?;
    let name = OsStr::from_bytes(name.as_component()?);
    Some(Path::new("/proc/sys/net").join(family).join("conf").join(name).join(key))
}
