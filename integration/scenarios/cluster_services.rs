//! Services of a real Kubernetes cluster, with the real kube-proxy in each of its modes: pods with VFs and pods without reach each other by
//! a clusterIP, by a node port, and the API server by its own. And the same on a node that has no other network plugin, where a VF's address
//! is the pod's: kubelet's probes and the node itself reach it. And a Deployment that was written for CNI-Genie, as it was written.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use crate::errand::GUEST;
use crate::guest::command::{Invocation, cmd, eventually, script};
use crate::guest::containerd::PodNetwork;
use crate::guest::failure::Failure;
use crate::guest::kubernetes::{self, Proxy, get, items, kubectl};
use crate::guest::peer::GATEWAY;
use crate::guest::{Guest, vfhook};
use crate::verdict::OCI_IMAGE_NAME;

use super::Scenario;
use super::cluster_scene::{self, CONFIG, POD_SECONDS, are_free, no_pod_is_left, text};

pub(super) const MODES: Scenario = Scenario::new(
    "cluster_services",
    1500,
    "a real kube-proxy in its three modes: pods with VFs and without reach services, both ways",
    every_mode,
)
.prepared(prepare_modes)
.in_cluster()
.vfs(3, 0)
.by_name();

pub(super) const ALONE: Scenario = Scenario::new(
    "cluster_alone",
    1200,
    "a cluster's node with no other network plugin: a VF is the pod's address, probed and served",
    without_another_plugin,
)
.prepared(prepare_alone)
.in_cluster()
.vfs(3, 0)
.by_name();

pub(super) const GENIE: Scenario = Scenario::new(
    "cluster_genie",
    1200,
    "a Deployment written for CNI-Genie and sriov-cni, word for word: eth0 of the CNI plugin, eth1 a VF, services by eth0",
    written_for_genie,
)
.prepared(prepare_genie)
.in_cluster()
.vfs(3, 0)
.by_name();

const NODE_PORT: u16 = 30080;

/// The file of hustcat's sriov-cni for which CNI-Genie had the word `sriov`.
const SRIOV_CONF: &str = r#"{
  "name": "mynet", "type": "sriov", "master": "ens1f0",
  "ipam": {
    "type": "fixipam", "subnet": "192.168.0.0/24", "gateway": "192.168.0.1", "routes": [{"dst": "0.0.0.0/0"}]
  }
}"#;
/// What the file could not say: whose word is heard, and how services are reached.
const GENIE_HEARD: &str =
    "version = 1\naccept_annotations = [\"genie\"]\ngenie = { sriov = \"mynet\" }\n";
const BY_ETH0: &str =
    "\n[service_path]\nmode = \"existing\"\ncidrs = [\"10.96.0.0/12\"]\ninterface = \"eth0\"\n";

/// The annotation that is our own.
const OURS: &str = "vfhook.dev/networks";
/// How long it may take until rules are there and a service's endpoints are chosen at random often enough.
const SERVED_SECONDS: u64 = 180;

fn prepare_modes(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("start a cluster");
    cluster_scene::start(CONFIG)?;
    guest.step("each proxy comes and goes once: it sets switches of the kernel that stay");
    for mode in Proxy::ALL {
        Proxy::start(mode)?;
        Proxy::stop()?;
    }
    Ok(())
}

fn every_mode(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("two pods with a VF by annotation, one without, and a service of all three");
    kubernetes::apply(&web("vf", 2, Some((OURS, "storage")), false))?;
    kubernetes::apply(&web("plain", 1, None, false))?;
    kubernetes::apply(&service())?;
    let all = ready(3)?;
    let vf = with(&all, "vf-")?;
    let plain = with(&all, "plain-")?;
    let (service, node) = (cluster_ip()?, GUEST.to_string());
    for mode in Proxy::ALL {
        guest.step(&format!("kube-proxy in mode {mode}"));
        Proxy::start(mode)?;
        for client in [&vf, &plain] {
            guest.expect(answer(&all, || ask(client, &service, 80)))?;
            guest.expect(answer(&all, || ask(client, &node, NODE_PORT)))?;
        }
        guest.step(&format!("the API server by its clusterIP, in mode {mode}"));
        let way = kubernetes::run_in(&vf, "ip route get 10.96.0.1")?;
        guest.check("the way to it is the service path", way.contains("dev svc0"), &way)?;
        let connect = kubectl(&format!("exec {vf} -- nc -w 20 10.96.0.1 443")).stdin("");
        guest.expect(eventually("the API server answers", SERVED_SECONDS, || connect.ok()))?;
        Proxy::stop()?;
    }
    all_go(guest)
}

fn prepare_alone(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("start a cluster whose pods have no address but a VF's");
    let alone = "interface = \"eth0\"\ngateway = [\"192.168.0.1\"]\ndefault_route = true\nhost_access = true";
    let config = CONFIG.replacen("interface = \"net1\"", alone, 1);
    cluster_scene::start_with(&config, PodNetwork::Vfhook)?;
    Proxy::start("nftables")?;
    Proxy::stop()
}

fn without_another_plugin(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("pods are ready: kubelet's probes reach the address of a VF");
    Proxy::start("nftables")?;
    kubernetes::apply(&web("vf", 3, Some((OURS, "storage@eth0")), true))?;
    kubernetes::apply(&service())?;
    let all = ready(3)?;
    guest.count();
    guest.step("the address that Kubernetes shows is the VF's");
    for pod in &all {
        let address = text(&get(&format!("pod {pod}"))?["status"]["podIP"]);
        let links = kubernetes::run_in(pod, "ip address show eth0")?;
        let is_its = address.starts_with("192.168.0.") && links.contains(&format!("{address}/24"));
        guest.check("it is", is_its, format!("{address}: {links}"))?;
    }
    guest.step("a service with VFs behind it, from a pod with one and from the node");
    let (service, client) = (cluster_ip()?, with(&all, "vf-")?);
    guest.expect(answer(&all, || ask(&client, &service, 80)))?;
    let from_node = || cmd(&format!("busybox wget -q -T 20 -O - http://{service}/"));
    guest.expect(answer(&all, from_node))?;
    guest.step("and the API server, from a pod whose only card is a VF");
    let connect = kubectl(&format!("exec {client} -- nc -w 20 10.96.0.1 443")).stdin("");
    guest.expect(eventually("the API server answers", SERVED_SECONDS, || connect.ok()))?;
    all_go(guest)?;
    Proxy::stop()
}

fn prepare_genie(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("what `vfhook import` makes of sriov-cni's file, with whom to hear and how services are reached");
    let file = "/tmp/10-sriov.conf";
    fs::write(file, SRIOV_CONF).map_err(Failure::file("write", file))?;
    let made = vfhook(&format!("import {file}")).ok()?.stdout;
    guest.step("start a cluster");
    cluster_scene::start(&(made.replacen("version = 1\n", GENIE_HEARD, 1) + BY_ETH0))?;
    // Their network plugin sees to that for pods: this one's addresses are known on the node alone.
    script(&[
        "nft add table ip outgoing",
        "nft add chain ip outgoing post { type nat hook postrouting priority 100 ; }",
        "nft add rule ip outgoing post oifname node0 ip saddr 10.244.0.0/16 masquerade",
    ])?;
    Proxy::start("nftables")?;
    Proxy::stop()
}

fn written_for_genie(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("three pods by the words of CNI-Genie, one that asks for nothing");
    Proxy::start("nftables")?;
    kubernetes::apply(&web("vf", 3, Some(("cni", "calico, sriov")), true))?;
    kubernetes::apply(&web("plain", 1, None, false))?;
    kubernetes::apply(&service())?;
    let all = ready(4)?;
    guest.count();
    for pod in all.iter().filter(|name| name.starts_with("vf-")) {
        eth0_is_the_plugins_and_eth1_a_vf(guest, pod)?;
    }
    guest.step("by the wire, from one VF to another");
    let vf: Vec<&String> = all.iter().filter(|name| name.starts_with("vf-")).collect();
    let other = kubernetes::run_in(vf[0], "ip -4 -o address show eth1")?;
    let other =
        other.split_whitespace().find_map(|word| word.strip_suffix("/24")).unwrap_or("none");
    guest.expect(kubernetes::run_in(vf[1], &format!("ping -c 1 -w 20 -I eth1 {other}")))?;
    guest.step("by eth0, to services: from a pod with a VF, and to them from one without");
    let (service, plain) = (cluster_ip()?, with(&all, "plain-")?);
    for client in [vf[0], &plain] {
        guest.expect(answer(&all, || ask(client, &service, 80)))?;
    }
    let connect = kubectl(&format!("exec {} -- nc -w 20 10.96.0.1 443", vf[0])).stdin("");
    guest.expect(eventually("the API server answers", SERVED_SECONDS, || connect.ok()))?;
    all_go(guest)?;
    Proxy::stop()
}

/// Also for Kubernetes, which shows eth0's address as the pod's.
fn eth0_is_the_plugins_and_eth1_a_vf(guest: &mut Guest, pod: &str) -> Result<(), Failure> {
    guest.step(&format!("{pod}: eth0 is the CNI plugin's, eth1 a VF, and services go by eth0"));
    let links = kubernetes::run_in(pod, "ip -o link")?;
    guest.check("lo, eth0 and eth1", links.lines().count() == 3, &links)?;
    let device = kubernetes::run_in(pod, "cat /sys/class/net/eth1/device/uevent")?;
    guest.check("eth1 is a VF", device.contains("DRIVER=igbvf\n"), &device)?;
    let address = text(&get(&format!("pod {pod}"))?["status"]["podIP"]);
    let eth0 = kubernetes::run_in(pod, "ip address show eth0")?;
    let is_eth0s = address.starts_with("10.244.") && eth0.contains(&format!("inet {address}/"));
    guest.check("the pod's address is eth0's", is_eth0s, format!("{address}: {eth0}"))?;
    for (target, interface) in [("10.96.0.10", "eth0"), ("203.0.113.9", "eth1")] {
        let way = kubernetes::run_in(pod, &format!("ip route get {target}"))?;
        let leaves = way.contains(&format!("dev {interface}"));
        guest.check(&format!("{target} by {interface}"), leaves, &way)?;
    }
    guest.expect(kubernetes::run_in(pod, &format!("ping -c 1 -w 20 {}", GATEWAY[0]))).map(drop)
}

fn all_go(guest: &mut Guest) -> Result<(), Failure> {
    guest.step("all go, and every VF is free");
    kubectl("delete deployment --all").ok()?;
    kubectl("delete service web").ok()?;
    no_pod_is_left(POD_SECONDS)?;
    are_free(3)
}

/// Pods that say their name by HTTP.
fn web(name: &str, replicas: u32, asks: Option<(&str, &str)>, probed: bool) -> Value {
    let serve = "hostname > /tmp/index.html; exec httpd -f -p 8080 -h /tmp";
    let mut container = json!({
        "name": "main", "image": OCI_IMAGE_NAME, "imagePullPolicy": "Never", "command": ["sh", "-c", serve]
    });
    if probed {
        let get = json!({ "httpGet": { "path": "/", "port": 8080 }, "timeoutSeconds": 20 });
        container["readinessProbe"] = get;
    }
    let mut meta = json!({ "labels": { "app": "web", "part": name } });
    if let Some((key, words)) = asks {
        meta["annotations"] = json!({ key: words });
    }
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "part": name } },
            "template": { "metadata": meta, "spec": {
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
                "containers": [container]
            } }
        }
    })
}

fn service() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": {
            "type": "NodePort", "selector": { "app": "web" },
            "ports": [{ "port": 80, "targetPort": 8080, "nodePort": NODE_PORT }]
        }
    })
}

fn cluster_ip() -> Result<String, Failure> {
    Ok(text(&get("service web")?["spec"]["clusterIP"]))
}

/// The pods, when so many are ready.
fn ready(wanted: usize) -> Result<BTreeSet<String>, Failure> {
    eventually(&format!("{wanted} pods are ready"), 2 * POD_SECONDS, || {
        let pods = items("pods")?;
        let is_ready = |pod: &&Value| {
            let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
        };
        let names: BTreeSet<String> =
            pods.iter().filter(is_ready).map(|pod| text(&pod["metadata"]["name"])).collect();
        if names.len() == wanted { Ok(names) } else { Err(Failure::unmet("so many", json!(pods))) }
    })
}

fn with(pods: &BTreeSet<String>, prefix: &str) -> Result<String, Failure> {
    let found = pods.iter().find(|name| name.starts_with(prefix)).cloned();
    found.ok_or_else(|| Failure::unmet(format!("a pod {prefix}"), format!("{pods:?}")))
}

/// Some questions from a pod: to begin one takes longer than to ask it.
fn ask(client: &str, address: &str, port: u16) -> Invocation {
    let all =
        format!("for i in 1 2 3 4 5 6 7 8; do wget -q -T 20 -O - http://{address}:{port}/; done");
    kubectl(&format!("exec {client} -- sh -c")).arg(all)
}

/// Asks until all of these have answered.
fn answer(all: &BTreeSet<String>, ask: impl Fn() -> Invocation) -> Result<(), Failure> {
    let mut answered = BTreeSet::new();
    eventually("each pod of the service answers", SERVED_SECONDS, || {
        answered.extend(ask().ok()?.text().lines().map(|line| line.trim().to_owned()));
        if answered == *all { Ok(()) } else { Err(Failure::unmet("all", format!("{answered:?}"))) }
    })
}
