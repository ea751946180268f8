//! Opens network namespaces, proves what they are, and works inside them. The calling thread never leaves its own.

use std::{
    fs::{File, OpenOptions},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd},
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    panic,
    path::Path,
    thread,
};

use nix::{
    errno::Errno,
    libc,
    sched::{CloneFlags, setns},
};

use super::{KernelError, netlink::Netlink};
use crate::types::{NetnsIdentity, NetnsSource};

/// The sandbox of an operation: its namespace held open, and a socket inside it.
pub(super) struct Sandbox {
    pub(super) identity: NetnsIdentity,
    pub(super) netlink: Netlink,
    namespace: File,
}

impl Sandbox {
    /// Opens the namespace at `source`; refuses what is no network namespace, and the host's.
    pub(super) fn open(source: &NetnsSource) -> Result<Self, KernelError> {
        let namespace = match source {
            NetnsSource::Path(path) => open_path(path)?,
            NetnsSource::Pid(pid) => open_pid(*pid)?,
        };
        refuse_host(&namespace, source)?;
        let opened = inside(namespace.as_fd(), || {
            Netlink::route().and_then(|netlink| Ok((cookie(&netlink)?, netlink)))
        });
        let (cookie, netlink) = opened
            .and_then(|opened| opened)
            .map_err(KernelError::refused("enter", source.to_string()))?;
        Ok(Self { identity: NetnsIdentity { cookie, source: source.clone() }, netlink, namespace })
    }

    /// Runs `work` on a thread inside the namespace.
    pub(super) fn inside<T: Send>(
        &self,
        work: impl FnOnce() -> T + Send,
    ) -> Result<T, KernelError> {
        inside(self.namespace.as_fd(), work)
            .map_err(KernelError::refused("enter", self.identity.source.to_string()))
    }

    /// The namespace's descriptor, for messages that name it.
    pub(super) fn descriptor(&self) -> i32 {
        self.namespace.as_raw_fd()
    }
}

/// The calling thread's own namespace.
pub(super) fn own() -> Result<File, KernelError> {
    let path = "/proc/thread-self/ns/net";
    File::open(path).map_err(KernelError::io("open", path))
}

/// Opens first without effect (`O_PATH`): a path from outside may lead to a device or a pipe.
fn open_path(path: &Path) -> Result<File, KernelError> {
    let shown = NetnsSource::Path(path.to_owned()).to_string();
    let not = |reason: &str| KernelError::NotASandbox {
        object: shown.clone(),
        reason: reason.to_owned(),
    };
    let found =
        OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).map_err(|error| {
            match error.raw_os_error() {
                Some(libc::ENOENT) => {
                    not("there is nothing at this path, or a link that leads nowhere")
                }
                Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => {
                    KernelError::io("open", shown.clone())(error)
                }
                _ => not(&format!("it cannot be opened: {error}")),
            }
        })?;
    let kind = found.metadata().map_err(KernelError::io("look at", shown.clone()))?.file_type();
    if kind.is_dir() {
        return Err(not("a directory, not a network namespace"));
    }
    let system = nix::sys::statfs::fstatfs(&found)
        .map_err(KernelError::refused("look at", shown.clone()))?;
    if system.filesystem_type().0 != libc::NSFS_MAGIC {
        return Err(not("not a namespace (an ordinary file; was its mount removed?)"));
    }
    let again = format!("/proc/self/fd/{}", found.as_raw_fd());
    let namespace = File::open(again).map_err(KernelError::io("open", shown.clone()))?;
    if kind_of(&namespace) != Ok(libc::CLONE_NEWNET) {
        return Err(not("a namespace of another kind, not of the network"));
    }
    Ok(namespace)
}

/// The directory of a process is bound to that very process: should the pid be reused, opening below it fails.
fn open_pid(pid: u32) -> Result<File, KernelError> {
    let object = NetnsSource::Pid(pid).to_string();
    let not = |reason: &str| KernelError::NotASandbox {
        object: object.clone(),
        reason: reason.to_owned(),
    };
    let path = format!("/proc/{pid}");
    let process =
        OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(&path);
    let process = process.map_err(|_| not("there is no such process"))?;
    let flags = nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_CLOEXEC;
    let opened = nix::fcntl::openat(&process, "ns/net", flags, nix::sys::stat::Mode::empty());
    match opened {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(Errno::ENOENT | Errno::ESRCH) => Err(not("the process has ended")),
        Err(errno) => Err(KernelError::refused("open", object.clone())(errno)),
    }
}

/// Namespaces that are alive at the same time have different inodes, so this comparison is exact.
fn refuse_host(namespace: &File, source: &NetnsSource) -> Result<(), KernelError> {
    let found = namespace.metadata().map_err(KernelError::io("look at", source.to_string()))?;
    for (whose, path) in
        [("vfhook's own", "/proc/thread-self/ns/net"), ("the host's", "/proc/1/ns/net")]
    {
        let Ok(host) = std::fs::metadata(path) else { continue };
        if (host.dev(), host.ino()) == (found.dev(), found.ino()) {
            let reason = format!("this is {whose} namespace; nothing is ever moved there");
            return Err(KernelError::NotASandbox { object: source.to_string(), reason });
        }
    }
    Ok(())
}

/// Runs `work` on a new thread that has entered `namespace`; entering is undone by the thread's end.
fn inside<T: Send>(namespace: BorrowedFd, work: impl FnOnce() -> T + Send) -> Result<T, Errno> {
    thread::scope(|scope| {
        let worker = scope.spawn(|| setns(namespace, CloneFlags::CLONE_NEWNET).map(|()| work()));
        worker.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
    })
}

nix::ioctl_none_bad!(
    /// `NS_GET_NSTYPE` of `linux/nsfs.h`: the clone flag of the namespace's kind.
    namespace_kind,
    nix::request_code_none!(0xb7, 0x3)
);

fn kind_of(namespace: &File) -> Result<i32, Errno> {
    #[expect(unsafe_code, reason = "no crate wraps NS_GET_NSTYPE")]
    // SAFETY: the descriptor is open, and this request takes no argument.
    unsafe {
        namespace_kind(namespace.as_raw_fd())
    }
}

/// The number of the namespace that a socket is in (`SO_NETNS_COOKIE`, Linux 5.14).
fn cookie(netlink: &Netlink) -> Result<u64, Errno> {
    let mut value: u64 = 0;
    let mut length: libc::socklen_t = 8;
    #[expect(unsafe_code, reason = "no crate wraps SO_NETNS_COOKIE")]
    // SAFETY: `value` and `length` live through the call, and `length` is the size of `value`.
    let result = unsafe {
        libc::getsockopt(
            netlink.descriptor(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| value)
}
