//! Requests that were written for other tools, by every way in: over NRI, by an OCI hook, by CNI, and at the gate that verifies. The
//! service path goes by the interface that a network plugin made.

use std::fs;

use containerd_nri::{
    Container as Created, Event, PodSandbox,
    fake::{NriVersion, Outcome},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::netns_support::{
    command::{self, Ran, Running},
    config::{VETH, accepting, existing},
    container::Container,
    dump::Dump,
    host::{Host, on_a_host},
    node::{connected, daemon, listen, on_a_node, pod, signal},
    refusal::{Baseline, USAGE},
    sandbox::Sandbox,
};
use crate::runtime_annotations::{Annotations, Names, Writer};
use vfhook::request::{CNI, NETWORKS, SELECTION};

/// A sandbox with the eth0 that a network plugin made, and its default route.
fn with_eth0(host: &Host, name: &str) -> Sandbox {
    let sandbox = host.sandbox(name).quiet();
    for words in [
        "link add eth0 type veth peer name other",
        "link set other up",
        "link set eth0 up",
        "address add 10.5.0.2/16 dev eth0",
        "route add default via 10.5.0.1 dev eth0",
    ] {
        sandbox.ip(words);
    }
    sandbox
}

fn services_by_eth0() -> String {
    accepting(&existing().replace(", \"fd00:96::/108\"", ""))
}

fn wrote(id: &str, sandbox: &Sandbox, key: &str, value: &str) -> PodSandbox {
    let mut pod = pod(id, Some(sandbox), None);
    pod.annotations.insert(key.to_owned(), value.to_owned());
    pod
}

#[test]
fn a_pod_of_cni_genie_keeps_eth0_and_has_its_device_as_eth1() {
    on_a_node(async |host| {
        host.configure(&services_by_eth0());
        let sandbox = with_eth0(host, "pod");
        let runtime = listen(host, NriVersion::V0_12);
        let daemon = Running::start(&mut daemon(host), "");
        let mut peer = connected(&runtime, &[]).await;
        let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&sandbox));
        let pod = wrote("p1", &sandbox, CNI, "calico, sriov");
        assert_eq!(peer.pod_event(Event::RunPodSandbox, &pod).await, Outcome::Answered(()));
        assert_eq!(sandbox.links(), ["eth0", "eth1", "other"]);
        let services = sandbox.routes("10.96.0.0/12");
        assert!(services.contains("via 10.5.0.1 dev eth0"), "{services}");
        assert!(sandbox.default_route("-4").contains("eth1"), "{}", sandbox.default_route("-4"));
        let mut container = Created::default();
        (container.id, container.name) = ("c1".to_owned(), "c1".to_owned());
        assert!(peer.create_container(&pod, &container).await.answer().is_some());
        peer.pod_event(Event::StopPodSandbox, &pod).await;
        peer.pod_event(Event::RemovePodSandbox, &pod).await;
        before.must_be_again(host);
        inside.must_be_again_in(&sandbox);
        for (value, words) in [
            ("calico,srivo", ["annotation cni, element 2 (\"srivo\")", "no network of ours"]),
            (
                "sriov,calico",
                ["annotation cni (\"sriov,calico\")", "interface eth0 is asked for twice"],
            ),
            (
                "calico,sriov@other",
                ["annotation cni (\"calico,sriov@other\")", "interface other exists"],
            ),
            ("", ["annotation cni", "empty"]),
        ] {
            let pod = wrote("p2", &sandbox, CNI, value);
            let Outcome::Refused { reason, .. } = peer.pod_event(Event::RunPodSandbox, &pod).await
            else {
                panic!("{value:?} was taken")
            };
            assert!(words.iter().all(|word| reason.contains(word)), "{value:?}: {reason}");
            peer.pod_event(Event::RemovePodSandbox, &pod).await;
        }
        before.must_be_again(host);
        inside.must_be_again_in(&sandbox);
        signal(&daemon, Signal::SIGTERM);
        daemon.wait().must_exit(0);
    });
}

/// A container `id` of a pod in `namespace` whose author wrote `value` at `key`, as CRI-O and containerd show it to a hook.
fn workload(host: &Host, writer: Writer, id: &str, (key, value): (&str, &str)) -> Container {
    let names = Names { container: id, sandbox: "p1", pod: "guest", namespace: "evil" };
    let author = Annotations::from([(key.to_owned(), value.to_owned())]);
    let written = writer.write(names, &author, &Annotations::new());
    Container::with_own_namespace(host, id).with_all(&written)
}

#[test]
fn a_hook_gives_what_other_tools_annotations_ask_for() {
    on_a_host(|host| {
        host.configure(&accepting(VETH));
        let baseline = Baseline::of(host);
        for (key, value, words) in [
            (CNI, "calico,srivo", &["c1", "annotation cni, element 2 (\"srivo\")"][..]),
            (CNI, "calico,team", &["annotation cni", "team", "not allowed for namespace \"evil\""]),
            (SELECTION, "team-a/team", &["annotation k8s.v1.cni.cncf.io/networks", "not allowed"]),
            (
                SELECTION,
                "seven@../x",
                &["annotation k8s.v1.cni.cncf.io/networks", "interface name"],
            ),
        ] {
            let refused = workload(host, Writer::CriOWorkload, "c1", (key, value));
            baseline.hook_refused(&refused, USAGE, words);
        }
        // The container that holds a pod's namespaces comes before them.
        for writer in [Writer::CriOSandbox, Writer::ContainerdSandbox] {
            workload(host, writer, "p1", (CNI, "sriov")).hook(host, "verify").must_exit(0);
        }
        let nobodys = workload(host, Writer::Nobody, "c1", (CNI, "team"));
        baseline.hook_refused(&nobodys, USAGE, &["not allowed for sandboxes without"]);
        let before = Dump::of_host_at_rest(host);
        for (writer, id, asks, interface) in [
            (Writer::CriOWorkload, "c2", (CNI, "calico, sriov"), "eth1"),
            (Writer::ContainerdWorkload, "c3", (SELECTION, "storage"), "net1"),
            (
                Writer::Podman,
                "c4",
                (SELECTION, r#"[{"name":"storage","interface":"fast0"}]"#),
                "fast0",
            ),
        ] {
            let mut container = workload(host, writer, id, asks);
            let verified = container.hook(host, "verify").must_exit(1);
            verified.must_say(&["has not what it asks for", "storage was not attached"]);
            container.hook(host, "create-runtime").ok();
            assert_eq!(container.sandbox().links(), [interface, "svc0"], "{writer:?}");
            container.hook(host, "verify").must_exit(0);
            container.poststop(host).ok();
            before.must_be_again(host);
        }
    });
}

#[test]
fn a_hook_fails_closed_where_nobody_says_what_counts() {
    on_a_host(|host| {
        let asking = workload(host, Writer::CriOWorkload, "c1", (CNI, "calico,sriov"));
        // By default it does not count.
        for stage in ["create-runtime", "verify"] {
            asking.hook(host, stage).must_exit(0);
        }
        assert_eq!(asking.sandbox().links(), Vec::<String>::new());
        fs::remove_file(host.config_file()).unwrap();
        let plain = Container::with_own_namespace(host, "c2");
        for stage in ["create-runtime", "verify"] {
            let said = ["c1", "annotation cni", "config.toml"];
            asking.hook(host, stage).must_exit(USAGE).must_say(&said);
            plain.hook(host, stage).must_exit(0);
        }
        // What it was promised is asked for all the same, and whoever is asked by our own word needs no configuration.
        let own = workload(host, Writer::CriOWorkload, "c3", (NETWORKS, "storage"));
        own.hook(host, "verify").must_exit(1).must_say(&["storage was not attached"]);
    });
}

fn add(host: &Host, sandbox: &Sandbox, annotations: &Value) -> Ran {
    let configuration = json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "vfhook",
        "runtimeConfig": { "io.kubernetes.cri.pod-annotations": annotations },
    });
    let mut plugin = host.command(&[]);
    plugin
        .env("CNI_COMMAND", "ADD")
        .env("CNI_CONTAINERID", "p1")
        .env("CNI_NETNS", sandbox.as_str())
        .env("CNI_IFNAME", "eth0")
        .env("CNI_ARGS", "K8S_POD_NAMESPACE=team-a;K8S_POD_NAME=web;K8S_POD_UID=1")
        .env("CNI_PATH", "/opt/cni/bin");
    command::finish(&mut plugin, &configuration.to_string())
}

#[test]
fn on_a_node_without_another_plugin_the_first_word_is_eth0() {
    on_a_host(|host| {
        host.configure(&accepting(VETH));
        drop(host.context());
        let blue = host.sandbox("blue");
        for (annotations, words) in [
            (json!({ CNI: "calico,sriov" }), "no network is asked for as eth0"),
            (json!({ CNI: "srivo" }), "annotation cni, element 1"),
            (json!({ CNI: "calico" }), "asks for no network"),
        ] {
            let ran = add(host, &blue, &annotations);
            assert!(ran.code != Some(0) && ran.stdout.contains(words), "{annotations}: {ran:#?}");
        }
        let answer = add(host, &blue, &json!({ CNI: "sriov" })).json();
        assert_eq!(answer["interfaces"][0]["name"], "eth0");
        assert_eq!(blue.links(), ["eth0", "svc0"]);
    });
}
