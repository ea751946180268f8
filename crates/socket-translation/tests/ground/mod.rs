//! Ground of a test's own, on this machine: a mount namespace with a cgroup2 and a bpffs, network namespaces on one wire, and sockets in them.
//! Needs root. What it makes goes with the process.

#![expect(
    dead_code,
    unsafe_code,
    clippy::unwrap_used,
    clippy::unwrap_in_result,
    clippy::expect_used,
    clippy::panic,
    reason = "a test takes what it needs, and does what strangers do"
)]

pub(crate) mod raw;

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd,
    path::PathBuf,
    process::Command,
    thread,
    time::Duration,
};

use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};
use socket_translation::{Backend, Capacity, Place, Protocol, Service, Translation};

/// Directories with file systems of their own, and a cgroup that this thread, and all that it starts, is in.
pub(crate) struct Ground {
    pub(crate) place: Place,
    directory: tempfile::TempDir,
}

impl Ground {
    /// For the calling thread, which from here on has mounts of its own.
    pub(crate) fn new() -> Self {
        unshare(CloneFlags::CLONE_NEWNS).expect("tests of the socket need root");
        let none: Option<&str> = None;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str, kind: &str| {
            let path = directory.path().join(name);
            fs::create_dir(&path).unwrap();
            mount(Some(kind), &path, Some(kind), MsFlags::empty(), none).unwrap();
            path
        };
        let root = make("cgroup", "cgroup2");
        let bpffs = make("bpf", "bpf");
        let cgroup =
            root.join(format!("vfhook-test-{}-{:?}", std::process::id(), thread::current().id()));
        fs::create_dir(&cgroup).unwrap();
        Self { place: Place { cgroup, bpffs }, directory }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("cgroup")
    }

    /// This process is in the cgroup from here on: a cgroup has processes, with all of their threads.
    pub(crate) fn enter(&self) {
        fs::write(self.place.cgroup.join("cgroup.procs"), std::process::id().to_string()).unwrap();
    }

    pub(crate) fn install(&self) -> Translation {
        Translation::install(&self.place, &Capacity::default())
            .unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::write(self.root().join("cgroup.procs"), std::process::id().to_string());
        let _ = fs::remove_dir(&self.place.cgroup);
        for name in ["bpf", "cgroup"] {
            let _ = umount2(&self.directory.path().join(name), MntFlags::MNT_DETACH);
        }
    }
}

/// A network namespace, held by this.
pub(crate) struct Net {
    file: File,
    pub(crate) cookie: u64,
}

impl Net {
    /// One with only a loopback, up, that has these addresses too.
    pub(crate) fn new(addresses: &[&str]) -> Self {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let made = thread::spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            ip(&["link", "set", "lo", "up"]);
            for address in &addresses {
                let nodad: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
                ip(&[&["address", "add", address, "dev", "lo"], nodad].concat());
            }
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        let file = made.join().unwrap();
        let cookie = within(&file, || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            nix::sys::socket::getsockopt(&socket, Cookie).unwrap()
        });
        Self { file, cookie }
    }

    /// Does `work` in it, on a thread of its own.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        within(&self.file, work)
    }

    /// A server that says who it is over TCP and UDP, at this address, for as long as the test lasts.
    pub(crate) fn serve(&self, name: &str, at: &str) {
        let at: SocketAddr = at.parse().unwrap();
        let (name, udp_name) = (name.to_owned(), name.to_owned());
        let (listener, socket) =
            self.run(move || (TcpListener::bind(at).unwrap(), UdpSocket::bind(at).unwrap()));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = stream.and_then(|mut stream| stream.write_all(name.as_bytes()));
            }
        });
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((_, from)) = socket.recv_from(&mut buffer) {
                let _ = socket.send_to(udp_name.as_bytes(), from);
            }
        });
    }
}

fn within<T: Send + 'static>(file: &File, work: impl FnOnce() -> T + Send + 'static) -> T {
    let file = file.try_clone().unwrap();
    let thread = thread::spawn(move || {
        setns(file.as_fd(), CloneFlags::CLONE_NEWNET).unwrap();
        work()
    });
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// `SO_NETNS_COOKIE`.
#[derive(Clone, Copy)]
struct Cookie;

impl nix::sys::socket::GetSockOpt for Cookie {
    type Val = u64;

    fn get<F: AsFd>(&self, socket: &F) -> nix::Result<u64> {
        use std::os::fd::AsRawFd;
        let (mut value, mut length) = (0_u64, 8_u32);
        // SAFETY: the kernel writes 8 bytes, as many as there are.
        let done = unsafe {
            nix::libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                nix::libc::SOL_SOCKET,
                71,
                (&raw mut value).cast(),
                &raw mut length,
            )
        };
        nix::errno::Errno::result(done).map(|_| value)
    }
}

pub(crate) fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().unwrap();
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A service at `address:port` with backends `address:port` of weight 1.
pub(crate) fn service(at: &str, protocol: Protocol, backends: &[&str]) -> Service {
    let at: SocketAddr = at.parse().unwrap();
    let backend = |text: &&str| {
        let at: SocketAddr = text.parse().unwrap();
        Backend { address: at.ip(), port: at.port(), weight: 1 }
    };
    Service {
        address: at.ip(),
        port: at.port(),
        protocol,
        backends: backends.iter().map(backend).collect(),
        affinity: None,
    }
}

/// Who answers there over TCP, and whom the socket believes to talk to.
pub(crate) fn ask_tcp(at: &str) -> std::io::Result<(String, SocketAddr)> {
    let at: SocketAddr = at.parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&at, Duration::from_secs(2))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let peer = stream.peer_addr()?;
    let mut name = String::new();
    stream.read_to_string(&mut name)?;
    Ok((name, peer))
}

/// Who answers a socket that is not connected, and from where it hears so.
pub(crate) fn ask_udp(socket: &UdpSocket, at: &str) -> std::io::Result<(String, SocketAddr)> {
    let at: SocketAddr = at.parse().unwrap();
    socket.send_to(b"who", at)?;
    heard(socket)
}

pub(crate) fn heard(socket: &UdpSocket) -> std::io::Result<(String, SocketAddr)> {
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut buffer = [0; 64];
    let (length, from) = socket.recv_from(&mut buffer)?;
    Ok((String::from_utf8_lossy(&buffer[..length]).into_owned(), from))
}

/// Runs `test`, the one called `name`, in a process of its own: it has mounts and a cgroup that are nobody else's.
pub(crate) fn alone(name: &str, test: fn(&Ground)) {
    const SAYS: &str = "SOCKET_TRANSLATION_TEST";
    if std::env::var_os(SAYS).is_some() {
        let ground = Ground::new();
        ground.enter();
        return test(&ground);
    }
    let itself = std::env::current_exe().unwrap();
    let done = Command::new(itself)
        .args(["--exact", name, "--nocapture"])
        .env(SAYS, "alone")
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
}

/// A client and servers on one wire. The client is `10.0.0.1` and `fd00::1`; the servers are one namespace with `10.0.0.11` to 13 and `fd00::11` to 13.
pub(crate) fn wire() -> (Net, Net) {
    let (client, servers) = (Net::new(&[]), Net::new(&[]));
    let file = servers.file.try_clone().unwrap();
    client.run(move || {
        use std::os::fd::AsRawFd;
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        ip(&["link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &path]);
        up(&["10.0.0.1/24", "fd00::1/64"]);
    });
    servers.run(|| {
        up(&[
            "10.0.0.11/24",
            "10.0.0.12/24",
            "10.0.0.13/24",
            "fd00::11/64",
            "fd00::12/64",
            "fd00::13/64",
        ]);
    });
    (client, servers)
}

fn up(addresses: &[&str]) {
    ip(&["link", "set", "wire", "up"]);
    for address in addresses {
        let nodad: &[&str] = if address.contains(':') { &["nodad"] } else { &[] };
        ip(&[&["address", "add", address, "dev", "wire"], nodad].concat());
    }
}
