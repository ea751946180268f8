//! Two sandboxes, one with a VF and one with a macvlan, each with the service path; and the four things that are seen of whatever is broken
//! in them: it is told, refused to new containers, mended when asked, mended without being asked. It must not know what is broken.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::guest::command::{cmd, eventually};
use crate::guest::failure::Failure;
use crate::guest::kube_proxy::{self, Masquerade, Mode, Service};
use crate::guest::output::Output;
use crate::guest::place::Netns;
use crate::guest::podman::NETWORKS;
use crate::guest::talk::{self, Protocol, Question, Reply};
use crate::guest::{Guest, configure, interface, peer, vfhook};

/// `trust` is a word to the card, which a driver that begins anew may forget.
const CONFIG: &str = r#"version = 1

[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0-1"]

[[pool]]
name = "plain"
kind = "macvlan"
pf = ["ens2f0"]

[[network]]
name = "storage"
pool = "fast"
interface = "net1"
trust = true
addresses = ["192.168.0.16-192.168.0.99/24", "fd00:10::100-fd00:10::1ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true

[[network]]
name = "shared"
pool = "plain"
interface = "net1"
addresses = ["192.168.0.100-192.168.0.199/24", "fd00:10::200-fd00:10::2ff/64"]
gateway = ["192.168.0.1", "fd00:10::1"]
default_route = true

[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12", "fd00:96::/108"]
interface = "svc0"
source = ["169.254.96.0/20", "fd00:fe::/112"]
"#;

/// Whom a sandbox reaches, and who answers: two services, and a VF on the wire.
const ANSWERS: [(Protocol, &str, &str); 5] = [
    (Protocol::Tcp, "10.96.0.10:80", "pod"),
    (Protocol::Tcp, "[fd00:96::10]:80", "pod"),
    (Protocol::Udp, "10.96.0.10:53", "pod"),
    (Protocol::Tcp, "192.168.0.2:7000", "near"),
    (Protocol::Tcp, "[fd00:10::2]:7000", "near"),
];
/// What was given answers again within this time.
const SOON: Duration = Duration::from_secs(5);
/// The sandboxes and what each is given.
pub(super) const BLUE: (&str, &str) = ("blue", "storage");
pub(super) const GREEN: (&str, &str) = ("green", "shared");

/// The wire, services and both sandboxes.
pub(super) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(CONFIG)?;
    peer::gateway()?;
    let near = peer::vf(guest.vf(0, 3)?, "near", &["192.168.0.2/24", "fd00:10::2/64"])?;
    let on_wire = [talk::address("192.168.0.2:7000")?, talk::address("[fd00:10::2]:7000")?];
    talk::start_server(&near.place(), "near", &on_wire)?;
    let pod = peer::pod("web")?;
    let in_pod = [talk::address("10.244.1.2:8080")?, talk::address("[fd00:244:1::2]:8080")?];
    talk::start_server(&pod.place(), "pod", &in_pod)?;
    // Over the legacy tables: what flushes the ruleset leaves kube-proxy's services alone, so that only ours can be what is missing.
    kube_proxy::lay(
        Mode::Legacy,
        &[
            Service::tcp("POD4", "10.96.0.10:80", &["10.244.1.2:8080"])?,
            Service::tcp("POD6", "[fd00:96::10]:80", &["[fd00:244:1::2]:8080"])?,
            Service::udp("DNS4", "10.96.0.10:53", &["10.244.1.2:8080"])?,
        ],
        Masquerade::HairpinOnly,
    )?;
    Netns::create(BLUE.0)?;
    Netns::create(GREEN.0).map(drop)
}

/// A sandbox that has what it asked for, and a process in it.
#[derive(Debug)]
pub(super) struct Sandbox {
    pub(super) name: &'static str,
    network: &'static str,
    process: u32,
}

impl Sandbox {
    /// Attaches it, and sees that it works.
    pub(super) fn attach(
        guest: &mut Guest,
        (name, network): (&'static str, &'static str),
    ) -> Result<Self, Failure> {
        vfhook(&format!("attach --netns /run/netns/{name} --network {network} --id {name}"))
            .ok()?;
        let running = Netns::named(name).cmd("sleep 100000").start()?;
        let sandbox = Self { name, network, process: running.pid() };
        eventually("the wire and the services", 15, || sandbox.answers())?;
        sandbox.is_whole(guest)?;
        Ok(sandbox)
    }

    /// Gives everything back.
    pub(super) fn detach(self) -> Result<(), Failure> {
        cmd(&format!("kill {}", self.process)).ok()?;
        vfhook(&format!("detach --id {}", self.name)).ok().map(drop)
    }

    /// Where its device is on the bus; nothing for a macvlan.
    pub(super) fn pci(&self) -> Option<String> {
        interface::pci_of(&Netns::named(self.name).place(), "net1").ok()
    }

    /// The host's end of its pair.
    pub(super) fn pair(&self) -> Result<String, Failure> {
        let status = vfhook("status --json").ok()?.json()?;
        let mut leases = status["leases"].as_array().into_iter().flatten();
        let own = leases.find(|lease| lease["id"] == self.name);
        let serial = own.and_then(|lease| lease["serial"].as_u64());
        let serial = serial.ok_or_else(|| Failure::unmet("a lease with a serial", &status))?;
        Ok(format!("vfh{:012x}", serial & 0xffff_ffff_ffff))
    }

    /// `status` tells it in these words, and no container may start.
    pub(super) fn is_broken(&self, guest: &mut Guest, words: &str) -> Result<(), Failure> {
        guest.expect(self.is_told(words))?;
        guest.expect(self.verify().and_then(|said| said.must_fail(1, &[words])))?;
        Ok(())
    }

    /// Succeeds when `status` tells it in these words.
    pub(super) fn is_told(&self, words: &str) -> Result<(), Failure> {
        let lines = attention()?;
        if lines.iter().any(|line| line.contains(self.name) && line.contains(words)) {
            return Ok(());
        }
        let what = format!("`status` says {words:?} of {}", self.name);
        Err(Failure::unmet(what, lines.join("\n")))
    }

    /// Nothing is told, a container may start, and everybody answers.
    pub(super) fn is_whole(&self, guest: &mut Guest) -> Result<(), Failure> {
        let lines = attention()?;
        guest.check("`status` tells nothing", lines.is_empty(), lines.join("\n"))?;
        guest.expect(self.verify().and_then(Output::must_succeed))?;
        guest.expect(eventually("the wire and the services", 10, || self.answers()))
    }

    /// `reconcile` mends it.
    pub(super) fn is_mended_by_hand(&self, guest: &mut Guest) -> Result<(), Failure> {
        vfhook("reconcile").ok()?;
        self.is_whole(guest)
    }

    /// It works again soon after `broken`, with nobody asking for it; how many seconds that took.
    pub(super) fn is_mended_since(
        &self,
        guest: &mut Guest,
        broken: Instant,
    ) -> Result<f64, Failure> {
        let whole = || self.verify()?.must_succeed().map(drop);
        guest.expect(eventually("what was given", SOON.as_secs(), whole))?;
        guest.expect(eventually("the wire and the services", SOON.as_secs(), || self.answers()))?;
        let took = broken.elapsed().as_secs_f64();
        guest.check("soon enough", took <= SOON.as_secs_f64(), format!("{took:.1} s"))?;
        Ok(took)
    }

    /// What `hook verify` says to a container that is to start in it.
    fn verify(&self) -> Result<Output, Failure> {
        let state = json!({
            "ociVersion": "1.0.2", "id": "late", "status": "creating", "pid": self.process,
            "bundle": "/run/lab", "annotations": { NETWORKS: self.network },
        });
        vfhook("hook verify").stdin(state.to_string()).output()
    }

    fn answers(&self) -> Result<(), Failure> {
        let question = |&(protocol, target, _): &(Protocol, &str, &str)| {
            Ok(Question { protocol, target: talk::address(target)?, bytes: 100 })
        };
        let questions = ANSWERS.iter().map(question).collect::<Result<Vec<_>, Failure>>()?;
        let replies = talk::put(&Netns::named(self.name).place(), &questions)?;
        for (reply, (_, target, server)) in replies.iter().zip(ANSWERS) {
            if !matches!(reply, Reply::Answered { by, .. } if by == server) {
                return Err(Failure::unmet(format!("{target} answers {}", self.name), reply));
            }
        }
        Ok(())
    }
}

fn attention() -> Result<Vec<String>, Failure> {
    let status = vfhook("status --json").ok()?.json()?;
    let lines = status["attention"].as_array().into_iter().flatten();
    Ok(lines.map(|line| line.as_str().unwrap_or_default().to_owned()).collect())
}
