//! Services of a real Kubernetes cluster, inside: a pod with a VF reaches one whose backends are VFs card to card, with kube-proxy and without,
//! one of plain pods by the pair, and one of both in fair shares; and so it goes on when nobody tells of services any more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::guest::agent::Agent;
use crate::guest::command::{cmd, eventually, script};
use crate::guest::counters::Packets;
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, Proxy, get, kubectl};
use crate::guest::place::Place;
use crate::guest::{Guest, vfhook};
use crate::verdict::{OCI_IMAGE_NAME, SHARE};

use super::Scenario;
use super::cluster_scene::{
    self, CONFIG, POD_SECONDS, are_free, no_pod_is_left, running_pods, text,
};

pub(super) const SCENARIO: Scenario = Scenario::new(
    "cluster_inside",
    1500,
    "a real cluster's services become backends where a pod connects: VFs card to card, plain pods by the pair, both in fair shares",
    run,
)
.prepared(prepare)
.in_cluster()
.vfs(3, 0)
.by_name();

/// Where what the cluster's services are is handed over.
const HANDED: &str = "/run/vfhook/services/kubernetes";

/// How long it may take from a change in the cluster until sandboxes follow.
const FOLLOWS_SECONDS: u64 = 60;

/// Connections that are shared out, and by how much of its share each backend's may differ.
const CONNECTIONS: u32 = 10_000;
const TOLERANCE: u32 = 20;

/// Packets of sandboxes that the host forwards: from and to their pairs and their VFs.
const COUNTED: [&str; 4] = [
    "nft add table inet counted",
    "nft add chain inet counted forward { type filter hook forward priority -300 ; }",
    "nft add rule inet counted forward ip saddr { 169.254.96.0/20, 192.168.0.0/24 } counter",
    "nft add rule inet counted forward ip daddr { 169.254.96.0/20, 192.168.0.0/24 } counter",
];

fn prepare(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("start a cluster");
    let pods = "cidrs = [\"10.96.0.0/12\", \"10.244.0.0/16\"]";
    let config = CONFIG.replacen("mode = \"veth\"", "mode = \"both\"", 1).replacen(
        "cidrs = [\"10.96.0.0/12\"]",
        pods,
        1,
    );
    cluster_scene::start(&config)?;
    Agent::admit_to_services()?;
    guest.step("the proxy and the agent come and go once: what they leave is part of both dumps");
    Proxy::start("nftables")?;
    Proxy::stop()?;
    Agent::handle().start()?;
    eventually("no service is handed over", FOLLOWS_SECONDS, || handed("")).map(drop)?;
    Agent::handle().stop()?;
    script(&COUNTED)
}

fn run(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("three pods with a VF, of which two serve, and one without");
    Agent::handle().start()?;
    for (part, replicas, has_vf) in [("wired", 2, true), ("client", 1, true), ("plain", 1, false)] {
        kubernetes::apply(&deployment(part, replicas, has_vf))?;
    }
    kubernetes::apply(&service("wired", &json!({ "part": "wired" })))?;
    kubernetes::apply(&service("plain", &json!({ "part": "plain" })))?;
    kubernetes::apply(&service("mixed", &json!({ "serves": "yes" })))?;
    let pods = eventually("four pods run", 2 * POD_SECONDS, || {
        let pods = running_pods()?;
        if pods.len() == 4 { Ok(pods) } else { Err(Failure::unmet("four", format!("{pods:?}"))) }
    })?;
    let client = client(&pods)?;
    let [wired, plain, mixed] = ["wired", "plain", "mixed"].map(cluster_ip);
    let (wired, plain, mixed) = (wired?, plain?, mixed?);
    let own: BTreeSet<String> = vf_addresses("wired-")?.into_iter().collect();
    guest.step("no kube-proxy: VFs by their service, and the host sees no packet");
    guest.expect(eventually("both serve", FOLLOWS_SECONDS, || serves(&client, &wired, &own)))?;
    card_to_card(guest, &client, &wired, &pods)?;
    guest.step("the same beside kube-proxy, and plain pods by the pair");
    Proxy::start("nftables")?;
    card_to_card(guest, &client, &wired, &pods)?;
    let over_pair = passed(&client)?;
    let answer = guest
        .expect(eventually("a plain pod answers", FOLLOWS_SECONDS, || ask(&client, &plain)))?;
    guest.check("it is the plain pod", answer.starts_with("plain-"), &answer)?;
    let passed = passed(&client)?.since(over_pair);
    guest.check("by the pair", passed.sent > 3 && passed.received > 3, format!("{passed:?}"))?;
    guest.step("a service of both: each backend has its share");
    fair_shares(guest, &client, &mixed, &own)?;
    guest.step("a backend goes, and nobody is sent to it any more");
    kubectl("scale deployment wired --replicas 1").ok()?;
    let left = eventually("one serves", POD_SECONDS, || {
        let left: BTreeSet<String> = vf_addresses("wired-")?.into_iter().collect();
        if left.len() != 1 {
            return Err(Failure::unmet("one", format!("{left:?}")));
        }
        serves(&client, &wired, &left)?;
        Ok(left)
    })?;
    guest.step("nobody tells of services any more: what there is goes on");
    Agent::handle().kill()?;
    guest.expect(serves(&client, &wired, &left))?;
    guest.expect(ask(&client, &wired))?;
    all_go(guest)
}

fn all_go(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("all go, and every VF is free");
    Agent::handle().start()?;
    kubectl("delete service wired plain mixed").ok()?;
    kubectl("delete deployment --all").ok()?;
    no_pod_is_left(POD_SECONDS)?;
    are_free(3)?;
    eventually("no service is handed over", FOLLOWS_SECONDS, || handed(""))?;
    guest.expect(eventually("no pod's address is told", FOLLOWS_SECONDS, || {
        let told = get("podaddresses")?;
        let none = told["items"][0]["spec"]["pods"] == json!([]);
        if none { Ok(()) } else { Err(Failure::unmet("none", told)) }
    }))?;
    Agent::handle().stop()?;
    Proxy::stop()
}

/// Sixteen questions, of which no packet takes the pair or is forwarded.
fn card_to_card(
    guest: &mut Guest,
    client: &Place,
    service: &str,
    pods: &BTreeSet<String>,
) -> Result<(), Failure> {
    let (pair, host) = (passed(client)?, forwarded()?);
    let mut answered = BTreeSet::new();
    for _ in 0..16 {
        answered.insert(guest.expect(ask(client, service))?);
    }
    let wired: BTreeSet<String> =
        pods.iter().filter(|name| name.starts_with("wired-")).cloned().collect();
    guest.check("each answers", answered == wired, format!("{answered:?}"))?;
    let after = passed(client)?;
    guest.check("no packet on svc0", after == pair, format!("{pair:?} {after:?}"))?;
    let after = forwarded()?;
    guest.check("none forwarded", after == host, format!("{host:?} {after:?}"))
}

/// Each of three backends has a third, and each answers.
fn fair_shares(
    guest: &mut Guest,
    client: &Place,
    service: &str,
    own: &BTreeSet<String>,
) -> Result<(), Failure> {
    let plain = eventually("the plain pod is one of three", FOLLOWS_SECONDS, || {
        let chosen = chosen(client, service, 300)?;
        let others: Vec<&String> = chosen.keys().filter(|one| !own.contains(*one)).collect();
        match others.as_slice() {
            [plain] if chosen.len() == 3 => Ok((*plain).clone()),
            _ => Err(Failure::unmet("three", format!("{chosen:?}"))),
        }
    })?;
    guest.check("by its own address", plain.starts_with("10.244."), &plain)?;
    let shares = chosen(client, service, CONNECTIONS)?;
    let share = CONNECTIONS / 3;
    let is_fair = |count: &u32| count.abs_diff(share) <= share / TOLERANCE;
    guest.check("within 5 %", shares.values().all(is_fair), format!("{shares:?}"))?;
    let mut answered = BTreeSet::new();
    for _ in 0..24 {
        answered.insert(guest.expect(ask(client, service))?);
    }
    guest.check("all of them answer", answered.len() == 3, format!("{answered:?}"))
}

/// The service's backends are chosen by these addresses, and no others.
fn serves(client: &Place, service: &str, wanted: &BTreeSet<String>) -> Result<(), Failure> {
    let chosen: BTreeSet<String> = chosen(client, service, 60)?.into_keys().collect();
    if chosen == *wanted {
        return Ok(());
    }
    Err(Failure::unmet(format!("{wanted:?}"), format!("{chosen:?}")))
}

/// How often each address was chosen of so many sockets that connected to the service.
fn chosen(client: &Place, service: &str, times: u32) -> Result<BTreeMap<String, u32>, Failure> {
    let counted = client.cmd(&format!("{SHARE}/bin/guest udp-chosen {service}:53 {times}")).ok()?;
    serde_json::from_str(counted.text()).map_err(|error| {
        Failure::unmet("counted addresses", format!("{error}: {}", counted.text()))
    })
}

/// Who answers.
fn ask(client: &Place, service: &str) -> Result<String, Failure> {
    let answer = client.cmd(&format!("busybox wget -q -T 20 -O - http://{service}/")).ok()?;
    Ok(answer.text().trim().to_owned())
}

fn passed(client: &Place) -> Result<Packets, Failure> {
    Packets::read(client, "svc0")
}

fn forwarded() -> Result<Vec<String>, Failure> {
    let listed = cmd("nft list chain inet counted forward").ok()?.stdout;
    let counts = listed.split("packets ").skip(1).filter_map(|rest| rest.split(' ').next());
    Ok(counts.map(str::to_owned).collect())
}

fn handed(wanted: &str) -> Result<(), Failure> {
    let said = std::fs::read_to_string(HANDED).map_err(Failure::file("read", HANDED))?;
    if said.trim() == format!(r#"{{"version":1,"service":[{wanted}]}}"#) {
        return Ok(());
    }
    Err(Failure::unmet("just that", said))
}

fn client(pods: &BTreeSet<String>) -> Result<Place, Failure> {
    let name = pods.iter().find(|name| name.starts_with("client-"));
    let name = name.ok_or_else(|| Failure::unmet("a client", format!("{pods:?}")))?;
    let leases = leases()?;
    let own = leases.iter().find(|lease| lease["pod"] == name.as_str());
    let path = own.map(|lease| text(&lease["netns"]["source"]["path"])).unwrap_or_default();
    let file = path.rsplit('/').next().filter(|file| !file.is_empty());
    let file = file.ok_or_else(|| Failure::unmet("its namespace", json!(leases)))?;
    Ok(Place::Named(file.to_owned()))
}

fn vf_addresses(prefix: &str) -> Result<Vec<String>, Failure> {
    let is_meant = |lease: &&Value| text(&lease["pod"]).starts_with(prefix);
    let address = |lease: &Value| {
        let address = text(&lease["networks"][0]["addresses"][0]);
        address.split('/').next().unwrap_or_default().to_owned()
    };
    Ok(leases()?.iter().filter(is_meant).map(address).collect())
}

fn leases() -> Result<Vec<Value>, Failure> {
    let status = vfhook("status --json").ok()?.json()?;
    Ok(status["leases"].as_array().cloned().unwrap_or_default())
}

fn cluster_ip(service: &str) -> Result<String, Failure> {
    Ok(text(&get(&format!("service {service}"))?["spec"]["clusterIP"]))
}

/// Pods that say their name by HTTP, or only sleep.
fn deployment(part: &str, replicas: u32, has_vf: bool) -> Value {
    let serves = part != "client";
    let work = if serves {
        "hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp"
    } else {
        "exec sleep 100000"
    };
    let mut meta =
        json!({ "labels": { "part": part, "serves": if serves { "yes" } else { "no" } } });
    if has_vf {
        meta["annotations"] = json!({ "vfhook.dev/networks": "storage" });
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": part },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "part": part } },
            "template": { "metadata": meta, "spec": {
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
                "containers": [{
                    "name": "main", "image": OCI_IMAGE_NAME, "imagePullPolicy": "Never",
                    "command": ["sh", "-c", work]
                }]
            } }
        }
    })
}

fn service(name: &str, selector: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
        "spec": { "selector": selector, "ports": [
            { "name": "http", "port": 80, "targetPort": 8080 },
            { "name": "count", "port": 53, "targetPort": 5353, "protocol": "UDP" }
        ] }
    })
}
