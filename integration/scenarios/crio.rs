//! CRI-O's hooks, played: `config.json` and state as CRI-O 1.36 writes them for a pod's own container and its workload containers, with
//! the hooks that it injects, over a real crun and a real runc. A team's network is the team's, whatever another pod's author writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::guest::command::eventually;
use crate::guest::failure::Failure;
use crate::guest::interface;
use crate::guest::oci_runtime::Bundle;
use crate::guest::place::Netns;
use crate::guest::podman::{HOOKS, NETWORKS};
use crate::guest::{Guest, configure, peer, probe, vfhook};
use crate::verdict::SHARE;

use super::runtime_annotations::{Annotations, Names, Writer};
use super::{CONFIG, Scenario};

pub(super) const SCENARIO: Scenario =
    Scenario::new("crio", 420, "CRI-O's hooks, played: namespaces enforced, not forgeable", run)
        .prepared(prepare);

/// Beside the usual network, one of a team.
pub(super) const TEAMS: &str = r#"
[[network]]
name = "private"
pool = "fast"
interface = "net1"
addresses = ["192.168.8.16-192.168.8.250/24"]
allow = { namespaces = ["team-*"] }
"#;

/// An address on the team's network.
pub(super) const NEAR: &str = "192.168.8.2";

/// The pod that others want to pass for.
const VICTIM: Names<'static> =
    Names { container: "7f", sandbox: "70", pod: "payroll", namespace: "team-a" };

/// A pod whose network namespace `pinns` has made.
struct Pod {
    runtime: &'static str,
    netns: Netns,
    sandbox: String,
    namespace: &'static str,
    author: Annotations,
}

pub(super) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    configure(&format!("{CONFIG}{TEAMS}"))?;
    peer::gateway()?;
    peer::vf(guest.vf(0, 3)?, "near", &[&format!("{NEAR}/24")]).map(drop)
}

/// What an author of `evil` may write, by what it is meant to look like.
pub(super) fn forgeries() -> Vec<(String, Annotations)> {
    let none = Annotations::new();
    let whole =
        [Writer::CriOSandbox, Writer::CriOWorkload, Writer::ContainerdWorkload].map(|writer| {
            (format!("all that is written in {writer:?}"), writer.write(VICTIM, &none, &none))
        });
    let keys = [
        ("io.kubernetes.cri-o.Namespace", "team-a"),
        ("io.kubernetes.pod.namespace", "team-a"),
        ("io.kubernetes.cri.sandbox-namespace", "team-a"),
        ("io.kubernetes.cri.container-type", "sandbox"),
        ("io.container.manager", "libpod"),
    ];
    let single = keys.map(|(key, value)| {
        (format!("{key}={value}"), Annotations::from([(key.to_owned(), value.to_owned())]))
    });
    whole.into_iter().chain(single).collect()
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    for runtime in ["crun", "runc"] {
        honest(guest, runtime)?;
        forged(guest, runtime)?;
    }
    Ok(())
}

fn honest(guest: &mut Guest, runtime: &'static str) -> Result<(), Failure> {
    guest.step(&format!("a pod of the team over {runtime}: its own container gets nothing yet"));
    let pod = Pod::create(runtime, "team-a", "10", asking("private"))?;
    let own = pod.own_container()?;
    let place = pod.netns.place();
    guest.check("no net1", interface::pci_of(&place, "net1").is_err(), "there is one")?;
    let verify = |state: &Value| vfhook("hook verify").stdin(state.to_string());
    guest.expect(verify(&own.state("10")?).ok())?;
    guest.step("its first workload container attaches");
    let first = pod.start("11")?;
    guest.expect(interface::pci_of(&place, "net1"))?;
    guest.expect(probe::ping(&place, NEAR))?;
    guest.expect(verify(&first.state("11")?).ok())?;
    guest.step("its second finds it there, and keeps it when the first ends");
    let second = pod.start("12")?;
    end(&first, "11")?;
    guest.expect(probe::ping(&place, NEAR))?;
    guest.expect(verify(&second.state("12")?).ok())?;
    end(&second, "12")?;
    guest.check("it is gone", interface::pci_of(&place, "net1").is_err(), "net1 is there")?;
    end(&own, "10")?;
    pod.netns.delete()?;
    guest.must_be_as_before("after the pod")
}

fn forged(guest: &mut Guest, runtime: &'static str) -> Result<(), Failure> {
    let nothing = ("nothing".to_owned(), Annotations::new());
    for (what, lie) in [nothing].into_iter().chain(forgeries()) {
        guest.step(&format!("a pod of another namespace over {runtime} whose author adds {what}"));
        let mut author = asking("private");
        author.extend(lie);
        let pod = Pod::create(runtime, "evil", "20", author)?;
        let bundle = pod.workload("21")?;
        let output = bundle.run("21").output()?;
        guest.check("it does not start", output.status != Some(0), &output.stdout)?;
        // crun throws away what hooks say: it tells only which one failed.
        let reasons: &[&str] =
            if runtime == "crun" { &["/usr/bin/vfhook"] } else { &["annotation", "not allowed"] };
        let said = reasons.iter().any(|reason| output.stderr.contains(reason));
        guest.check("its reason is told", said, &output.stderr)?;
        bundle.cmd("delete --force 21").output()?;
        pod.netns.delete()?;
        guest.is_as_before()?;
    }
    Ok(())
}

fn asking(network: &str) -> Annotations {
    BTreeMap::from([(NETWORKS.to_owned(), network.to_owned())])
}

/// Ends a container as CRI-O does.
fn end(bundle: &Bundle, id: &str) -> Result<(), Failure> {
    bundle.cmd(&format!("kill {id} KILL")).ok()?;
    eventually("a state of stopped", 20, || {
        bundle.cmd(&format!("state {id}")).ok()?.must_say(&["stopped"]).map(drop)
    })?;
    bundle.cmd(&format!("delete {id}")).ok().map(drop)
}

impl Pod {
    fn create(
        runtime: &'static str,
        namespace: &'static str,
        sandbox: &str,
        author: Annotations,
    ) -> Result<Self, Failure> {
        let netns = Netns::create("6a1f7c1e-0b55-4c6e-9d0c-7f7d0e2f4b11")?;
        Ok(Self { runtime, netns, sandbox: sandbox.to_owned(), namespace, author })
    }

    fn names<'a>(&'a self, container: &'a str) -> Names<'a> {
        Names { container, sandbox: &self.sandbox, pod: "guest", namespace: self.namespace }
    }

    /// The pod's own container, which runs. CRI-O injects no hooks into it.
    fn own_container(&self) -> Result<Bundle, Failure> {
        let id = &self.sandbox;
        let written = Writer::CriOSandbox.write(self.names(id), &self.author, &Annotations::new());
        let bundle =
            Bundle::written(self.runtime, id, |config| Self::lay_out(config, id, &written))?;
        bundle.run(id).ok()?;
        Ok(bundle)
    }

    /// A workload container, with the hooks whose `when` it meets.
    fn workload(&self, id: &str) -> Result<Bundle, Failure> {
        let written = Writer::CriOWorkload.write(self.names(id), &self.author, &Annotations::new());
        let mut hooks = json!({});
        for name in HOOKS {
            let path = Path::new(SHARE).join("hooks").join(name);
            let text = fs::read(&path).map_err(Failure::file("read", &path))?;
            let file: Value = serde_json::from_slice(&text)
                .map_err(|error| Failure::unmet(format!("{name} is JSON"), error))?;
            let stage = file["stages"][0].as_str().unwrap_or_default();
            hooks[stage] = json!([file["hook"]]);
        }
        Bundle::written(self.runtime, id, |config| {
            Self::lay_out(config, id, &written);
            config["hooks"] = hooks;
        })
    }

    fn start(&self, id: &str) -> Result<Bundle, Failure> {
        let bundle = self.workload(id)?;
        bundle.run(id).ok()?;
        Ok(bundle)
    }

    /// Where CRI-O puts a container where systemd makes no cgroups, and the namespaces that `pinns` keeps for the pod.
    fn lay_out(config: &mut Value, id: &str, annotations: &Annotations) {
        let netns = "/var/run/netns/6a1f7c1e-0b55-4c6e-9d0c-7f7d0e2f4b11";
        config["annotations"] = json!(annotations);
        config["linux"]["cgroupsPath"] = json!(format!("/kubepods/besteffort/pod6a1f/crio-{id}"));
        config["linux"]["namespaces"] = json!([
            { "type": "pid" },
            { "type": "network", "path": netns },
            { "type": "ipc" },
            { "type": "uts" },
            { "type": "mount" },
            { "type": "cgroup" },
        ]);
    }
}
