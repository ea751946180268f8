//! What is killed and who comes next: shapes of what a sandbox may ask for, the commands, what must hold after a recovery. It must not draw
//! lots.

use std::fs;
use std::path::{Path, PathBuf};

use crate::guest::command::{Invocation, cmd, eventually};
use crate::guest::daemon::Daemon;
use crate::guest::failure::Failure;
use crate::guest::kill_point;
use crate::guest::place::Netns;
use crate::guest::{Guest, VFHOOK, configure, confined, vfhook};

const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]

[[pool]]
name = "plain"
kind = "macvlan"
pf = ["ens2f0"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
mtu = 1400
vlan = { id = 100, qos = 1 }
trust = true
addresses = ["192.168.0.16-192.168.0.250/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true

[[network]]
name = "backup"
pool = "fast"
interface = "net2"
addresses = ["192.168.9.16-192.168.9.250/24"]

[[network]]
name = "shared"
pool = "plain"
interface = "net3"
addresses = ["192.168.8.16-192.168.8.250/24"]

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:fe::/112"]
"#;

const SOCKET: &str = "/run/lab/nobody-listens.sock";
const LEASES: &str = "/run/vfhook/leases";

/// What a sandbox asks for, and how.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    /// Words for `attach`; nothing where a runtime asks for the pod's address.
    asks: &'static str,
}

pub(super) const SHAPES: [Shape; 5] = [
    Shape { name: "a VF", asks: "--network storage --no-service-path" },
    Shape { name: "a VF and the service path", asks: "--network storage" },
    Shape { name: "two VFs and the service path", asks: "--network storage --network backup" },
    Shape { name: "a macvlan and the service path", asks: "--network shared" },
    Shape { name: "the reporter of a pod's address, over a VF", asks: "" },
];

/// What is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Attach,
    Detach,
}

/// Who comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Attach,
    Detach,
    Reconcile,
    Serve,
}

impl Next {
    pub(super) const ALL: [Self; 4] = [Self::Attach, Self::Detach, Self::Reconcile, Self::Serve];
}

pub(super) fn prepare(_guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    kill_point::install()?;
    Netns::create("blue").map(drop)
}

/// Lays the configuration down again, after another one.
pub(super) fn usual() -> Result<(), Failure> {
    configure(CONFIG)
}

/// The command of the release.
pub(super) fn command(shape: &Shape, act: Act) -> Invocation {
    by(VFHOOK, shape, act)
}

/// The command of the program that can die.
pub(super) fn doomed(shape: &Shape, act: Act) -> Invocation {
    by(kill_point::PROGRAM, shape, act)
}

fn by(program: &str, shape: &Shape, act: Act) -> Invocation {
    let program = &confined(program);
    let cni = |verb: &str| {
        let network =
            r#"{"cniVersion":"1.0.0","name":"pods","type":"vfhook","networks":"storage@eth0"}"#;
        cmd(program)
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", "blue")
            .env("CNI_NETNS", "/run/netns/blue")
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", "/opt/cni/bin")
            .stdin(network)
    };
    match act {
        Act::Attach if shape.asks.is_empty() => cni("ADD"),
        Act::Detach if shape.asks.is_empty() => cni("DEL"),
        Act::Attach => {
            cmd(&format!("{program} attach --netns /run/netns/blue --id blue {}", shape.asks))
        }
        Act::Detach => cmd(&format!("{program} detach --id blue")),
    }
}

/// `next` comes and does what it is for; nothing is half done after that.
pub(super) fn recover(shape: &Shape, next: Next) -> Result<(), Failure> {
    match next {
        Next::Attach => command(shape, Act::Attach).ok().map(drop)?,
        Next::Detach => command(shape, Act::Detach).ok().map(drop)?,
        Next::Reconcile => vfhook("reconcile").ok().map(drop)?,
        Next::Serve => serve(VFHOOK, None).map(drop)?,
    }
    nothing_is_half_done()
}

/// The same, but that it dies at that moment of its own; whether it did.
pub(super) fn recover_doomed(shape: &Shape, next: Next, at: u32) -> Result<bool, Failure> {
    let program = kill_point::PROGRAM;
    let command = match next {
        Next::Attach => doomed(shape, Act::Attach),
        Next::Detach => doomed(shape, Act::Detach),
        Next::Reconcile => cmd(&format!("{} reconcile", confined(program))),
        Next::Serve => return serve(program, Some(at)),
    };
    Ok(kill_point::kill(command, at)?.is_some())
}

/// The daemon starts, looks at the leases, and is ended when there is nothing more to do. Whether it died before.
fn serve(program: &str, at: Option<u32>) -> Result<bool, Failure> {
    let daemon = Daemon::named("vfhook-serve");
    let variables = at.map(kill_point::variables);
    let line = format!("{} serve --nri-socket {SOCKET} --log info", confined(program));
    daemon.start(&line, variables.as_ref().map_or(&[], |both| &both[..]))?;
    let process = format!("/proc/{}", daemon.pid()?);
    eventually("the leases as serve keeps them", 30, || {
        if at.is_some() && !Path::new(&process).exists() { Ok(()) } else { nothing_is_half_done() }
    })?;
    // What died by itself is no process to end.
    let _ = daemon.signal("KILL");
    eventually("the end of serve", 10, || {
        if Path::new(&process).exists() {
            return Err(Failure::unmet("no such process", &process));
        }
        Ok(())
    })?;
    Ok(at.is_some() && kill_point::moment().is_some())
}

/// Names, addresses and routes in the sandbox, without what comes and goes with the carrier.
pub(super) fn inside() -> Result<Vec<String>, Failure> {
    let ip = |line: &str| Netns::named("blue").cmd(line).ok();
    let links = ip("ip -br address")?;
    let mut found: Vec<String> = links.stdout.lines().map(link).collect();
    for line in ["ip -4 route", "ip -6 route"] {
        let routes = ip(line)?;
        let settled = routes.stdout.lines().filter(|route| !route.starts_with("fe80:"));
        found.extend(settled.map(|route| route.replace(" linkdown", "").trim().to_owned()));
    }
    found.sort();
    Ok(found)
}

/// A line about an interface, without its peer's number, its state, and the address that it makes itself.
fn link(line: &str) -> String {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap_or_default().split('@').next().unwrap_or_default();
    let addresses = words.skip(1).filter(|address| !address.starts_with("fe80:"));
    std::iter::once(name).chain(addresses).collect::<Vec<_>>().join(" ")
}

/// No sandbox has anything.
pub(super) fn no_lease() -> Result<(), Failure> {
    none("no lease", &leases().collect::<Vec<_>>())
}

/// No lease is on its way, and nothing is left of one.
pub(super) fn nothing_is_half_done() -> Result<(), Failure> {
    let mut found: Vec<PathBuf> = leases()
        // What a lease was to become goes with it.
        .filter(|path| path.extension().is_none_or(|extension| extension != "next"))
        .filter(|path| {
            fs::read_to_string(path).is_ok_and(|text| !text.contains("\"state\":\"attached\""))
        })
        .collect();
    let reserving = PathBuf::from("/run/vfhook/reserving");
    found.extend(Some(reserving).filter(|path| path.exists()));
    none("nothing is half done", &found)
}

fn leases() -> impl Iterator<Item = PathBuf> {
    fs::read_dir(LEASES).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn none(what: &str, found: &[PathBuf]) -> Result<(), Failure> {
    if found.is_empty() {
        return Ok(());
    }
    let found: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
    Err(Failure::unmet(what, found.join(" ")))
}
