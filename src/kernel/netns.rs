//! Opens network namespaces, proves what they are, and works inside them. Nothing else enters one, and a thread that did is back in its
//! own before anything else is done.

use std::{
    fs::{self, File, OpenOptions},
    marker::PhantomData,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

use nix::{
    errno::Errno,
    libc,
    sched::{CloneFlags, setns},
};

use crate::kernel::{KernelError, netlink::socket::Netlink, sysctl::Directories};
use crate::types::{NetnsIdentity, NetnsSource};

/// The sandbox of an operation: its namespace held open, a socket that was made there, and the way back. It stays with the thread that
/// opened it, whose own namespace it knows.
pub(super) struct Sandbox {
    pub(super) identity: NetnsIdentity,
    pub(super) netlink: Netlink,
    pub(super) sysctls: Directories,
    namespace: File,
    own: File,
    of_this_thread: PhantomData<*const ()>,
}

impl Sandbox {
    /// Opens the namespace at `source`; refuses what is no network namespace, and the host's.
    pub(super) fn open(source: &NetnsSource) -> Result<Self, KernelError> {
        let namespace = match source {
            NetnsSource::Path(path) => open_path(path)?,
            NetnsSource::Pid(pid) => open_pid(*pid)?,
        };
        let own = own()?;
        refuse_host(&namespace, &own, source)?;
        let opened = inside(&namespace, &own, || {
            Netlink::route().and_then(|netlink| Ok((cookie(&netlink)?, netlink)))
        });
        let (cookie, netlink) = opened.and_then(|opened| opened).map_err(|errno| match errno {
            Errno::ENOPROTOOPT => too_old(source),
            errno => KernelError::refused("enter", source.to_string())(errno),
        })?;
        let identity = NetnsIdentity { cookie, source: source.clone() };
        let sysctls = Directories::default();
        Ok(Self { identity, netlink, sysctls, namespace, own, of_this_thread: PhantomData })
    }

    /// Runs `work` inside the namespace.
    pub(super) fn inside<T>(&self, work: impl FnOnce() -> T) -> Result<T, KernelError> {
        inside(&self.namespace, &self.own, work)
            .map_err(|errno| KernelError::refused("enter", self.identity.source.to_string())(errno))
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

fn open_path(path: &Path) -> Result<File, KernelError> {
    let shown = NetnsSource::Path(path.to_owned()).to_string();
    proven(&look(path, &shown)?, &shown)
}

/// Opens without effect (`O_PATH`): a path from outside may lead to a device or a pipe.
fn look(path: &Path, shown: &str) -> Result<File, KernelError> {
    OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).map_err(|error| match error
        .raw_os_error()
    {
        Some(libc::ENOENT) => {
            not_one(shown, "there is nothing at this path, or a link that leads nowhere")
        }
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM) => KernelError::io("open", shown)(error),
        _ => not_one(shown, &format!("it cannot be opened: {error}")),
    })
}

/// Opens what was looked at, whatever its path leads to by now, if it is a network namespace.
fn proven(found: &File, shown: &str) -> Result<File, KernelError> {
    let kind = found.metadata().map_err(KernelError::io("look at", shown))?.file_type();
    if kind.is_dir() {
        return Err(not_one(shown, "a directory, not a network namespace"));
    }
    let system =
        nix::sys::statfs::fstatfs(found).map_err(KernelError::refused("look at", shown))?;
    if system.filesystem_type().0 != libc::NSFS_MAGIC {
        return Err(not_one(shown, "not a namespace (an ordinary file; was its mount removed?)"));
    }
    let again = format!("/proc/self/fd/{}", found.as_raw_fd());
    let namespace = File::open(again).map_err(KernelError::io("open", shown))?;
    if kind_of(&namespace) != Ok(libc::CLONE_NEWNET) {
        return Err(not_one(shown, "a namespace of another kind, not of the network"));
    }
    Ok(namespace)
}

fn open_pid(pid: u32) -> Result<File, KernelError> {
    let shown = NetnsSource::Pid(pid).to_string();
    namespace_of(&process(pid, &shown)?, &shown)
}

/// The directory of a process is bound to that very process: should the pid be reused, opening below it fails.
fn process(pid: u32, shown: &str) -> Result<File, KernelError> {
    let path = format!("/proc/{pid}");
    let process =
        OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_DIRECTORY).open(&path);
    process.map_err(|_| not_one(shown, "there is no such process"))
}

fn namespace_of(process: &File, shown: &str) -> Result<File, KernelError> {
    let flags = nix::fcntl::OFlag::O_RDONLY | nix::fcntl::OFlag::O_CLOEXEC;
    let opened = nix::fcntl::openat(process, "ns/net", flags, nix::sys::stat::Mode::empty());
    match opened {
        Ok(descriptor) => Ok(File::from(descriptor)),
        Err(Errno::ENOENT | Errno::ESRCH) => Err(not_one(shown, "the process has ended")),
        Err(errno) => Err(KernelError::refused("open", shown)(errno)),
    }
}

fn too_old(source: &NetnsSource) -> KernelError {
    let reason = "this kernel has no cookies of network namespaces (SO_NETNS_COOKIE), by which vfhook knows them again; \
                  Linux 5.14 and later have them";
    KernelError::Lacking { object: source.to_string(), reason: reason.to_owned() }
}

/// Whether this kernel numbers its network namespaces.
pub(super) fn has_cookies(netlink: &Netlink) -> bool {
    cookie(netlink) != Err(Errno::ENOPROTOOPT)
}

fn not_one(shown: &str, reason: &str) -> KernelError {
    KernelError::NotASandbox { object: shown.to_owned(), reason: reason.to_owned() }
}

/// Namespaces that are alive at the same time have different inodes, so this comparison is exact.
fn refuse_host(namespace: &File, own: &File, source: &NetnsSource) -> Result<(), KernelError> {
    let look =
        |file: &File| file.metadata().map_err(KernelError::io("look at", source.to_string()));
    let (found, own) = (look(namespace)?, look(own)?);
    let first = fs::metadata("/proc/1/ns/net").ok();
    for (whose, host) in [("vfhook's own", Some(own)), ("the host's", first)] {
        let Some(host) = host else { continue };
        if (host.dev(), host.ino()) == (found.dev(), found.ino()) {
            let reason = format!("this is {whose} namespace; nothing is ever moved there");
            return Err(KernelError::NotASandbox { object: source.to_string(), reason });
        }
    }
    Ok(())
}

/// Runs `work` in a namespace. The thread is back in its own when this returns or unwinds.
fn inside<T>(namespace: &File, own: &File, work: impl FnOnce() -> T) -> Result<T, Errno> {
    setns(namespace, CloneFlags::CLONE_NEWNET)?;
    let _back = Back(own);
    Ok(work())
}

/// Takes the thread back to its own namespace.
struct Back<'a>(&'a File);

impl Drop for Back<'_> {
    /// Whoever went on from here would take the sandbox for the host.
    fn drop(&mut self) {
        if let Err(errno) = setns(self.0, CloneFlags::CLONE_NEWNET) {
            tracing::error!(%errno, "cannot leave the sandbox's network namespace; ending at once");
            std::process::abort();
        }
    }
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
            netlink.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| value)
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::symlink,
        process::{Child, Command},
    };

    use super::*;

    fn sleeper() -> Child {
        Command::new("sleep").arg("60").spawn().unwrap()
    }

    fn end(mut process: Child) {
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// A process with the number of one that has ended. Others start processes too, so it takes some tries.
    fn successor(pid: u32) -> Child {
        for _ in 0..1000 {
            fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
            let process = sleeper();
            if process.id() == pid {
                return process;
            }
            end(process);
        }
        panic!("somebody else has pid {pid}");
    }

    #[test]
    fn a_pid_that_another_process_took_between_look_and_open_is_refused() {
        let first = sleeper();
        let pid = first.id();
        let looked_at = process(pid, "it").unwrap();
        assert!(namespace_of(&looked_at, "it").is_ok());
        end(first);
        let second = successor(pid);
        let refused = namespace_of(&looked_at, "it").unwrap_err();
        assert!(refused.to_string().contains("the process has ended"), "{refused}");
        // The number alone would have led to it.
        assert!(open_pid(pid).is_ok());
        end(second);
    }

    #[test]
    fn a_path_that_is_swapped_between_look_and_open_leads_to_what_was_looked_at() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("blue");
        let own = |kind: &str| format!("/proc/thread-self/ns/{kind}");
        symlink(own("net"), &path).unwrap();
        let looked_at = look(&path, "it").unwrap();
        for other in [own("mnt"), "/dev/zero".to_owned(), place.path().display().to_string()] {
            fs::remove_file(&path).unwrap();
            symlink(&other, &path).unwrap();
            let opened = proven(&looked_at, "it").unwrap();
            let inode = |file: &File| file.metadata().unwrap().ino();
            assert_eq!(inode(&opened), fs::metadata(own("net")).unwrap().ino());
            assert!(open_path(&path).is_err(), "{other}");
        }
    }
}
