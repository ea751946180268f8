//! Per-interface sysctls below `/proc/sys/net`, which shows the namespace of the thread that opens it. No thread that was here may enter
//! another namespace.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{OFlag, open, openat},
    sys::stat::Mode,
};

use crate::kernel::{KernelError, LinuxKernel};
use crate::{inventory::Ipv6, plan::step::Place, types::KernelText};

/// Where all of them are.
const ALL: &str = "/proc/sys/net";

thread_local! {
    /// The directories `ipv4` and `ipv6` of the thread's namespace, each opened once. All namespaces' are entries of one directory and of
    /// one name, so that the kernel, asked by path, goes through those of every container on the machine (`proc_sys_compare`).
    static FAMILIES: RefCell<BTreeMap<PathBuf, OwnedFd>> = const { RefCell::new(BTreeMap::new()) };
}

/// Opens `key`, which begins with its family, in the thread's namespace.
fn file(key: &Path, how: OFlag) -> io::Result<File> {
    let mut names = key.components();
    let family: PathBuf = names.next().into_iter().collect();
    FAMILIES.with_borrow_mut(|families| {
        if !families.contains_key(&family) {
            let how = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let directory = open(&Path::new(ALL).join(&family), how, Mode::empty())?;
            families.insert(family.clone(), directory);
        }
        let file =
            openat(&families[&family], names.as_path(), how | OFlag::O_CLOEXEC, Mode::empty())?;
        Ok(File::from(file))
    })
}

fn read_file(key: &Path) -> io::Result<String> {
    let mut text = String::new();
    file(key, OFlag::O_RDONLY)?.read_to_string(&mut text)?;
    text.truncate(text.trim_end().len());
    Ok(text)
}

fn write_file(key: &Path, value: &str) -> io::Result<()> {
    file(key, OFlag::O_WRONLY)?.write_all(value.as_bytes())
}

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
    read_file(Path::new(key)).map_err(KernelError::io("read", format!("{ALL}/{key}")))
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
    write_file(Path::new(key), value).map_err(KernelError::io("write", format!("{ALL}/{key}")))
}

/// Writes a sysctl of an interface of the calling thread's namespace; `key` is `ipv4/rp_filter` for its `net/ipv4/conf/NAME/rp_filter`.
pub(crate) fn write_of(name: &KernelText, key: &str, value: &str) -> Result<(), KernelError> {
    let full = key_of(name, key)
        .ok_or_else(|| KernelError::absent(format!("net/{key} of {name}"), "no such sysctl"))?;
    let shown = format!("{ALL}/{}", full.display());
    write_file(&full, value).map_err(KernelError::io("write", shown))
}

/// Reads the sysctls of an interface that are files of their own; those that this kernel does not have are left out.
pub(crate) fn read_of(name: &KernelText, keys: &[&str]) -> Vec<(String, String)> {
    let value = |key: &str| read_file(&key_of(name, key)?).ok();
    keys.iter().filter_map(|key| Some(((*key).to_owned(), value(key)?))).collect()
}

fn key_of(name: &KernelText, key: &str) -> Option<PathBuf> {
    let (family, key) = key.split_once('/')?;
    let name = OsStr::from_bytes(name.as_component()?);
    Some(Path::new(family).join("conf").join(name).join(key))
}
