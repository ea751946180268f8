//! A Kubernetes cluster whose scheduler gives VFs by claims (DRA): by a limit, by a template that selects what it wants, in two networks;
//! a pod too many waits, a stranger's claim gets nobody else's network, and nothing is left, whoever is killed.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;

use serde_json::{Value, json};

use crate::guest::Guest;
use crate::guest::agent::Agent;
use crate::guest::command::{cmd, eventually};
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, NODE, get, items, kubectl};
use crate::guest::serve::Serve;

use super::Scenario;
use super::cluster_scene::{
    self, POD_SECONDS, a_pod_too_many_waits, are_free, each_has_a_vf, no_pod_is_left, pod_spec,
    published, running_pods, scale, text,
};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "claims",
    1800,
    "a Kubernetes cluster gives VFs by claims (DRA): selected, counted, in two networks, and none by a stranger's word",
    run,
)
.prepared(prepare)
.in_cluster()
.vfs(3, 0);

/// Two networks more, of which one is not for the pods' namespace.
const MORE: &str = r#"
[[network]]
name = "backup"
pool = "fast"
interface = "net2"
addresses = ["192.168.1.16-192.168.1.250/24"]

[[network]]
name = "secret"
pool = "fast"
interface = "net3"
addresses = ["192.168.2.16-192.168.2.250/24"]
allow = { namespaces = ["team-*"] }
"#;

/// Where a container is shown what its claim of template `nic-storage` gave.
const METADATA: &str = "/var/run/kubernetes.io/dra-device-attributes/resourceclaimtemplates/nic-storage/nic/vfhook.dev-metadata.json";

/// From Kubernetes 1.36 on a limit of a class's name becomes a claim.
const RESOURCE: &str = "vfhook.dev/storage";

pub(super) fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("start a cluster");
    cluster_scene::start(&(published("dra") + MORE))?;
    Agent::admit()
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("the real kubelet knows the driver, and the scheduler three VFs");
    guest.expect(Agent::handle().start())?;
    tells(guest, 3)?;
    least_rights(guest)?;
    by_limits(guest)?;
    an_update_on_a_full_node(guest)?;
    restarts(guest)?;
    guest.step("all go");
    scale(0)?;
    no_pod_is_left(POD_SECONDS)?;
    by_templates(guest)?;
    an_update_by_templates(guest)?;
    by_a_stranger(guest)?;
    guest.step("every VF is free, and nothing is kept for anybody");
    are_free(3)?;
    nothing_is_kept()?;
    Agent::handle().stop()?;
    kubectl("delete resourceslices --all").ok().map(drop)
}

/// What whoever steals the agent's token could do with it.
fn least_rights(guest: &mut Guest) -> Result<(), Failure> {
    guest.step(
        "the agent's token tells of no other node, and reads nothing that is not its own affair",
    );
    let slice = json!({
        "apiVersion": "resource.k8s.io/v1", "kind": "ResourceSlice",
        "metadata": { "name": "forged" },
        "spec": {
            "driver": "vfhook.dev", "nodeName": "node2",
            "pool": { "name": "node2/fast", "generation": 1, "resourceSliceCount": 1 },
            "devices": [{ "name": "d" }]
        }
    });
    let forged = Agent::kubectl("create -f -")?.stdin(slice.to_string());
    guest.expect(forged.fails(1, &["its own node's devices only"]))?;
    for what in ["list secrets -A", "list pods -A", "patch nodes", "create pods", "list events -A"]
    {
        let may = Agent::kubectl(&format!("auth can-i {what}"))?;
        guest.expect(may.fails(1, &["no"]))?;
    }
    Ok(())
}

/// Four pods of three VFs.
fn by_limits(guest: &mut Guest) -> Result<(), Failure> {
    a_pod_too_many_waits(guest, RESOURCE, "cannot allocate all claims")?;
    guest.step("each claim says what its pod has");
    guest.expect(claims_say("192.168.0.", 3))
}

/// As README says it: without a spare VF none may be wanted more.
fn an_update_on_a_full_node(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("an update on a full node ends, pod by pod");
    scale(3)?;
    update(guest, "vf", 3)
}

/// Has a Deployment that has every VF make its pods anew.
fn update(guest: &mut Guest, deployment: &str, pods: usize) -> Result<(), Failure> {
    let strategy = json!({"spec": {
        "strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
        "template": {"metadata": {"annotations": {"update": "1"}}}
    }});
    let before = running_pods()?;
    kubectl(&format!("patch deployment {deployment} --type merge --patch-file /dev/stdin"))
        .stdin(strategy.to_string())
        .ok()?;
    eventually(&format!("{pods} new pods run"), 3 * POD_SECONDS, || {
        let now = running_pods()?;
        let are_new = now.len() == pods && now.is_disjoint(&before);
        if are_new { Ok(()) } else { Err(Failure::unmet("others", format!("{now:?}"))) }
    })?;
    each_has_a_vf(guest, pods)
}

fn restarts(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("kubelet, vfhook and its agent are killed under running pods");
    kubernetes::kill_kubelet()?;
    Agent::handle().kill()?;
    Serve::handle().kill()?;
    Serve::handle().start()?;
    Agent::handle().start_unseen()?;
    // It forgets all drivers, and deletes what they told.
    kubernetes::start_kubelet()?;
    guest.expect(Agent::handle().is_known())?;
    tells(guest, 3)?;
    each_has_a_vf(guest, 3)?;
    guest.step("the cluster hears again of what somebody deleted");
    kubectl("delete resourceslices --all").ok()?;
    tells(guest, 3)
}

/// Two networks by two claims, one of which selects its VF.
fn by_templates(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a pod in two networks by two claims, one of which selects");
    let selected = r#"device.attributes["vfhook.dev"].pf == "ens1f0" && device.attributes["vfhook.dev"].numaNode < 1"#;
    let attachment = json!({ "interface": "fast0", "network": "storage" });
    kubernetes::apply(&template("nic-storage", "storage", Some(selected), Some(attachment)))?;
    kubernetes::apply(&template("nic-backup", "backup", None, None))?;
    kubernetes::apply(&pod("both", &["nic-storage", "nic-backup"]))?;
    let had = eventually("its claims say what it has", POD_SECONDS, || {
        let had = interfaces()?;
        if had.len() == 2 { Ok(had) } else { Err(Failure::unmet("two", format!("{had:?}"))) }
    })?;
    let expected = BTreeSet::from(["fast0".to_owned(), "net2".to_owned()]);
    guest.check("as the claim and the class say", had == expected, format!("{had:?}"))?;
    let links = kubernetes::run_in("both", "ip link")?;
    let there = links.contains("fast0") && links.contains("net2") && links.contains("svc0");
    guest.check("its interfaces are there", there, links)?;
    let shown = kubectl(&format!("exec both -- cat {METADATA}")).ok()?.stdout;
    let claims = items("resourceclaims")?;
    let says = |ip: &Value| text(ip).starts_with("192.168.0.") && shown.contains(&text(ip));
    let ips = claims.iter().map(|claim| &claim["status"]["devices"][0]["networkData"]["ips"][0]);
    let is_whole = shown.contains("\"fast0\"") && ips.clone().any(says);
    guest.check("its container is shown interface and address", is_whole, &shown)?;
    guest.step("its service path is broken, mended, and an event of the pod says so");
    cmd("nft flush table inet vfhook").ok()?;
    let said = eventually("an event says so", POD_SECONDS, || {
        let mended = items("events.events.k8s.io")?.into_iter().find(|event| {
            event["reason"] == "AttachmentMended" && event["regarding"]["name"] == "both"
        });
        mended.ok_or_else(|| Failure::unmet("AttachmentMended of both", "none"))
    })?;
    let masquerade = text(&said["note"]).contains("masquerade");
    guest.check("it says what did not hold", masquerade, &said)?;
    kubectl("delete pod both").ok()?;
    are_free(3)
}

/// A Deployment whose pods are given a claim each by a template, which Kubernetes makes and deletes with them.
fn an_update_by_templates(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("three pods of a Deployment with a claim template, and an update of it");
    kubernetes::apply(&template("nic", "storage", None, None))?;
    let labels = json!({ "app": "templated" });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "templated" },
        "spec": {
            "replicas": 3, "selector": { "matchLabels": labels },
            "template": { "metadata": { "labels": labels }, "spec": claiming(&["nic"]) }
        }
    });
    kubernetes::apply(&deployment)?;
    eventually("three pods run", POD_SECONDS, || {
        let running = running_pods()?;
        let all = running.len() == 3;
        if all { Ok(()) } else { Err(Failure::unmet("three", format!("{running:?}"))) }
    })?;
    each_has_a_vf(guest, 3)?;
    update(guest, "templated", 3)?;
    guest.expect(claims_say("192.168.0.", 3))?;
    kubectl("delete deployment templated").ok()?;
    no_pod_is_left(POD_SECONDS)?;
    guest.expect(eventually("its claims are gone", 60, || {
        let left = items("resourceclaims")?;
        if left.is_empty() { Ok(()) } else { Err(Failure::unmet("none", json!(left))) }
    }))?;
    are_free(3)
}

/// A class for everybody, and a network that is not.
fn by_a_stranger(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("a claim that names another namespace's network gives nothing");
    let attachment = json!({ "network": "secret" });
    kubernetes::apply(&template("nic-secret", "storage", None, Some(attachment)))?;
    kubernetes::apply(&pod("stranger", &["nic-secret"]))?;
    let said = "network secret is not allowed for namespace";
    eventually("its events say why", POD_SECONDS, || {
        let events = get("events")?.to_string();
        if events.contains(said) { Ok(()) } else { Err(Failure::unmet(said, events)) }
    })?;
    guest.count();
    let runs = running_pods()?.contains("stranger");
    guest.check("it does not run", !runs, "it runs")?;
    kubectl("delete pod stranger").ok()?;
    are_free(3)
}

fn template(name: &str, class: &str, selector: Option<&str>, attachment: Option<Value>) -> Value {
    let mut exactly = json!({ "deviceClassName": class });
    if let Some(expression) = selector {
        exactly["selectors"] = json!([{ "cel": { "expression": expression } }]);
    }
    let mut devices = json!({ "requests": [{ "name": "nic", "exactly": exactly }] });
    if let Some(mut parameters) = attachment {
        parameters["apiVersion"] = "vfhook.dev/v1alpha1".into();
        parameters["kind"] = "Attachment".into();
        devices["config"] =
            json!([{ "opaque": { "driver": "vfhook.dev", "parameters": parameters } }]);
    }
    json!({
        "apiVersion": "resource.k8s.io/v1", "kind": "ResourceClaimTemplate",
        "metadata": { "name": name }, "spec": { "spec": { "devices": devices } }
    })
}

fn pod(name: &str, templates: &[&str]) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name }, "spec": claiming(templates) })
}

/// A pod with a claim by each of these templates.
fn claiming(templates: &[&str]) -> Value {
    let claim =
        |template: &&str| json!({ "name": template, "resourceClaimTemplateName": template });
    let used = |template: &&str| json!({ "name": template });
    let resources = json!({ "claims": templates.iter().map(used).collect::<Vec<_>>() });
    let mut spec = pod_spec(&resources);
    spec["resourceClaims"] = templates.iter().map(claim).collect();
    spec
}

/// The scheduler knows so many VFs of the node, none of which is withheld.
pub(super) fn tells(guest: &mut Guest, wanted: usize) -> Result<(), Failure> {
    guest.count();
    eventually(&format!("{wanted} VFs are told of"), 120, || {
        let slices = get("resourceslices")?;
        let devices = &slices["items"][0]["spec"]["devices"];
        let told = devices.as_array().map_or(0, Vec::len);
        let pool = &slices["items"][0]["spec"]["pool"]["name"];
        let tainted = devices.to_string().contains("taints");
        if told == wanted && *pool == format!("{NODE}/fast") && !tainted {
            return Ok(());
        }
        Err(Failure::unmet("so many, none tainted", slices))
    })
}

/// So many claims say an address that begins so.
fn claims_say(address: &str, wanted: usize) -> Result<(), Failure> {
    eventually(&format!("{wanted} claims say an address"), 60, || {
        let claims = items("resourceclaims")?;
        let says = |claim: &&Value| {
            let device = &claim["status"]["devices"][0];
            let ip = text(&device["networkData"]["ips"][0]);
            ip.starts_with(address) && device["conditions"][0]["type"] == "Ready"
        };
        let said = claims.iter().filter(says).count();
        if said == wanted { Ok(()) } else { Err(Failure::unmet("so many", json!(claims))) }
    })
}

/// The interfaces that all claims say.
fn interfaces() -> Result<BTreeSet<String>, Failure> {
    let claims = items("resourceclaims")?;
    let devices = claims.iter().filter_map(|claim| claim["status"]["devices"].as_array()).flatten();
    Ok(devices.map(|device| text(&device["networkData"]["interfaceName"])).collect())
}

/// No file or link in the state directory keeps a device.
pub(super) fn nothing_is_kept() -> Result<(), Failure> {
    eventually("nothing is kept", 60, || {
        for part in ["prepared", "pods", "allocations"] {
            let path = format!("/run/vfhook/{part}");
            let left = match fs::read_dir(&path) {
                Ok(entries) => entries.count(),
                // A folder is made with the first thing in it: the dice may have made no claim at all.
                Err(error) if error.kind() == ErrorKind::NotFound => 0,
                Err(error) => return Err(Failure::file("list", &path)(error)),
            };
            if left > 0 {
                return Err(Failure::unmet(format!("nothing in {path}"), left));
            }
        }
        Ok(())
    })
}
