//! A Kubernetes cluster of one node: its programs as they are published, none of them played. It must not know what runs on it.

use std::fs;

use serde_json::Value;

use super::command::{Invocation, cmd, eventually, script};
use super::daemon::Daemon;
use super::failure::Failure;
use crate::verdict::{CLUSTER, SHARE};

/// The node's name, which is also its host name.
pub(crate) const NODE: &str = "node1";
/// The node's own address: on an interface by which it has a default route, or kubelet takes none.
const ADDRESS: &str = "10.0.0.1";
const KUBECONFIG: &str = "/run/lab/kubeconfig";
const API: &str = "https://127.0.0.1:6443";
/// The API server by the name that its certificate has, and that certificate.
pub(crate) const SERVER: &str = "https://localhost:6443";
pub(crate) const CA: &str = "/run/lab/certificates/apiserver.crt";

/// Emulated, the API server needs a minute until it is ready, and a node as long again.
const START_SECONDS: u64 = 300;

/// Everybody is the administrator.
const CONFIG: &str = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "lab",
  "clusters": [{"name": "lab", "cluster": {"server": "https://127.0.0.1:6443", "insecure-skip-tls-verify": true}}],
  "users": [{"name": "admin", "user": {"token": "lab"}}],
  "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "admin"}}]}"#;

/// What kubelet needs to run here: control groups without systemd, and a disk that is small and thrown away. It makes no rules of its own,
/// which would be neither whole nor gone when somebody compares.
const KUBELET: &str = r#"{"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
  "cgroupDriver": "cgroupfs", "failSwapOn": false, "makeIPTablesUtilChains": false, "localStorageCapacityIsolation": false,
  "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
  "authorization": {"mode": "AlwaysAllow"},
  "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
  "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%", "imagefs.available": "1%", "nodefs.inodesFree": "1%"}}"#;

/// Makes the node's address and starts etcd, the API server, the controllers and the scheduler.
pub(crate) fn control_plane() -> Result<(), Failure> {
    fs::create_dir_all("/run/lab").map_err(Failure::file("create", "/run/lab"))?;
    let files = [
        (KUBECONFIG, CONFIG),
        ("/run/lab/tokens", "lab,admin,1,\"system:masters\"\n"),
        ("/run/lab/kubelet.json", KUBELET),
        ("/etc/hosts", "127.0.0.1 localhost\n10.0.0.1 node1\n"),
    ];
    for (path, text) in files {
        fs::write(path, text).map_err(Failure::file("write", path))?;
    }
    script(&[
        &format!("hostname {NODE}"),
        "ip link add node0 type dummy",
        &format!("ip address add {ADDRESS}/24 dev node0"),
        "ip link set node0 up",
        "ip route add default via 10.0.0.254 dev node0",
        "openssl genrsa -out /run/lab/sa.key 2048",
    ])?;
    start("etcd", "--data-dir /run/lab/etcd --unsafe-no-fsync --log-level warn")?;
    start_api_server()?;
    start(
        "kube-controller-manager",
        &format!(
            "--kubeconfig {KUBECONFIG} --service-account-private-key-file /run/lab/sa.key --leader-elect=false \
             --controllers *,-bootstrap-signer-controller,-token-cleaner-controller"
        ),
    )?;
    start("kube-scheduler", &format!("--kubeconfig {KUBECONFIG} --leader-elect=false"))
}

/// Kills the API server where it stands, and starts it anew.
pub(crate) fn restart_api_server() -> Result<(), Failure> {
    Daemon::named("kube-apiserver").end("KILL")?;
    start_api_server()
}

fn start_api_server() -> Result<(), Failure> {
    start(
        "kube-apiserver",
        &format!(
            "--etcd-servers http://127.0.0.1:2379 --service-cluster-ip-range 10.96.0.0/12 \
             --service-account-issuer https://kubernetes.default.svc --service-account-key-file /run/lab/sa.key \
             --service-account-signing-key-file /run/lab/sa.key --token-auth-file /run/lab/tokens \
             --authorization-mode Node,RBAC --cert-dir /run/lab/certificates --secure-port 6443 \
             --advertise-address {ADDRESS} --allow-privileged"
        ),
    )?;
    let ready = kubectl("get --raw /readyz");
    eventually(&format!("the API server at {API}"), START_SECONDS, || ready.ok()).map(drop)
}

/// Starts kubelet, and waits until the node is ready.
pub(crate) fn start_kubelet() -> Result<(), Failure> {
    start(
        "kubelet",
        &format!(
            "--config /run/lab/kubelet.json --kubeconfig {KUBECONFIG} --hostname-override {NODE} --node-ip {ADDRESS}"
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

/// Puts `kubectl` on the path, for the only cluster that there is.
pub(crate) fn for_people() -> Result<(), Failure> {
    let path = "/usr/local/bin/kubectl";
    let program = format!("#!/bin/sh\nexec {} \"$@\"\n", program());
    fs::write(path, program).map_err(Failure::file("write", path))?;
    cmd(&format!("chmod 755 {path}")).ok().map(drop)
}

/// The cluster's command line.
pub(crate) fn kubectl(line: &str) -> Invocation {
    cmd(&format!("{} --request-timeout 60s {line}", program()))
}

fn program() -> String {
    format!("{SHARE}/{CLUSTER}/kubectl --kubeconfig {KUBECONFIG}")
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
