//! VFs that kubelet counts: it is told of them and chooses, and its pods have what it chose, by no other name and for nobody else. The
//! test plays kubelet's side of the wire; a real kubelet is in the lab.

use std::{path::PathBuf, process::Command, time::Duration};

use crate::netns_support::{
    card::{Cards, vf},
    command::{Ran, Running, finish},
    container::Container,
    eventually::becomes,
    host::Host,
    killing::{doom, has_died, moment},
    kubelet::{Kubelet, Listening},
    node::{connected, daemon, listen, on_a_node, pod, signal},
    sandbox::Sandbox,
};
use containerd_nri::{
    Event,
    fake::{FakeRuntime, NriVersion, Outcome, Peer},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tokio::time::sleep;

const RESOURCE: &str = "vfhook.dev/fast";
const POD: (&str, &str) = ("team-a", "p1");

fn configure(host: &Host, more: &str) {
    host.configure(&format!(
        "version = 1\n[[pool]]\nname = \"fast\"\nkind = \"sriov\"\npf = [\"p0\"]\n\
         publish = \"device-plugin\"\n{more}\n\
         [[network]]\nname = \"storage\"\npool = \"fast\"\ninterface = \"net1\"\n\
         addresses = [\"192.168.0.16-192.168.0.250/24\"]\n"
    ));
}

/// Waits until kubelet is shown the devices of the card with these signs of health, in order.
async fn shows(devices: &mut Listening, signs: &str) {
    let signed = |(index, sign)| format!("{}{sign}", vf(index));
    devices.must_become(&signs.chars().enumerate().map(signed).collect::<Vec<_>>()).await;
}

/// A node: a host with so many VFs, a kubelet, a runtime, and the daemon between them.
struct Node<'a> {
    host: &'a Host,
    _cards: Cards<'a>,
    kubelet: Kubelet,
    runtime: FakeRuntime,
    daemon: Running,
}

impl<'a> Node<'a> {
    async fn start(host: &'a Host, vfs: usize, more: &str) -> (Self, Peer) {
        let cards = Cards::usual(host, vfs);
        configure(host, more);
        let kubelet = Kubelet::start(&host.directory.join("kubelet"));
        let runtime = listen(host, NriVersion::V0_12);
        let daemon = Running::start(&mut serve(host), "");
        let peer = connected(&runtime, &[]).await;
        (Self { host, _cards: cards, kubelet, runtime, daemon }, peer)
    }

    /// Kills the daemon and starts another.
    async fn restart_daemon(self) -> (Self, Peer) {
        signal(&self.daemon, Signal::SIGKILL);
        self.daemon.wait();
        let daemon = Running::start(&mut serve(self.host), "");
        let peer = connected(&self.runtime, &[]).await;
        self.kubelet.listen(RESOURCE).await;
        (Self { daemon, ..self }, peer)
    }

    fn allocated(&self) -> usize {
        std::fs::read_dir(self.host.state_dir().join("allocations")).map_or(0, Iterator::count)
    }

    fn leased(&self) -> Vec<String> {
        let leases = self.host.leases();
        let devices = leases.iter().map(|lease| lease["networks"][0]["device"].as_str().unwrap());
        devices.map(str::to_owned).collect()
    }

    fn stop(self) {
        signal(&self.daemon, Signal::SIGTERM);
        self.daemon.wait().must_exit(0);
        let left = std::fs::read_dir(self.kubelet.directory.join("device-plugins")).unwrap();
        assert_eq!(left.count(), 1, "kubelet's own socket alone is left");
    }
}

fn serve(host: &Host) -> Command {
    let mut serve = daemon(host);
    serve.arg("--kubelet-dir").arg(host.directory.join("kubelet"));
    serve.arg("--cdi-dir").arg(cdi(host));
    serve
}

fn cdi(host: &Host) -> PathBuf {
    host.directory.join("cdi")
}

async fn ran(peer: &mut Peer, pod: &containerd_nri::PodSandbox) -> Outcome<()> {
    peer.pod_event(Event::RunPodSandbox, pod).await
}

#[test]
fn kubelet_is_told_what_a_free_device_is_worth() {
    on_a_node(async |host| {
        let (node, _peer) = Node::start(host, 3, "").await;
        let mut devices = node.kubelet.listen(RESOURCE).await;
        shows(&mut devices, "+++").await;
        // Somebody without kubelet has one, and says so by another lease.
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        host.ip(&["address add 10.9.9.9/24 dev vf2"]);
        // What the host does to one shows at the next look, which a change of the configuration asks for.
        signal(&node.daemon, Signal::SIGHUP);
        shows(&mut devices, "-+-").await;
        host.ip(&["address flush dev vf2"]);
        signal(&node.daemon, Signal::SIGHUP);
        shows(&mut devices, "-++").await;
        host.ip(&["link set p0 down"]);
        signal(&node.daemon, Signal::SIGHUP);
        shows(&mut devices, "---").await;
        node.stop();
    });
}

#[test]
fn a_pod_has_the_device_that_kubelet_chose_and_nobody_else_has_it_before() {
    on_a_node(async |host| {
        let (node, mut peer) = Node::start(host, 2, "").await;
        let [sandbox, blue, red] = ["pod", "blue", "red"].map(|name| host.sandbox(name));
        node.kubelet.admit(POD, RESOURCE, &vf(0)).await;
        let status = host.vfhook(&["status", "--json"]).json();
        let first = &status["pools"][0];
        assert_eq!(
            (&first["free"], &first["devices"][0]["state"]),
            (&1.into(), &"kept for a pod".into())
        );
        // Without kubelet there is one left, whoever asks first.
        host.attach(&blue, "storage", &[]).ok();
        assert_eq!(node.leased(), [vf(1)]);
        host.attach(&red, "storage", &[]).must_exit(3).must_say(&[&vf(0), "is kept for a pod"]);
        // The pod has it without a word of its own: the pool has one network.
        let pod = pod("p1", Some(&sandbox), None);
        assert_eq!(ran(&mut peer, &pod).await, Outcome::Answered(()));
        assert_eq!(sandbox.links(), ["net1"]);
        let mut leased = node.leased();
        leased.sort();
        assert_eq!(leased, [vf(0), vf(1)]);
        // One that kubelet does not know of has nothing.
        let other = self::pod("p2", Some(&red), None);
        assert_eq!(ran(&mut peer, &other).await, Outcome::Answered(()));
        assert_eq!(red.links(), Vec::<String>::new());
        node.stop();
    });
}

#[test]
fn a_container_is_promised_a_device_by_a_gate_that_keeps_it_from_starting_without() {
    on_a_node(async |host| {
        let (node, _peer) = Node::start(host, 2, "").await;
        let promised = node.kubelet.admit(POD, RESOURCE, &vf(1)).await;
        assert_eq!(promised, [format!("{RESOURCE}={}", vf(1))]);
        // The gate needs nobody.
        signal(&node.daemon, Signal::SIGKILL);
        let text = std::fs::read_to_string(cdi(host).join("vfhook.dev-fast.json")).unwrap();
        let gates: Value = serde_json::from_str(&text).unwrap();
        let hook = &gates["devices"][1]["containerEdits"]["hooks"][0];
        let words = hook["args"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let words: Vec<&str> = words.skip(1).collect();
        let blue = host.sandbox("blue");
        let container = Container::inside(host, "c1", &blue);
        let gate = || host.start(&words, &container.state.to_string()).wait().must_exit(1);
        gate().must_say(&[&vf(1), "was not attached"]);
        // Another one than the one that was promised.
        host.attach(&blue, "storage", &[]).ok();
        assert_eq!(node.leased(), [vf(0)]);
        gate().must_say(&[&vf(1), "was promised to it"]);
    });
}

#[test]
fn a_device_is_its_pods_until_kubelet_lists_it_no_more() {
    on_a_node(async |host| {
        let (node, mut peer) = Node::start(host, 2, "").await;
        let mut devices = node.kubelet.listen(RESOURCE).await;
        node.kubelet.admit(POD, RESOURCE, &vf(1)).await;
        // Its health is that of a device that the pod may have.
        shows(&mut devices, "++").await;
        node.kubelet.forget(POD);
        // Another pod's end makes the daemon ask.
        let other = host.sandbox("other");
        node.kubelet.admit(("team-a", "p2"), RESOURCE, &vf(0)).await;
        assert_eq!(ran(&mut peer, &pod("p2", Some(&other), None)).await, Outcome::Answered(()));
        becomes("the other pod's alone is kept", || node.allocated() == 1).await;
        assert_eq!(node.leased(), [vf(0)]);
        node.stop();
    });
}

#[test]
fn a_pod_that_nobody_counted_is_refused_or_served_as_the_pool_says() {
    on_a_node(async |host| {
        let (node, mut peer) = Node::start(host, 2, "").await;
        let sandbox = host.sandbox("pod");
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        let refused = ran(&mut peer, &pod).await;
        let said = refused.refusal().unwrap_or_else(|| panic!("{refused:?}"));
        assert!(said.contains("vfhook.dev/fast") && said.contains("resources.limits"), "{said}");
        let created = peer.create_container(&pod, &containerd_nri::Container::default()).await;
        assert!(created.refusal().is_some(), "{created:?}");
        assert!(host.leases().is_empty());
        configure(host, "uncounted = \"serve\"");
        signal(&node.daemon, Signal::SIGHUP);
        let mut devices = node.kubelet.listen(RESOURCE).await;
        // Until the configuration is read it is refused still.
        for _ in 0..200 {
            if ran(&mut peer, &pod).await == Outcome::Answered(()) {
                break;
            }
        }
        assert_eq!(node.leased(), [vf(0)]);
        shows(&mut devices, "-+").await;
        node.stop();
    });
}

#[test]
fn another_kubelet_and_another_daemon_know_of_each_other_and_of_what_was_chosen() {
    on_a_node(async |host| {
        let (mut node, _peer) = Node::start(host, 2, "").await;
        node.kubelet.admit(POD, RESOURCE, &vf(0)).await;
        node.kubelet = Kubelet::start(&host.directory.join("kubelet"));
        let mut devices = node.kubelet.listen(RESOURCE).await;
        shows(&mut devices, "++").await;
        node.kubelet.list(POD, RESOURCE, &vf(0));
        let (node, mut peer) = node.restart_daemon().await;
        let sandbox = host.sandbox("pod");
        let pod = pod("p1", Some(&sandbox), Some("storage"));
        assert_eq!(ran(&mut peer, &pod).await, Outcome::Answered(()));
        assert_eq!(node.leased(), [vf(0)]);
        // A machine that began anew knows of nothing; what kubelet lists is kept again.
        std::fs::remove_dir_all(host.state_dir().join("allocations")).unwrap();
        let (node, _peer) = node.restart_daemon().await;
        becomes("it is kept again", || node.allocated() == 1).await;
        node.stop();
    });
}

#[test]
fn a_daemon_that_dies_while_kubelet_chooses_leaves_no_trace() {
    on_a_node(async |host| {
        let (node, _peer) = Node::start(host, 1, "").await;
        node.kubelet.plugin(RESOURCE).await;
        signal(&node.daemon, Signal::SIGKILL);
        node.daemon.wait();
        let (mut deaths, mut at) = (0, 0);
        loop {
            at += 1;
            let mut daemon = Running::start(doom(host, &mut serve(host), at), "");
            // Until it listens, or has died before.
            let chosen = loop {
                match node.kubelet.choose(RESOURCE, &vf(0)).await {
                    Err(_) if !has_died(host, &mut daemon) => sleep(Duration::from_millis(5)).await,
                    chosen => break chosen,
                }
            };
            let kept = || host.context().leases.counted().unwrap().len();
            if chosen.is_ok() {
                assert_eq!(kept(), 1);
                break;
            }
            if !moment(host).contains("allocations") {
                continue;
            }
            deaths += 1;
            // Kubelet does not list what it got no answer to.
            let next = Running::start(&mut serve(host), "");
            becomes("nothing is kept", || kept() == 0).await;
            signal(&next, Signal::SIGKILL);
            next.wait();
        }
        // Before and after the directory, before and after the device.
        assert_eq!(deaths, 4);
    });
}

/// `vfhook cni` for a pod, as the node's only network plugin; on a thread of its own, since kubelet answers on this one.
async fn cni(host: &Host, sandbox: &Sandbox, pod: &str, asks: Option<&str>) -> Ran {
    let mut plugin = host.command(&["--kubelet-dir"]);
    plugin.arg(host.directory.join("kubelet")).arg("cni");
    let arguments = format!("K8S_POD_NAMESPACE=team-a;K8S_POD_NAME={pod}");
    plugin.env("CNI_COMMAND", "ADD").env("CNI_CONTAINERID", pod).env("CNI_IFNAME", "net1");
    plugin.env("CNI_NETNS", sandbox.as_str()).env("CNI_ARGS", arguments);
    let annotations = asks.map(|asks| json!({ "vfhook.dev/networks": asks }));
    let input = json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "vfhook",
        "runtimeConfig": { "io.kubernetes.cri.pod-annotations": annotations },
    });
    let input = input.to_string();
    tokio::task::spawn_blocking(move || finish(&mut plugin, &input)).await.unwrap()
}

#[test]
fn a_node_with_no_other_network_plugin_gives_what_kubelet_chose() {
    on_a_node(async |host| {
        let (node, _peer) = Node::start(host, 3, "").await;
        let [blue, red] = ["blue", "red"].map(|name| host.sandbox(name));
        node.kubelet.admit(POD, RESOURCE, &vf(2)).await;
        // By its limits alone, and with a word about it.
        cni(host, &blue, POD.1, None).await.must_say(&["192.168.0."]).ok();
        assert_eq!(node.leased(), [vf(2)]);
        node.kubelet.admit(("team-a", "p2"), RESOURCE, &vf(1)).await;
        cni(host, &red, "p2", Some("storage@net1")).await.ok();
        assert!(node.leased().contains(&vf(1)));
        let other = host.sandbox("other");
        let refused = |ran: Ran, words: &[&str]| {
            assert_ne!(ran.code, Some(0), "{ran:?}");
            ran.must_say(words);
        };
        refused(cni(host, &other, "p3", Some("storage")).await, &["resources.limits"]);
        refused(cni(host, &other, "p3", None).await, &["asks for no network"]);
        node.stop();
    });
}

#[test]
fn a_pool_that_is_published_later_or_no_more_needs_no_restart() {
    on_a_node(async |host| {
        let (node, _peer) = Node::start(host, 1, "").await;
        let socket = node.kubelet.plugin(RESOURCE).await;
        configure(host, "");
        let text = std::fs::read_to_string(host.config_file()).unwrap();
        host.configure(&text.replace("publish = \"device-plugin\"\n", ""));
        signal(&node.daemon, Signal::SIGHUP);
        becomes("it is published no more", || !socket.exists()).await;
        configure(host, "");
        signal(&node.daemon, Signal::SIGHUP);
        becomes("it is published again", || socket.exists()).await;
        node.stop();
    });
}
