//! The node of a Kubernetes cluster whose control plane is on the lab's host: its programs as they are published, none of them played. It
//! must not know what runs on it.

use std::fs;

use serde_json::Value;

use super::command::{Invocation, cmd, eventually, script};
use super::daemon::Daemon;
use super::failure::Failure;
use crate::errand::{API_PORT, GUEST, HOST};
use crate::verdict::{CERTIFICATES, CLUSTER, SHARE};

/// The node's name, which is also its host name.
pub(crate) const NODE: &str = "node1";
const KUBECONFIG: &str = "/run/lab/kubeconfig";

/// Emulated, a node needs a minute until it is ready.
const START_SECONDS: u64 = 300;

/// What kubelet needs to run here: control groups without systemd, and a disk that is small and thrown away. It makes no rules of its own,
/// which would be neither whole nor gone when somebody compares.
const KUBELET: &str = r#"{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
  "cgroupDriver": "cgroupfs", "failSwapOn": false, "makeIPTablesUtilChains": false, "localStorageCapacityIsolation": false,
  "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
  "authorization": {"mode": "AlwaysAllow"},
  "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
  "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"}}"#;

/// The API server by an address that its certificate has.
pub(crate) fn server() -> String {
    format!("https://{HOST}:{API_PORT}")
}

/// The API server's certificate.
pub(crate) fn certificate() -> String {
    format!("{SHARE}/{CERTIFICATES}/apiserver.crt")
}

/// Gives the node its name and its way to the control plane.
pub(crate) fn join() -> Result<(), Failure> {
    fs::create_dir_all("/run/lab").map_err(Failure::file("create", "/run/lab"))?;
    let files = [
        (KUBECONFIG, config()),
        ("/run/lab/kubelet.json", KUBELET.to_owned()),
        ("/etc/hosts", format!("127.0.0.1 localhost\n{GUEST} {NODE}\n")),
    ];
    for (path, text) in files {
        fs::write(path, text).map_err(Failure::file("write", path))?;
    }
    cmd("modprobe virtio_net").ok()?;
    let card = eventually("the card by which the host is reached", 20, card)?;
    script(&[
        &format!("hostname {NODE}"),
        &format!("ip link set {card} name node0"),
        &format!("ip address add {GUEST}/24 dev node0"),
        "ip link set node0 up",
        &format!("ip route add default via {HOST} dev node0"),
    ])
}

/// The interface of the only card that is not one with VFs.
fn card() -> Result<String, Failure> {
    let driver = "/sys/bus/virtio/drivers/virtio_net";
    let names = cmd("sh -c").arg(format!("ls {driver}/virtio*/net")).ok()?;
    Ok(names.text().trim().to_owned())
}

/// Everybody on the node is the administrator.
fn config() -> String {
    let server = server();
    format!(
        r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "lab",
  "clusters": [{{"name": "lab", "cluster": {{"server": "{server}", "insecure-skip-tls-verify": true}}}}],
  "users": [{{"name": "admin", "user": {{"token": "lab"}}}}],
  "contexts": [{{"name": "lab", "context": {{"cluster": "lab", "user": "admin"}}}}]}}"#
    )
}

/// Kills the API server where it stands, and starts it anew.
pub(crate) fn restart_api_server() -> Result<(), Failure> {
    cmd(&format!("{SHARE}/bin/guest restart-api-server")).ok().map(drop)
}

/// Starts kubelet, and waits until the node is ready.
pub(crate) fn start_kubelet() -> Result<(), Failure> {
    start(
        "kubelet",
        &format!(
            "--config /run/lab/kubelet.json --kubeconfig {KUBECONFIG} --hostname-override {NODE} --node-ip {GUEST}"
        ),
    )?;
    eventually("the node's readiness", START_SECONDS, || {
        let node = get(&format!("node {NODE}"))?;
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let is_ready = |one: &Value| one["type"] == "Ready" && one["status"] == "True";
        if conditions.iter().any(is_ready) {
            return Ok(());
        }
        Err(Failure::unmet("it is ready", node["status"]["conditions"].to_string()))
    })
}

/// Kills kubelet where it stands. Pods go on.
pub(crate) fn kill_kubelet() -> Result<(), Failure> {
    Daemon::named("kubelet").end("KILL")
}

/// Puts `kubectl` on the path, for the only cluster that there is: itself, which can do more than run to its end.
pub(crate) fn for_people() -> Result<(), Failure> {
    let path = "/usr/local/bin/kubectl";
    let program =
        format!("#!/bin/sh\nexec {SHARE}/{CLUSTER}/kubectl --kubeconfig {KUBECONFIG} \"$@\"\n");
    fs::write(path, program).map_err(Failure::file("write", path))?;
    cmd(&format!("chmod 755 {path}")).ok().map(drop)
}

/// The cluster's command line, which the host runs: it reads no file of the guest.
pub(crate) fn kubectl(line: &str) -> Invocation {
    cmd(&format!("{SHARE}/bin/guest kubectl --request-timeout 60s {line}"))
}

/// What a command in a pod's container writes, once it succeeds: a pod has its addresses before its container runs, and kubelet runs before it
/// can be asked.
pub(crate) fn run_in(pod: &str, line: &str) -> Result<String, Failure> {
    let command = kubectl(&format!("exec {pod} -- {line}"));
    eventually(&format!("{line} in {pod}"), 60, || Ok(command.ok()?.stdout))
}

/// Objects of the cluster, such as `pods` or `node node1`.
pub(crate) fn get(what: &str) -> Result<Value, Failure> {
    kubectl(&format!("get -o json {what}")).ok()?.json()
}

/// All objects of a kind.
pub(crate) fn items(kind: &str) -> Result<Vec<Value>, Failure> {
    let listed = get(kind)?;
    let items = listed["items"].as_array().cloned();
    items.ok_or_else(|| Failure::unmet(format!("a list of {kind}"), listed))
}

/// Makes or changes an object.
pub(crate) fn apply(object: &Value) -> Result<(), Failure> {
    kubectl("apply -f -").stdin(object.to_string()).ok().map(drop)
}

fn start(name: &'static str, arguments: &str) -> Result<(), Failure> {
    Daemon::named(name).start(&format!("{SHARE}/{CLUSTER}/{name} {arguments}"), &[])
}

/// `kube-proxy`, which makes services what they are on the node.
#[derive(Debug)]
pub(crate) struct Proxy;

impl Proxy {
    /// The modes that it has.
    pub(crate) const ALL: [&str; 3] = ["nftables", "iptables", "ipvs"];

    /// Starts it in a mode, and waits until its first rules are there.
    pub(crate) fn start(mode: &str) -> Result<(), Failure> {
        start(
            "kube-proxy",
            &format!(
                "--kubeconfig {KUBECONFIG} --hostname-override {NODE} --proxy-mode {mode} --cluster-cidr 10.244.0.0/16 \
                 --conntrack-max-per-core 0 --healthz-bind-address 127.0.0.1:10256 -v 2"
            ),
        )?;
        let healthy = cmd("busybox wget -q -T 5 -O - http://127.0.0.1:10256/healthz");
        eventually("kube-proxy's first rules", START_SECONDS, || healthy.ok()).map(drop)
    }

    /// Ends it, and has it take away its rules.
    pub(crate) fn stop() -> Result<(), Failure> {
        Daemon::named("kube-proxy").end("TERM")?;
        // It may find a chain of its own busy, and take it away the next time.
        let cleanup = cmd(&format!("{SHARE}/{CLUSTER}/kube-proxy --cleanup"));
        eventually("the end of kube-proxy's rules", 60, || cleanup.ok())?;
        // What iptables makes for its rules, and leaves behind them.
        let tables = "for family in ip ip6; do for table in filter nat mangle raw; do \
                      nft delete table $family $table 2> /dev/null; done; done; true";
        cmd("sh -c").arg(tables).ok().map(drop)
    }
}
