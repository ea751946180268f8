//! VFs that claims are given (DRA): a cluster is told of them, kubelet has claims prepared, and their pods have what the scheduler chose. The
//! test plays the API server's and kubelet's sides of the wire; real ones are in the lab.

use std::{path::PathBuf, process::Command};

use crate::cluster_support::{
    api_server::ApiServer,
    claims::{Driver, allocated, path},
};
use crate::netns_support::{
    card::{Cards, vf},
    command::Running,
    eventually::becomes,
    host::Host,
    node::{connected, daemon, listen, on_a_node, pod, signal},
    sandbox::Sandbox,
};
use containerd_nri::{
    Event, PodSandbox,
    fake::{FakeRuntime, NriVersion, Outcome, Peer},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const CONFIG: &str = r#"version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["p0"]
publish = "dra"
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.16-192.168.0.250/24"]
[[network]]
name = "secret"
pool = "fast"
interface = "net2"
allow = { namespaces = ["team-b"] }
"#;

/// The parent of macvlan devices beside them.
const PARENT: &str = r#"[[pool]]
name = "shared"
kind = "macvlan"
pf = ["lan0"]
publish = "dra"
[[network]]
name = "lan"
pool = "shared"
interface = "lan1"
addresses = ["192.168.5.16-192.168.5.250/24"]
"#;

/// The names of the VFs in a slice.
const ALL: [&str; 3] = ["0000-01-10-0", "0000-01-10-1", "0000-01-10-2"];

/// A node of a cluster: a host with VFs, a runtime, and both of vfhook's programs.
struct Node<'a> {
    host: &'a Host,
    _cards: Cards<'a>,
    _runtime: FakeRuntime,
    api: ApiServer,
    serve: Running,
    agent: Running,
}

impl<'a> Node<'a> {
    async fn start(host: &'a Host, api: ApiServer) -> (Self, Peer, Driver) {
        Self::start_with(host, api, CONFIG).await
    }

    async fn start_with(host: &'a Host, api: ApiServer, config: &str) -> (Self, Peer, Driver) {
        host.ip(&["link set lo up", "link add lan0 type veth peer name lan0p", "link set lan0 up"]);
        let cards = Cards::usual(host, 3);
        host.configure(config);
        std::fs::write(host.directory.join("token"), "a-token\n").unwrap();
        let runtime = listen(host, NriVersion::V0_12);
        let serve = Running::start(&mut daemon(host), "");
        let peer = connected(&runtime, &[]).await;
        let agent = Running::start(&mut agent(host, &api), "");
        let driver = Driver::introduced(&kubelet(host)).await;
        (Self { host, _cards: cards, _runtime: runtime, api, serve, agent }, peer, driver)
    }

    /// Kills the agent and starts another.
    async fn restart_agent(self) -> (Self, Driver) {
        signal(&self.agent, Signal::SIGKILL);
        self.agent.wait();
        let agent = Running::start(&mut agent(self.host, &self.api), "");
        let driver = Driver::introduced(&kubelet(self.host)).await;
        (Self { agent, ..self }, driver)
    }

    fn leased(&self) -> Vec<String> {
        let leases = self.host.leases();
        let devices = leases.iter().map(|lease| lease["networks"][0]["device"].as_str().unwrap());
        devices.map(str::to_owned).collect()
    }

    fn stop(self) {
        for daemon in [&self.agent, &self.serve] {
            signal(daemon, Signal::SIGTERM);
        }
        self.agent.wait().must_exit(0);
        self.serve.wait().must_exit(0);
        for part in ["plugins_registry", "plugins/vfhook.dev"] {
            let left = std::fs::read_dir(kubelet(self.host).join(part)).unwrap().count();
            assert_eq!(left, 0, "sockets are left in {part}");
        }
    }
}

fn kubelet(host: &Host) -> PathBuf {
    host.directory.join("kubelet")
}

fn agent(host: &Host, api: &ApiServer) -> Command {
    // Of the same build: `cargo test --workspace` makes it.
    let program = PathBuf::from(env!("CARGO_BIN_EXE_vfhook")).with_file_name("vfhook-agent");
    assert!(program.exists(), "{} is not built: cargo build --workspace", program.display());
    let mut agent = Command::new(program);
    agent.env("VFHOOK_CONFIG", host.config_file()).env("VFHOOK_STATE_DIR", host.state_dir());
    agent.args(["serve", "--node", "node-1", "--api-server", &api.url]);
    agent.arg("--api-ca").arg(ApiServer::certificate());
    agent.arg("--api-token").arg(host.directory.join("token"));
    agent.arg("--kubelet-dir").arg(kubelet(host));
    agent.arg("--cdi-dir").arg(host.directory.join("cdi"));
    agent
}

/// A pod that asks for nothing by an annotation.
fn claiming(name: &str, sandbox: &Sandbox) -> PodSandbox {
    let mut pod = pod(name, Some(sandbox), None);
    pod.uid = format!("uid-of-{name}");
    pod
}

/// The CDI devices of a claim.
fn mounts_of(host: &Host, claim: &str) -> PathBuf {
    host.directory.join(format!("cdi/vfhook.dev-claim_metadata_uid-of-{claim}.json"))
}

/// What the containers of a claim's pod see: its CDI device says where that is.
fn shown(host: &Host, claim: &str) -> Vec<Value> {
    let specification = std::fs::read(mounts_of(host, claim)).unwrap();
    let specification: Value = serde_json::from_slice(&specification).unwrap();
    let mount = &specification["devices"][0]["containerEdits"]["mounts"][0];
    let text = std::fs::read_to_string(mount["hostPath"].as_str().unwrap()).unwrap();
    serde_json::Deserializer::from_str(&text).into_iter().map(Result::unwrap).collect()
}

/// What containers see of the claim `c`, which its pod calls `fast-nic`, is what its pod has; and newer than before that had it.
fn must_be_whole(before: &Value, after: &[Value]) {
    let versions: Vec<_> = after.iter().map(|object| object["apiVersion"].clone()).collect();
    let group = "metadata.resource.k8s.io";
    assert_eq!(versions, [format!("{group}/v1beta1"), format!("{group}/v1alpha1")]);
    assert_eq!(before["metadata"]["generation"], 1);
    for object in after {
        assert_eq!(
            (&object["kind"], &object["podClaimName"]),
            (&json!("DeviceMetadata"), &json!("fast-nic"))
        );
        let metadata =
            json!({ "name": "c", "namespace": "team-a", "uid": "uid-of-c", "generation": 2 });
        assert_eq!(object["metadata"], metadata);
        assert_eq!(object["requests"][0]["name"], "nic");
        let device = &object["requests"][0]["devices"][0];
        assert_eq!(
            (&device["driver"], &device["pool"]),
            (&json!("vfhook.dev"), &json!("node-1/fast"))
        );
        assert_eq!(device["name"], ALL[2]);
        assert_eq!(device["attributes"]["resource.kubernetes.io/pciBusID"]["string"], vf(2));
        let network = &device["networkData"];
        assert_eq!(network["interfaceName"], "fast0");
        assert!(network["ips"][0].as_str().unwrap().starts_with("192.168.0."));
        assert!(network["hardwareAddress"].is_string());
    }
}

async fn ran(peer: &mut Peer, pod: &PodSandbox) -> Outcome<()> {
    peer.pod_event(Event::RunPodSandbox, pod).await
}

#[test]
fn a_cluster_is_told_of_devices_and_again_of_what_was_deleted() {
    on_a_node(async |host| {
        let (node, _peer, _driver) = Node::start(host, ApiServer::start(false).await).await;
        node.api.must_tell(&ALL).await;
        let slice = node.api.get("resourceslices/node-1-vfhook.dev-fast-0");
        assert_eq!(slice["metadata"]["ownerReferences"][0]["uid"], "node-uid");
        assert_eq!(slice["spec"]["devices"][0]["attributes"]["pf"]["string"], "p0");
        node.api.delete_slices();
        node.api.must_tell(&ALL).await;
        // What the host does to one shows at the next look, which a change of the configuration asks for.
        host.ip(&["address add 10.9.9.9/24 dev vf1"]);
        signal(&node.agent, Signal::SIGHUP);
        node.api.must_tell(&["0000-01-10-0", "0000-01-10-1!", "0000-01-10-2"]).await;
        host.ip(&["address flush dev vf1"]);
        let (node, _driver) = node.restart_agent().await;
        node.api.must_tell(&ALL).await;
        node.stop();
    });
}

#[test]
fn a_server_that_knows_no_taints_is_not_told_of_what_cannot_be_had() {
    on_a_node(async |host| {
        let (node, _peer, _driver) = Node::start(host, ApiServer::start(true).await).await;
        node.api.must_tell(&ALL).await;
        host.ip(&["address add 10.9.9.9/24 dev vf1"]);
        signal(&node.agent, Signal::SIGHUP);
        node.api.must_tell(&["0000-01-10-0", "0000-01-10-2"]).await;
        node.stop();
    });
}

#[test]
fn a_claims_pod_has_what_the_scheduler_chose_and_its_claim_says_so() {
    on_a_node(async |host| {
        let (node, mut peer, driver) = Node::start(host, ApiServer::start(false).await).await;
        node.api.must_tell(&ALL).await;
        let wish = json!({ "network": "storage", "interface": "fast0" });
        let mut claim = allocated("c", ALL[2], "uid-of-p1", Some(&wish));
        claim["metadata"]["annotations"] =
            json!({ "resource.kubernetes.io/pod-claim-name": "fast-nic" });
        node.api.put(&path("c"), claim);
        for _ in 0..2 {
            let prepared = driver.prepare("c").await;
            let [device] = &prepared.devices[..] else { panic!("{prepared:?}") };
            assert_eq!((&*device.pool, &*device.name), ("node-1/fast", ALL[2]));
            assert_eq!(device.requests, ["nic"]);
            let gate = format!("vfhook.dev/fast={}", vf(2));
            assert_eq!(device.cdi_devices, [&gate, "vfhook.dev/claim_metadata=uid-of-c_nic"]);
        }
        let before = shown(host, "c");
        assert_eq!(before[0]["requests"][0]["devices"][0].get("networkData"), None);
        // Nobody else is given it, by whatever way.
        let others = ["a", "b", "c"].map(|name| host.sandbox(name));
        host.attach(&others[0], "storage", &[]).ok();
        host.attach(&others[1], "storage", &[]).ok();
        host.attach(&others[2], "storage", &[]).must_exit(3);
        let sandbox = host.sandbox("p1");
        assert_eq!(ran(&mut peer, &claiming("p1", &sandbox)).await, Outcome::Answered(()));
        // Its containers are created from here on.
        let after = shown(host, "c");
        must_be_whole(&before[0], &after);
        assert!(node.leased().contains(&vf(2)));
        let said = || node.api.get(&path("c"))["status"]["devices"][0].clone();
        becomes("its claim says what it has", || !said().is_null()).await;
        assert_eq!(said()["networkData"]["interfaceName"], "fast0");
        assert!(said()["networkData"]["ips"][0].as_str().unwrap().starts_with("192.168.0."));
        assert_eq!(said()["conditions"][0]["type"], "Ready");
        // It is its pod's after restarts of both, and of the pod's sandbox.
        let (node, driver) = node.restart_agent().await;
        assert_eq!(driver.prepare("c").await.error, "");
        assert_eq!(shown(host, "c"), after);
        assert_eq!(driver.unprepare("c").await, "");
        assert_eq!(driver.unprepare("c").await, "");
        assert!(!host.state_dir().join("metadata/uid-of-c").exists());
        assert!(!mounts_of(host, "c").exists());
        assert!(!host.context().leases.is_allocated(vf(2).parse().unwrap()));
        node.stop();
    });
}

#[test]
fn many_pods_have_a_share_of_a_parent_each_and_their_claims_say_so() {
    on_a_node(async |host| {
        let (node, mut peer, driver) =
            Node::start_with(host, ApiServer::start(false).await, &(CONFIG.to_owned() + PARENT))
                .await;
        let told = || node.api.get("resourceslices/node-1-vfhook.dev-shared-0");
        becomes("the parent is told of", || !told().is_null()).await;
        let parent = &told()["spec"]["devices"][0];
        assert_eq!(
            (&parent["name"], &parent["allowMultipleAllocations"]),
            (&json!("parent"), &json!(true))
        );
        assert_eq!(parent["attributes"]["pf"]["string"], "lan0");
        for pod in ["p1", "p2"] {
            // Two claims of one pod, and one of another.
            let claims: &[&str] = if pod == "p1" { &["c1", "c2"] } else { &["c3"] };
            for name in claims {
                let wish = json!({ "network": "lan", "interface": format!("{name}-0") });
                let mut claim = allocated(name, "parent", &format!("uid-of-{pod}"), Some(&wish));
                let result = &mut claim["status"]["allocation"]["devices"]["results"][0];
                result["pool"] = "node-1/shared".into();
                result["shareID"] = format!("share-of-{name}").into();
                claim["status"]["reservedFor"][0]["name"] = pod.into();
                node.api.put(&path(name), claim);
                let prepared = driver.prepare(name).await;
                let [device] = &prepared.devices[..] else { panic!("{prepared:?}") };
                assert_eq!(device.share.as_deref(), Some(&*format!("share-of-{name}")));
                assert_eq!(device.cdi_devices[0], "vfhook.dev/shared=share");
            }
            let sandbox = host.sandbox(pod);
            assert_eq!(ran(&mut peer, &claiming(pod, &sandbox)).await, Outcome::Answered(()));
        }
        for name in ["c1", "c2", "c3"] {
            let said = || node.api.get(&path(name))["status"]["devices"][0].clone();
            becomes("its claim says what it has", || !said().is_null()).await;
            assert_eq!(said()["shareID"], format!("share-of-{name}"));
            assert_eq!(said()["networkData"]["interfaceName"], format!("{name}-0"));
            let device = &shown(host, name)[0]["requests"][0]["devices"][0];
            assert_eq!(device["networkData"], said()["networkData"]);
            assert_eq!(device["attributes"]["kind"]["string"], "macvlan");
            assert_eq!(driver.unprepare(name).await, "");
        }
        // Of a share, whose pod has none, no container begins.
        let gate =
            std::fs::read_to_string(host.directory.join("cdi/vfhook.dev-shared.json")).unwrap();
        assert!(gate.contains(r#""--pool","shared""#), "{gate}");
        node.stop();
    });
}

#[test]
fn what_a_dead_agent_left_of_a_claim_is_gone_when_the_next_serves() {
    on_a_node(async |host| {
        let (node, _peer, driver) = Node::start(host, ApiServer::start(false).await).await;
        for (number, name) in ["c", "d"].into_iter().enumerate() {
            node.api.put(&path(name), allocated(name, ALL[number], "uid-of-p1", None));
            assert_eq!(driver.prepare(name).await.error, "");
        }
        // As one leaves it that dies after it took the record away.
        std::fs::remove_file(host.state_dir().join("prepared/uid-of-c")).unwrap();
        let (node, _driver) = node.restart_agent().await;
        assert!(!host.state_dir().join("metadata/uid-of-c").exists());
        assert!(!mounts_of(host, "c").exists() && mounts_of(host, "d").exists());
        assert_eq!(shown(host, "d").len(), 2);
        node.stop();
    });
}

#[test]
fn a_device_that_is_withheld_is_told_of_once() {
    on_a_node(async |host| {
        let (node, _peer, _driver) = Node::start(host, ApiServer::start(false).await).await;
        node.api.must_tell(&ALL).await;
        host.ip(&["address add 10.9.9.9/24 dev vf1"]);
        signal(&node.agent, Signal::SIGHUP);
        becomes("it is told of", || !node.api.events("Node").is_empty()).await;
        let told = node.api.events("Node");
        let [(name, reason, said)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((&**name, &**reason), ("node-1", "DeviceWithheld"));
        assert!(said.starts_with("pool fast: 0000-01-10-1 cannot be had: "), "{said}");
        // Whoever comes next says the same, and is refused.
        assert_eq!(node.api.refused(), 0);
        let (node, _driver) = node.restart_agent().await;
        becomes("another tells of it", || node.api.refused() > 0).await;
        assert_eq!(node.api.events("Node"), told);
        node.stop();
    });
}

#[test]
fn what_a_pod_has_and_did_not_hold_is_told_of_once() {
    on_a_node(async |host| {
        let (node, mut peer, driver) = Node::start(host, ApiServer::start(false).await).await;
        let wish = json!({ "network": "storage" });
        node.api.put(&path("c"), allocated("c", ALL[0], "uid-of-p1", Some(&wish)));
        assert_eq!(driver.prepare("c").await.error, "");
        let sandbox = host.sandbox("p1");
        assert_eq!(ran(&mut peer, &claiming("p1", &sandbox)).await, Outcome::Answered(()));
        // What plays a VF here has no PCI device above it in the sandbox, which is what a driver without it looks like.
        becomes("its pod's event says so", || !node.api.events("Pod").is_empty()).await;
        let told = node.api.events("Pod");
        let [(name, reason, said)] = &told[..] else { panic!("{told:?}") };
        assert_eq!((&**name, &**reason), ("p1", "AttachmentBroken"));
        assert!(said.ends_with("missing: it is no longer in its sandbox"), "{said}");
        let (node, _driver) = node.restart_agent().await;
        becomes("another tells of it", || node.api.refused() > 0).await;
        assert_eq!(node.api.events("Pod"), told);
        node.stop();
    });
}

#[test]
fn a_stranger_is_given_nothing_by_a_claim() {
    on_a_node(async |host| {
        let (node, mut peer, driver) = Node::start(host, ApiServer::start(false).await).await;
        // Another namespace's network is refused where the pod is known, and a MAC that is not open.
        let wishes = [
            json!({ "network": "secret" }),
            json!({ "network": "storage", "mac": "02:00:00:00:00:01" }),
        ];
        let said = ["network secret is not allowed for namespace \"team-a\"", "allow.mac opens it"];
        for (number, (wish, said)) in wishes.iter().zip(said).enumerate() {
            let (name, pod) = (format!("c{number}"), format!("p{number}"));
            let claim = allocated(&name, ALL[number], &format!("uid-of-{pod}"), Some(wish));
            node.api.put(&path(&name), claim);
            assert_eq!(driver.prepare(&name).await.error, "");
            let sandbox = host.sandbox(&pod);
            let given = ran(&mut peer, &claiming(&pod, &sandbox)).await;
            let Outcome::Refused { reason, .. } = given else { panic!("{given:?}") };
            assert!(reason.contains(said), "{reason}");
            assert_eq!(driver.unprepare(&name).await, "");
        }
        // What is no parameter, a claim of several pods, and one that is another's are not prepared.
        let unknown = allocated("x", ALL[0], "uid-of-p9", Some(&json!({ "netwrok": "storage" })));
        node.api.put(&path("x"), unknown);
        assert!(driver.prepare("x").await.error.contains("unknown field"));
        let mut shared = allocated("y", ALL[0], "uid-of-p9", None);
        let users = shared["status"]["reservedFor"].as_array_mut().unwrap();
        users.push(json!({ "resource": "pods", "name": "q", "uid": "uid-of-q" }));
        node.api.put(&path("y"), shared);
        assert!(driver.prepare("y").await.error.contains("reserved for 2 users"));
        assert!(driver.prepare("nonesuch").await.error.contains("not found (HTTP 404)"));
        assert_eq!(host.context().leases.all_prepared().unwrap(), []);
        node.stop();
    });
}

#[test]
fn without_the_api_server_what_was_prepared_stays_so_and_is_let_go_of() {
    on_a_node(async |host| {
        let (mut node, mut peer, driver) = Node::start(host, ApiServer::start(false).await).await;
        let wish = json!({ "network": "storage" });
        node.api.put(&path("c"), allocated("c", ALL[0], "uid-of-p1", Some(&wish)));
        assert_eq!(driver.prepare("c").await.error, "");
        node.api.stop().await;
        let (node, driver) = node.restart_agent().await;
        assert_eq!(driver.prepare("c").await.error, "");
        let sandbox = host.sandbox("p1");
        assert_eq!(ran(&mut peer, &claiming("p1", &sandbox)).await, Outcome::Answered(()));
        assert_eq!(node.leased(), [vf(0)]);
        assert_eq!(driver.unprepare("c").await, "");
        assert_eq!(host.context().leases.all_prepared().unwrap(), []);
        node.stop();
    });
}
