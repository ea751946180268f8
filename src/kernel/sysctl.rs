//! Per-interface sysctls below `/proc/sys/net`, which shows the namespace of the thread that opens it.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use nix::{
    fcntl::{OFlag, open, openat},
    sys::stat::Mode,
};

use crate::{inventory::Ipv6, kernel::KernelError, types::KernelText};

/// Where all of them are.
const ALL: &str = "/proc/sys/net";

/// No value that is read here is longer.
const LONGEST: usize = 256;

thread_local! {
    /// Those of the thread's own namespace.
    static OWN: Directories = Directories::default();
}

/// The directories `ipv4` and `ipv6` of one namespace, each opened once, by a thread that is in it. All namespaces' are entries of one
/// directory and of one name, so that the kernel, asked by path, goes through those of every container on the machine
/// (`proc_sys_compare`).
#[derive(Default)]
pub(crate) struct Directories(RefCell<BTreeMap<PathBuf, OwnedFd>>);

impl Directories {
    /// Opens `key`, which begins with its family. The thread is in the namespace.
    fn file(&self, key: &Path, how: OFlag) -> io::Result<File> {
        let mut names = key.components();
        let family: PathBuf = names.next().into_iter().collect();
        let mut families = self.0.borrow_mut();
        if !families.contains_key(&family) {
            let how = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
            let directory = open(&Path::new(ALL).join(&family), how, Mode::empty())?;
            families.insert(family.clone(), directory);
        }
        let how = how | OFlag::O_CLOEXEC;
        Ok(openat(&families[&family], names.as_path(), how, Mode::empty())?.into())
    }

    fn read(&self, key: &Path) -> io::Result<String> {
        let mut bytes = [0; LONGEST];
        // The kernel gives the whole of a value at once.
        let length = self.file(key, OFlag::O_RDONLY)?.read(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes[..length]).trim_end().to_owned())
    }

    fn write(&self, key: &Path, value: &str) -> io::Result<()> {
        self.file(key, OFlag::O_WRONLY)?.write_all(value.as_bytes())
    }

    /// Sees to it that `key` has `value`. One that cannot be written and has it already is as it should be.
    pub(crate) fn set(&self, key: &str, value: &str) -> Result<(), KernelError> {
        match self.write(Path::new(key), value) {
            Err(_) if self.read(Path::new(key)).is_ok_and(|found| found == value) => Ok(()),
            done => done.map_err(KernelError::io("write", format_args!("{ALL}/{key}"))),
        }
    }

    /// What IPv6 is like on interfaces that appear in the namespace.
    pub(crate) fn ipv6(&self) -> Ipv6 {
        match self.read(Path::new("ipv6/conf/default/disable_ipv6")).as_deref() {
            Ok("0") => Ipv6::On,
            Ok(_) => Ipv6::Off,
            Err(_) => Ipv6::Absent,
        }
    }
}

/// Sees to it that a sysctl of the host has a value.
pub(crate) fn set_here(key: &str, value: &str) -> Result<(), KernelError> {
    OWN.with(|own| own.set(key, value))
}

/// Reads a sysctl of the host, without the newline.
pub(crate) fn read_here(key: &str) -> Result<String, KernelError> {
    let read = OWN.with(|own| own.read(Path::new(key)));
    read.map_err(KernelError::io("read", format_args!("{ALL}/{key}")))
}

/// What IPv6 is like on interfaces that appear on the host.
pub(crate) fn ipv6() -> Ipv6 {
    OWN.with(Directories::ipv6)
}

/// The kernel's name for this run of the machine; empty where it has none.
pub(crate) fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    BOOT.get_or_init(|| read().trim_end().to_owned())
}

/// Writes a sysctl of an interface of the host; `key` is `ipv4/rp_filter` for its `net/ipv4/conf/NAME/rp_filter`, and `ipv4/neigh/locktime`
/// for its `net/ipv4/neigh/NAME/locktime`.
pub(crate) fn write_of(name: &KernelText, key: &str, value: &str) -> Result<(), KernelError> {
    let full = key_of(name, key)
        .ok_or_else(|| KernelError::absent(format!("net/{key} of {name}"), "no such sysctl"))?;
    let shown = format!("{ALL}/{}", full.display());
    OWN.with(|own| own.write(&full, value)).map_err(KernelError::io("write", shown))
}

/// Reads the sysctls of an interface of the host that are files of their own; those that this kernel does not have are left out.
pub(crate) fn read_of(name: &KernelText, keys: &[&str]) -> Vec<(String, String)> {
    let value = |key: &str| OWN.with(|own| own.read(&key_of(name, key)?).ok());
    keys.iter().filter_map(|key| Some(((*key).to_owned(), value(key)?))).collect()
}

fn key_of(name: &KernelText, key: &str) -> Option<PathBuf> {
    let (family, key) = key.split_once('/')?;
    let name = OsStr::from_bytes(name.as_component()?);
    let (directory, key) = match key.strip_prefix("neigh/") {
        Some(key) => ("neigh", key),
        None => ("conf", key),
    };
    Some(Path::new(family).join(directory).join(name).join(key))
}
