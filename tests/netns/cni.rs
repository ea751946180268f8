//! `vfhook cni` as a container runtime calls it: without arguments, with variables and JSON on stdin. A pod gets what it asks
//! for and its address is told; what cannot be is refused in the specification's form, and nothing is changed.

use std::{fs, process::Command};

use crate::netns_support::{
    command::{self, Ran},
    dump::Dump,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};
use serde_json::{Value, json};

const POD: &str = "K8S_POD_NAMESPACE=team-a;K8S_POD_NAME=web;K8S_POD_UID=1;IgnoreUnknown=1";

/// A host on which vfhook ran before: its state directory is there.
fn on_a_node(test: impl FnOnce(&Host) + Send) {
    on_a_host(|host| {
        drop(host.context());
        test(host);
    });
}

/// A runtime's network configuration with the annotations of a pod.
fn configuration(asks: &str) -> Value {
    let annotations = json!({ "vfhook.dev/networks": asks });
    json!({
        "cniVersion": "1.0.0", "name": "pods", "type": "vfhook",
        "runtimeConfig": { "io.kubernetes.cri.pod-annotations": annotations },
    })
}

/// The program as it is found in a runtime's plugin directory.
fn plugin(host: &Host, command: &str, sandbox: &Sandbox) -> Command {
    let mut plugin = host.command(&[]);
    plugin
        .env("CNI_COMMAND", command)
        .env("CNI_CONTAINERID", "pod-1")
        .env("CNI_NETNS", sandbox.as_str())
        .env("CNI_IFNAME", "eth0")
        .env("CNI_ARGS", POD)
        .env("CNI_PATH", "/opt/cni/bin");
    plugin
}

fn call(host: &Host, command: &str, sandbox: &Sandbox, configuration: &Value) -> Ran {
    command::finish(&mut plugin(host, command, sandbox), &configuration.to_string())
}

/// Makes the call fail with this error code and say these words.
fn refused(plugin: &mut Command, input: &str, code: u64, words: &[&str]) {
    let ran = command::finish(plugin, input);
    assert_ne!(ran.code, Some(0), "{ran:#?}");
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:#?}"));
    assert_eq!(answer["code"], code, "{answer}");
    for word in words {
        assert!(answer["msg"].as_str().unwrap_or_default().contains(word), "{word}: {answer}");
    }
}

#[test]
fn a_pod_gets_its_card_as_eth0_and_its_address_is_told() {
    on_a_node(|host| {
        let blue = host.sandbox("blue");
        let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        let asks = configuration("storage@eth0,backup");
        let answer = call(host, "ADD", &blue, &asks).json();
        assert_eq!(answer["cniVersion"], "1.0.0");
        assert_eq!(answer["interfaces"][0]["name"], "eth0");
        assert_eq!(answer["interfaces"][0]["sandbox"], blue.as_str());
        assert_eq!(answer["interfaces"][0]["mac"], blue.link("eth0")["address"]);
        let told: Vec<&str> = answer["ips"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ip| ip["address"].as_str().unwrap())
            .collect();
        assert_eq!(told, blue.addresses("eth0"));
        assert_eq!(told.len(), 2);
        assert_eq!(blue.links(), ["eth0", "net2", "svc0"]);
        assert_eq!(call(host, "CHECK", &blue, &asks).ok(), "");
        // Asked again, as after a runtime's own restart, it tells the same.
        assert_eq!(call(host, "ADD", &blue, &asks).json(), answer);
        assert_eq!(call(host, "DEL", &blue, &asks).ok(), "");
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
        assert_eq!(call(host, "DEL", &blue, &asks).ok(), "");
        call(host, "CHECK", &blue, &asks).must_exit(1);
    });
}

#[test]
fn older_runtimes_are_told_the_family() {
    on_a_node(|host| {
        let blue = host.sandbox("blue");
        let mut asks = configuration("storage@eth0");
        asks["cniVersion"] = "0.3.1".into();
        let answer = call(host, "ADD", &blue, &asks).json();
        assert_eq!(answer["cniVersion"], "0.3.1");
        assert_eq!(
            (&answer["ips"][0]["version"], &answer["ips"][1]["version"]),
            (&json!("4"), &json!("6"))
        );
    });
}

#[test]
fn a_node_may_say_what_pods_get_that_ask_for_nothing() {
    on_a_node(|host| {
        let blue = host.sandbox("blue");
        let asks = json!({ "cniVersion": "1.0.0", "name": "pods", "type": "vfhook", "networks": "backup@eth0" });
        call(host, "ADD", &blue, &asks).ok();
        assert_eq!(blue.links(), ["eth0", "svc0"]);
    });
}

#[test]
fn the_pods_namespace_is_the_runtimes_word() {
    on_a_node(|host| {
        let blue = host.sandbox("blue");
        let before = Dump::of_host_at_rest(host);
        let asks = configuration("team@eth0");
        let mut stranger = plugin(host, "ADD", &blue);
        stranger.env("CNI_ARGS", POD.replace("team-a", "other"));
        refused(&mut stranger, &asks.to_string(), 7, &["not allowed for namespace \"other\""]);
        before.must_be_again(host);
        call(host, "ADD", &blue, &asks).ok();
    });
}

#[test]
fn a_taken_back_sandbox_needs_no_namespace() {
    on_a_node(|host| {
        let before = Dump::of_host_at_rest(host);
        let blue = host.sandbox("blue");
        let asks = configuration("storage@eth0");
        call(host, "ADD", &blue, &asks).ok();
        host.ip(&["netns del blue"]);
        let mut plugin = plugin(host, "DEL", &blue);
        plugin.env_remove("CNI_NETNS");
        assert_eq!(command::finish(&mut plugin, &asks.to_string()).ok(), "");
        before.must_be_again(host);
        assert!(host.leases().is_empty());
    });
}

#[test]
fn versions_are_told_to_whoever_asks() {
    on_a_node(|host| {
        for (input, version) in [
            (r#"{"cniVersion":"0.4.0"}"#, "0.4.0"),
            (r#"{"cniVersion":"1.1.0"}"#, "1.1.0"),
            (r#"{"cniVersion":"9.9.9"}"#, "1.1.0"),
            (r#"{"cniVersion":7}"#, "1.1.0"),
            ("", "1.1.0"),
        ] {
            let mut plugin = host.command(&[]);
            let ran = command::finish(plugin.env("CNI_COMMAND", "VERSION"), input).json();
            assert_eq!(ran["cniVersion"], version, "{input}");
            let known = json!(["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"]);
            assert_eq!(ran["supportedVersions"], known, "{input}");
        }
    });
}

#[test]
fn each_version_is_told_what_it_knows() {
    on_a_node(|host| {
        let blue = host.sandbox("blue");
        for version in ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
            let mut asks = configuration("storage@eth0");
            asks["cniVersion"] = version.into();
            let answer = call(host, "ADD", &blue, &asks).json();
            assert_eq!(answer["cniVersion"], version);
            assert_eq!(answer["ips"][0]["gateway"], "192.168.0.1", "{answer}");
            assert_eq!(answer["ips"][1]["gateway"], "fd00:10::1", "{answer}");
            let routes = json!([
                { "dst": "0.0.0.0/0", "gw": "192.168.0.1" }, { "dst": "::/0", "gw": "fd00:10::1" },
            ]);
            assert_eq!(answer["routes"], routes);
            let has_family = answer["ips"][0].get("version").is_some();
            assert_eq!(has_family, version.starts_with('0'), "{answer}");
            let mtu = (version == "1.1.0").then(|| json!(1400));
            assert_eq!(answer["interfaces"][0].get("mtu"), mtu.as_ref(), "{answer}");
            // A macvlan has no device of its own.
            assert_eq!(answer["interfaces"][0].get("pciID"), None);
        }
    });
}

#[test]
fn what_the_runtime_no_longer_knows_is_taken_back() {
    on_a_node(|host| {
        let before = Dump::of_host_at_rest(host);
        let (kept, lost, own) = (host.sandbox("kept"), host.sandbox("lost"), host.sandbox("own"));
        let asks = configuration("backup@eth0");
        for (sandbox, id) in [(&kept, "kept"), (&lost, "lost")] {
            let mut plugin = plugin(host, "ADD", sandbox);
            command::finish(plugin.env("CNI_CONTAINERID", id), &asks.to_string()).ok();
        }
        host.attach(&own, "backup", &[]).ok();
        let held = || -> Vec<String> {
            let mut ids: Vec<String> =
                host.leases().iter().map(|lease| lease["origin"].to_string()).collect();
            ids.sort();
            ids
        };
        let gc = || {
            let mut plugin = host.command(&[]);
            plugin.env("CNI_COMMAND", "GC").env("CNI_PATH", "/opt/cni/bin");
            plugin
        };
        let with = |valid: Value| {
            let mut configuration = asks.clone();
            configuration["cniVersion"] = "1.1.0".into();
            configuration["cni.dev/valid-attachments"] = valid;
            configuration.to_string()
        };
        for (wrong, code) in [
            (asks.to_string(), 7),
            (with(Value::Null), 7),
            (with(json!({})), 6),
            (with(json!(["kept"])), 6),
        ] {
            refused(&mut gc(), &wrong, code, &[]);
            assert_eq!(held().len(), 3, "{wrong}");
        }
        let known = json!({ "containerID": "kept", "ifname": "eth0" });
        let listed = with(json!([known, { "containerID": "lost", "ifname": "eth9" }]));
        assert_eq!(command::finish(&mut gc(), &listed).ok(), "");
        assert_eq!(held(), ["\"cni\"", "\"command\""]);
        assert_eq!(
            (kept.links(), lost.links()),
            (vec!["eth0".to_owned(), "svc0".to_owned()], vec![])
        );
        assert_eq!(command::finish(&mut gc(), &with(json!([]))).ok(), "");
        assert_eq!(held(), ["\"command\""]);
        host.detach(&own).ok();
        before.must_be_again(host);
    });
}

#[test]
fn an_unfit_node_is_not_ready() {
    on_a_host(|host| {
        let status = || {
            let mut plugin = host.command(&[]);
            plugin.env("CNI_COMMAND", "STATUS").env("CNI_PATH", "/opt/cni/bin");
            plugin
        };
        let input = configuration("storage@eth0").to_string().replace("1.0.0", "1.1.0");
        assert_eq!(command::finish(&mut status(), &input).ok(), "");
        assert!(!host.state_dir().exists(), "a question makes nothing");
        let good = fs::read_to_string(host.config_file()).unwrap();
        // One pool that has its device is enough.
        host.configure(&good.replace("\"card1\"", "\"card9\""));
        assert_eq!(command::finish(&mut status(), &input).ok(), "");
        let cards = good.replace("\"card0\"", "\"card8\"").replace("\"card1\"", "\"card9\"");
        for (text, words) in [
            (cards.as_str(), &["not ready", "pool fast", "card8", "vfhook doctor"][..]),
            ("version = 1", &["not ready", "no pool"]),
            ("version = 9", &["not ready", "version"]),
        ] {
            host.configure(text);
            refused(&mut status(), &input, 50, words);
        }
        host.configure(&good);
        fs::write(host.state_dir(), "no directory").unwrap();
        refused(&mut status(), &input, 50, &["not ready", "state"]);
    });
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    on_a_node(|host| {
        let blue = host.sandbox("blue");
        let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        let add = || plugin(host, "ADD", &blue);
        let good = configuration("storage@eth0").to_string();
        let with = |asks: &str| configuration(asks).to_string();
        for (name, value, words) in [
            ("CNI_COMMAND", "JUMP", "expected ADD"),
            ("CNI_CONTAINERID", "../../etc", "CNI_CONTAINERID"),
            ("CNI_CONTAINERID", "", "CNI_CONTAINERID is not set"),
            ("CNI_IFNAME", "a/b", "CNI_IFNAME"),
            ("CNI_NETNS", "", "CNI_NETNS is not set"),
            ("CNI_NETNS", "run/netns/blue", "absolute"),
        ] {
            refused(add().env(name, value), &good, 4, &[words]);
        }
        for (input, code, words) in [
            (String::new(), 6, "not the JSON"),
            ("[]".to_owned(), 6, "not the JSON"),
            (good.replace("1.0.0", "9.9.9"), 1, "known are"),
            (json!({ "cniVersion": "1.0.0" }).to_string(), 7, "asks for no network"),
            (with("storage"), 7, "no network is asked for as eth0"),
            (with("nowhere@eth0"), 7, "unknown network"),
            (with("storage@eth0,,"), 7, "element 2"),
        ] {
            refused(&mut add(), &input, code, &[words]);
        }
        let host_itself = "/proc/1/ns/net";
        refused(add().env("CNI_NETNS", host_itself), &good, 7, &["network namespace"]);
        refused(add().env("CNI_NETNS", "/etc/passwd"), &good, 7, &["network namespace"]);
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn nothing_free_is_told_as_try_again_later() {
    on_a_node(|host| {
        let networks = configuration("seven@eth0");
        let pods: Vec<Sandbox> =
            (1..=8).map(|number| host.sandbox(&format!("pod{number}"))).collect();
        let (last, first) = pods.split_last().unwrap();
        for (number, sandbox) in first.iter().enumerate() {
            let mut plugin = plugin(host, "ADD", sandbox);
            plugin.env("CNI_CONTAINERID", format!("first-{number}"));
            command::finish(&mut plugin, &networks.to_string()).ok();
        }
        refused(&mut plugin(host, "ADD", last), &networks.to_string(), 11, &["no free IPv4"]);
    });
}
