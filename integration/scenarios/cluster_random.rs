//! Pods with claims come, go and are killed at random in a cluster, and so are kubelet, containerd, the API server and vfhook's two programs
//! under them: no VF is ever two pods', and in the end all are free and nothing is kept.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::{Value, json};

use crate::guest::agent::Agent;
use crate::guest::containerd::{Containerd, Edition};
use crate::guest::dice::Dice;
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, items, kubectl};
use crate::guest::serve::Serve;
use crate::guest::{Guest, save, vfhook};
use crate::verdict::FIGURES_FILE;

use super::Scenario;
use super::claims::{self, nothing_is_kept, tells};
use super::cluster_scene::{POD_SECONDS, are_free, no_pod_is_left, pod_spec, text};

pub(super) const SHORT: Scenario = Scenario::new(
    "cluster_random",
    1800,
    "10 random creations, deletions and kills of pods with claims, and of all that is under them",
    |guest| run(guest, 10),
)
.prepared(claims::prepare)
.in_cluster()
.on_two_processors()
.vfs(3, 0);

pub(super) const FULL: Scenario = Scenario::new(
    "cluster_random_full",
    7200,
    "100 random creations, deletions and kills of pods with claims, and of all that is under them",
    |guest| run(guest, 100),
)
.prepared(claims::prepare)
.in_cluster()
.on_two_processors()
.vfs(3, 0)
.by_name();

/// More pods than VFs: some wait.
const PODS: u32 = 5;

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Create,
    Delete,
    /// At once, whatever it does.
    Force,
    Kubelet,
    Containerd,
    ApiServer,
    Serve,
    Agent,
}

/// Pods come and go more often than what is under them dies.
const ALL: [Happening; 13] = [
    Happening::Create,
    Happening::Create,
    Happening::Create,
    Happening::Create,
    Happening::Delete,
    Happening::Delete,
    Happening::Delete,
    Happening::Force,
    Happening::Kubelet,
    Happening::Containerd,
    Happening::ApiServer,
    Happening::Serve,
    Happening::Agent,
];

fn run(guest: &mut Guest, events: u32) -> Result<(), Failure> {
    guest.expect(Agent::handle().start())?;
    tells(guest, 3)?;
    let (mut dice, began) = (Dice::new(guest.seed), Instant::now());
    let mut happened = Vec::new();
    for number in 1..=events {
        let Some(happening) = dice.one_of(&ALL) else { break };
        guest.step(&format!("{number} of {events}: {happening:?}"));
        happen(&mut dice, happening, number)?;
        happened.push(happening);
        // Long enough for some of it, too short for all.
        std::thread::sleep(std::time::Duration::from_secs(u64::from(dice.number(8))));
        no_vf_is_given_twice(guest)?;
    }
    guest.step("all go");
    kubectl("delete pods --all --grace-period 1 --wait=false").ok()?;
    no_pod_is_left(4 * POD_SECONDS)?;
    are_free(3)?;
    nothing_is_kept()?;
    tells(guest, 3)?;
    Agent::handle().stop()?;
    kubectl("delete resourceslices --all").ok()?;
    let kinds: BTreeSet<Happening> = happened.iter().copied().collect();
    let counted = kinds.iter().map(|kind| {
        let times = happened.iter().filter(|one| *one == kind).count();
        format!("{kind:?} {times}")
    });
    let counted: Vec<String> = counted.collect();
    let (seconds, seed) = (began.elapsed().as_secs(), guest.seed);
    let figures = format!(
        "{events} events in {seconds} s: {}; VFs given twice 0 (seed {seed})",
        counted.join(", ")
    );
    save(FIGURES_FILE, &figures)
}

fn happen(dice: &mut Dice, happening: Happening, number: u32) -> Result<(), Failure> {
    match happening {
        Happening::Create => {
            if names()?.len() < PODS as usize {
                kubernetes::apply(&pod(&format!("p{number}")))?;
            }
            Ok(())
        }
        Happening::Delete => delete(dice, "--grace-period 1"),
        Happening::Force => delete(dice, "--grace-period 0 --force"),
        Happening::Kubelet => {
            kubernetes::kill_kubelet()?;
            kubernetes::start_kubelet()
        }
        Happening::Containerd => {
            Containerd::handle(Edition::Two).kill()?;
            Containerd::handle(Edition::Two).start()
        }
        Happening::ApiServer => kubernetes::restart_api_server(),
        Happening::Serve => {
            Serve::handle().kill()?;
            Serve::handle().start()
        }
        Happening::Agent => {
            Agent::handle().kill()?;
            Agent::handle().start()
        }
    }
}

fn delete(dice: &mut Dice, how: &str) -> Result<(), Failure> {
    let names = names()?;
    if names.is_empty() {
        return Ok(());
    }
    let name = &names[dice.index(names.len())];
    kubectl(&format!("delete pod {name} {how} --wait=false --ignore-not-found")).ok().map(drop)
}

fn names() -> Result<Vec<String>, Failure> {
    Ok(items("pods")?.iter().map(|pod| text(&pod["metadata"]["name"])).collect())
}

/// By the leases, and by what the pods that run say of themselves.
fn no_vf_is_given_twice(guest: &mut Guest) -> Result<(), Failure> {
    let status = vfhook("status --json").ok()?.json()?;
    let leases = status["leases"].as_array().cloned().unwrap_or_default();
    let devices: Vec<String> =
        leases.iter().map(|lease| text(&lease["networks"][0]["device"])).collect();
    let different: BTreeSet<&String> = devices.iter().collect();
    guest.check("no VF is given twice", different.len() == devices.len(), &status)?;
    let claims = items("resourceclaims")?;
    let given: Vec<String> = claims
        .iter()
        .filter_map(|claim| {
            claim["status"]["allocation"]["devices"]["results"][0]["device"].as_str()
        })
        .map(str::to_owned)
        .collect();
    let different: BTreeSet<&String> = given.iter().collect();
    guest.check("nor by the scheduler", different.len() == given.len(), json!(claims))
}

fn pod(name: &str) -> Value {
    let spec = pod_spec(&json!({ "limits": { "vfhook.dev/storage": "1" } }));
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": spec })
}
