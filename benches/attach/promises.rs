//! What vfhook owes beyond the end state, done as cheaply as one can by hand: the device or its parent looked at, the sandbox known for
//! what it is, the lease on disk with its claims before anything is done and as attached after, the masquerade known to be there, the
//! switches of the interfaces set (whom they believe, what they pass on), the addresses announced. At the end the lease says so before,
//! and is gone after. Nothing is chosen, planned or locked.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    net::{Ipv6Addr, SocketAddrV6},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::fs::{MetadataExt as _, symlink},
    },
    path::{Path, PathBuf},
};

use nix::{
    libc,
    sys::socket::{
        AddressFamily, ControlMessage, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn6,
        bind, sendmsg, socket,
    },
};
use vfhook::{
    lease::Lease,
    plan::step::{Place, Step},
};

use crate::{
    device::Device,
    line::Line,
    messages::{HOST_END_NAME, IPV6, announcement, link},
};

pub(crate) struct Promises {
    directory: PathBuf,
    /// What the file of such a lease has in it.
    lease: Vec<u8>,
    /// The names of its claims.
    claims: Vec<String>,
    /// The switches that it has set, by file and value: on the host, and in the sandbox.
    switches: [Vec<(String, String)>; 2],
}

impl Promises {
    /// Promises that are recorded as `lease` is, in a directory of their own.
    pub(crate) fn as_in(lease: &Lease, directory: PathBuf) -> Self {
        for part in ["leases", "claims"] {
            fs::create_dir_all(directory.join(part)).expect("make a directory on our own tmpfs");
        }
        let text = serde_json::to_vec(lease).expect("a lease is JSON");
        let claims = lease.claims().iter().map(ToString::to_string).collect();
        let switches = [Place::Host, Place::Sandbox].map(|place| switches(lease, place));
        Self { directory, lease: text, claims, switches }
    }

    /// A socket that neighbours are told with over IPv6, in the calling thread's namespace.
    pub(crate) fn speaker() -> OwnedFd {
        let protocol = SockProtocol::IcmpV6;
        socket(AddressFamily::Inet6, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
            .expect("open a raw socket")
    }

    /// How many messages it took.
    pub(crate) fn before(
        &self,
        device: &Device,
        host: &Line,
        inside: &Line,
        namespace: &File,
    ) -> u64 {
        let looked = host.look(link(device.looked_at()));
        identify(inside, namespace);
        write(&self.reserving(), &self.lease);
        for claim in &self.claims {
            symlink("../leases/one", self.claim(claim)).expect("claim");
        }
        fs::rename(self.reserving(), self.file()).expect("let the claims hold");
        let (kind, _) = Line::to_netfilter().ask(&about_the_table());
        assert!(kind != 2, "there is no table");
        looked + 1
    }

    /// How many messages it took.
    pub(crate) fn after(&self, device: &Device, inside: &Line, speaker: &OwnedFd) -> u64 {
        let announced = inside.say(vec![announcement(device.index())]);
        advertise(device, speaker);
        self.rewrite();
        announced
    }

    pub(crate) fn set_switches_on_host(&self) {
        set(&self.switches[0]);
    }

    /// The thread is there.
    pub(crate) fn set_switches_inside(&self) {
        set(&self.switches[1]);
    }

    pub(crate) fn before_the_end(&self, inside: &Line, namespace: &File) {
        let found = fs::read(self.claim(&self.claims[0])).expect("the lease by a claim");
        assert!(found.len() == self.lease.len(), "it is the lease");
        identify(inside, namespace);
        self.rewrite();
    }

    pub(crate) fn after_the_end(&self) {
        fs::rename(self.file(), self.reserving()).expect("let no claim hold");
        for claim in &self.claims {
            fs::remove_file(self.claim(claim)).expect("remove a claim");
        }
        fs::remove_file(self.reserving()).expect("forget the lease");
    }

    fn rewrite(&self) {
        let next = self.directory.join("leases/one.next");
        write(&next, &self.lease);
        fs::rename(&next, self.file()).expect("replace the lease");
    }

    fn reserving(&self) -> PathBuf {
        self.directory.join("reserving")
    }

    fn file(&self) -> PathBuf {
        self.directory.join("leases/one")
    }

    fn claim(&self, name: &str) -> PathBuf {
        self.directory.join("claims").join(name)
    }
}

/// The switches that a plan sets in a place, on the interfaces that the floor makes.
fn switches(lease: &Lease, place: Place) -> Vec<(String, String)> {
    let of_place = lease.plan.steps().iter().filter_map(|planned| match &planned.step {
        Step::WriteSysctl { place: there, key, value } if *there == place => Some((key, value)),
        _ => None,
    });
    let ours = of_place.map(|(key, value)| {
        let mut parts: Vec<&str> = key.split('/').collect();
        if place == Place::Host {
            parts[2] = HOST_END_NAME;
        }
        (format!("/proc/sys/net/{}", parts.join("/")), value.clone())
    });
    ours.collect()
}

fn set(switches: &[(String, String)]) {
    for (path, value) in switches {
        fs::write(path, value).expect("set a switch");
    }
}

fn write(path: &Path, content: &[u8]) {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = made.expect("make a file on our own tmpfs");
    file.write_all(content).and_then(|()| file.sync_all()).expect("write a lease");
}

/// The namespace's cookie and inode.
fn identify(inside: &Line, namespace: &File) -> (u64, u64) {
    let mut cookie: u64 = 0;
    let mut length: libc::socklen_t = 8;
    #[expect(unsafe_code, reason = "no crate wraps SO_NETNS_COOKIE")]
    // SAFETY: `cookie` and `length` live through the call, and `length` is the size of `cookie`.
    let result = unsafe {
        libc::getsockopt(
            inside.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    assert!(result == 0 && cookie != 0, "a namespace has a cookie");
    (cookie, namespace.metadata().expect("look at a namespace").ino())
}

/// `NFT_MSG_GETTABLE` for `inet vfhook`: a header, an nfnetlink header, the name.
fn about_the_table() -> Vec<u8> {
    const GET_TABLE: u16 = 10 << 8 | 1;
    const REQUEST: u16 = 1;
    const INET: u8 = 1;
    let mut bytes = Vec::from(32_u32.to_ne_bytes());
    bytes.extend(GET_TABLE.to_ne_bytes());
    bytes.extend(REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([INET, 0, 0, 0]);
    bytes.extend(11_u16.to_ne_bytes());
    bytes.extend(1_u16.to_ne_bytes());
    bytes.extend(b"vfhook\0\0");
    bytes
}

/// An unsolicited neighbour advertisement with the override flag, the target and its link-layer address.
fn advertise(device: &Device, speaker: &OwnedFd) {
    let from = SockaddrIn6::from(SocketAddrV6::new(IPV6, 0, 0, 0));
    bind(speaker.as_raw_fd(), &from).expect("speak from the address");
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let to = SockaddrIn6::from(SocketAddrV6::new(all_nodes, 0, 0, device.index()));
    let mut message = vec![136, 0, 0, 0, 0x20, 0, 0, 0];
    message.extend(IPV6.octets());
    message.extend([2, 1]);
    message.extend(device.mac());
    let parts = [std::io::IoSlice::new(&message)];
    let control = [ControlMessage::Ipv6HopLimit(&255)];
    sendmsg(speaker.as_raw_fd(), &parts, &control, MsgFlags::empty(), Some(&to))
        .expect("advertise");
}
