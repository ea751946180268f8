//! A network namespace for a container that is still to be made, as its runtime would make it. It is kept by a file of this process alone,
//! also when that becomes another program: so it ends with the runtime, unless a container is in it by then.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd},
    path::{Path, PathBuf},
    process, thread,
};

use netlink_packet_route::{
    RouteNetlinkMessage,
    link::{LinkFlags, LinkMessage},
};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, FdFlag, fcntl},
    sched::{CloneFlags, unshare},
};

use super::{netlink::socket::Netlink, netns};

/// The loopback interface's number, in every namespace (`net/core/dev.c`, `LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// A namespace that nothing is in.
#[derive(Debug)]
pub struct MadeNetns(File);

impl MadeNetns {
    /// Makes one whose loopback interface is up: runtimes bring it up only in a namespace that they make themselves.
    pub fn make() -> io::Result<Self> {
        let made = thread::scope(|scope| scope.spawn(namespace).join());
        made.unwrap_or_else(|_| Err(io::Error::other("the thread that was to make it ended")))
            .map(Self)
    }

    /// Where this process, and whoever runs beside it, finds the namespace.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd()))
    }

    /// Whether a path is one of those that [`Self::path`] gives, of whatever process.
    pub fn was_at(path: &Path) -> bool {
        let mut parts = path.strip_prefix("/proc").into_iter().flat_map(Path::iter);
        let is_number = |part: Option<&std::ffi::OsStr>| {
            let text = part.and_then(std::ffi::OsStr::to_str);
            text.is_some_and(|text| text.parse::<u32>().is_ok())
        };
        is_number(parts.next())
            && parts.next().is_some_and(|part| part == "fd")
            && is_number(parts.next())
            && parts.next().is_none()
    }

    /// Lets the program that this process becomes have it, under the same path.
    pub fn pass_on(self) -> io::Result<()> {
        fcntl(self.0.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).map_err(io::Error::from)?;
        // Closed when that program ends.
        std::mem::forget(self);
        Ok(())
    }
}

fn namespace() -> io::Result<File> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(io::Error::from)?;
    bring_up_loopback().map_err(io::Error::from)?;
    netns::own().map_err(|error| {
        error.errno().map_or_else(|| io::Error::other(error.to_string()), io::Error::from)
    })
}

fn bring_up_loopback() -> Result<(), Errno> {
    let mut message = LinkMessage::default();
    message.header.index = LOOPBACK;
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
    let mut netlink = Netlink::route()?;
    netlink.change(RouteNetlinkMessage::SetLink(message), 0).map_err(|refusal| refusal.errno)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::MetadataExt, process::Command};

    use super::*;

    #[test]
    fn it_is_another_namespace_with_its_loopback_up_and_ends_with_its_file() {
        let made = MadeNetns::make().unwrap();
        let path = made.path();
        assert!(MadeNetns::was_at(&path));
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_ne!(inode(&path), inode(Path::new("/proc/self/ns/net")));
        let shown = Command::new("nsenter")
            .arg(format!("--net={}", path.display()))
            .args(["ip", "-br", "link"])
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(shown.lines().count() == 1 && shown.contains("LOOPBACK,UP"), "{shown}");
        drop(made);
        assert!(!path.exists());
    }

    #[test]
    fn only_the_program_that_it_is_passed_on_to_has_it() {
        let (kept, passed) = (MadeNetns::make().unwrap(), MadeNetns::make().unwrap());
        let own = |made: &MadeNetns| {
            let number = made.path().file_name().unwrap().to_str().unwrap().to_owned();
            format!("/proc/self/fd/{number}")
        };
        let (kept_at, passed_at) = (own(&kept), own(&passed));
        passed.pass_on().unwrap();
        let has = |path: &str| Command::new("test").args(["-e", path]).status().unwrap().success();
        assert!(has(&passed_at));
        assert!(!has(&kept_at));
    }

    #[test]
    fn paths_of_others_are_known_as_such() {
        for other in [
            "/run/netns/blue",
            "/proc/7/ns/net",
            "/proc/self/fd/7",
            "/proc/7/fd/7/x",
            "/proc/7/fd",
            "/x/proc/7/fd/7",
        ] {
            assert!(!MadeNetns::was_at(Path::new(other)), "{other}");
        }
        assert!(MadeNetns::was_at(Path::new("/proc/7/fd/12")));
    }
}
