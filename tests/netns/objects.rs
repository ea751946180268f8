//! Sandboxes whose network only an object of the cluster says, and service networks that only the cluster knows: as `vfhook-agent` hands both
//! over. Running sandboxes keep what they have, whatever becomes of the object.

use std::collections::{BTreeMap, BTreeSet};

use crate::netns_support::{
    config::VETH,
    dump::Dump,
    eventually::eventually,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};
use address_blocks::{Cell, Grant, Granted, Standing, Uid, Version};
use vfhook::{
    config::{SaidNetwork, SaidNetworks, said_networks, said_service_networks},
    lease::{LeaseStore, Subject, since_boot},
    types::Deadline,
};

const WIDE: &str = r#"pool = "fast"
interface = "net3"
mtu = 1300
addresses = ["192.168.20.0-192.168.20.63/24"]
gateway = ["192.168.20.1"]
cluster = { block = 4 }
"#;

fn said(words: &str, generation: i64) -> SaidNetworks {
    let name = "wide".parse().unwrap();
    let words = words.parse().unwrap();
    let network = vec![SaidNetwork { name, uid: "u".to_owned(), generation, words }];
    SaidNetworks { network, refused: Vec::new() }
}

/// Hands over what objects say.
fn hand_over(leases: &LeaseStore, said: &SaidNetworks) {
    leases.announce(Subject::Networks, &said_networks(said)).unwrap();
}

/// Says that this node owns the block around an address.
fn grant(leases: &LeaseStore, address: &str) {
    let cell = Cell::around(address.parse().unwrap(), 30);
    let granted = Granted {
        uid: Uid(1),
        version: Version(1),
        standing: Standing::Open,
        blocked: BTreeSet::new(),
    };
    let blocks = BTreeMap::from([(cell, granted)]);
    let grant = Grant { blocks, valid: 600_000, hold: 600_000 };
    let table = leases.lock(Deadline::after(std::time::Duration::from_secs(10))).unwrap();
    table.publish_grant(&"wide".parse().unwrap(), false, &grant, since_boot().unwrap()).unwrap();
}

fn asking_for_networks() -> String {
    VETH.replacen("version = 1", "version = 1\n[cluster]\nnetworks = true\nrest = 0", 1)
}

fn has(sandbox: &Sandbox, beginning: &str) -> bool {
    sandbox.addresses("net3").iter().any(|own| own.starts_with(beginning))
}

#[test]
fn a_sandbox_gets_a_network_which_only_an_object_says() {
    on_a_host(|host| {
        host.configure(&asking_for_networks());
        let leases = host.context().leases;
        let blue = host.sandbox("blue").quiet();
        let told = host.attach(&blue, "wide", &[]).must_exit(2);
        told.must_say(&["unknown network wide", "nobody told yet", "see that vfhook-agent runs"]);
        host.vfhook(&["status"]).must_exit(0).must_say(&["the cluster's Network objects are"]);

        hand_over(&leases, &said(WIDE, 7));
        let shown = host.vfhook(&["check-config"]).must_exit(0);
        shown.must_say(&["network wide: as version 7 of the cluster's Network object says"]);
        host.attach(&blue, "wide", &[]).must_exit(3).must_say(&["nothing says which"]);
        grant(&leases, "192.168.20.8");
        let before = Dump::of_host_at_rest(host);
        host.attach(&blue, "wide", &[]).ok();
        assert!(has(&blue, "192.168.20."), "{:?}", blue.addresses("net3"));
        assert_eq!(blue.link("net3")["mtu"], 1300);
        // What the file says is there as it was.
        let red = host.sandbox("red").quiet();
        host.attach(&red, "storage", &[]).ok();
        host.detach(&red).ok();
        host.detach(&blue).ok();
        before.must_be_again(host);
    });
}

#[test]
fn running_sandboxes_keep_what_they_have_whatever_becomes_of_the_object() {
    on_a_host(|host| {
        host.configure(&asking_for_networks());
        let leases = host.context().leases;
        hand_over(&leases, &said(WIDE, 1));
        grant(&leases, "192.168.20.8");
        let (blue, red) = (host.sandbox("blue").quiet(), host.sandbox("red").quiet());
        host.attach(&blue, "wide", &["--id", "blue"]).ok();
        let own = blue.addresses("net3");

        // Other ranges, another MTU: for new sandboxes.
        let moved = WIDE.replace("192.168.20.", "192.168.21.").replace("1300", "1400");
        hand_over(&leases, &said(&moved, 2));
        host.attach(&red, "wide", &[]).must_exit(3).must_say(&["is free in this node's blocks"]);
        grant(&leases, "192.168.21.8");
        host.attach(&red, "wide", &["--id", "red"]).ok();
        assert!(has(&red, "192.168.21."));
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
        assert_eq!(blue.addresses("net3"), own);
        assert_eq!(blue.link("net3")["mtu"], 1300);

        // What cannot be read, or is gone: nobody new has it, and nobody loses it.
        for content in
            ["{\"version\":9}", "{", "{\"version\":1,\"said\":{\"network\":[],\"refused\":[]}}"]
        {
            leases.announce(Subject::Networks, content.as_bytes()).unwrap();
            let green = host.sandbox("green");
            host.attach(&green, "wide", &[]).must_exit(2).must_say(&["unknown network wide"]);
            host.attach(&green, "storage", &[]).ok();
            host.detach(&green).ok();
            green.delete();
            host.vfhook(&["reconcile"]).must_exit(0);
            assert_eq!(blue.addresses("net3"), own);
        }
        host.attach(&blue, "wide", &["--id", "blue"]).ok();
        host.detach(&blue).ok();
        host.detach(&red).ok();
        assert!(host.leases().is_empty());
    });
}

#[test]
fn what_is_wrong_here_is_told_and_in_nobodys_way() {
    on_a_host(|host| {
        host.configure(&asking_for_networks());
        let leases = host.context().leases;
        // On the wire of "storage", which this node gives by itself.
        let clash = WIDE.replace("192.168.20.", "192.168.0.");
        hand_over(&leases, &said(&clash, 3));
        let answer = host.vfhook(&["check-config", "--json"]).json();
        let cluster = &answer["cluster"];
        assert_eq!(cluster["networks"], serde_json::json!([]));
        let without = &cluster["without_effect"][0];
        assert_eq!(
            (&without["object"], &without["reason"]),
            (&"Network wide".into(), &"wrong".into())
        );
        assert_eq!(without["problems"][0]["field"], "spec.cluster");
        let status = host.vfhook(&["status", "--json"]).json();
        let attention = status["attention"].to_string();
        assert!(
            attention.contains("network storage gives addresses of the same ranges"),
            "{attention}"
        );
        let blue = host.sandbox("blue").quiet();
        let told = host.attach(&blue, "wide", &[]).must_exit(2);
        told.must_say(&["unknown network wide", "has no effect on this node: spec.cluster"]);
        host.attach(&blue, "storage", &[]).ok();
        host.detach(&blue).ok();
    });
}

const BEFORE: &str = r#"cidrs = ["10.96.0.0/12", "fd00:96::/108"]"#;

fn led(sandbox: &Sandbox) -> Vec<String> {
    let mut found = Vec::new();
    for family in ["-4", "-6"] {
        let routes = sandbox.json(&format!("{family} route show dev svc0 proto 118"));
        let all = routes.as_array().cloned().unwrap_or_default();
        found.extend(all.iter().filter_map(|route| route["dst"].as_str().map(str::to_owned)));
    }
    found.sort();
    found
}

fn say_services(leases: &LeaseStore, networks: &[&str]) {
    let networks: Vec<_> = networks.iter().map(|network| network.parse().unwrap()).collect();
    leases.announce(Subject::ServiceNetworks, &said_service_networks(&networks)).unwrap();
}

fn of_the_cluster(host: &Host) -> LeaseStore {
    host.configure(&VETH.replace(BEFORE, "cidrs = \"cluster\""));
    host.context().leases
}

#[test]
fn running_sandboxes_follow_the_clusters_service_networks() {
    on_a_host(|host| {
        let leases = of_the_cluster(host);
        let blue = host.sandbox("blue").quiet();
        let told = host.attach(&blue, "storage", &[]).must_exit(2);
        told.must_say(&["nobody told yet which the cluster's service networks are"]);
        assert!(blue.links().is_empty(), "{:?}", blue.links());
        say_services(&leases, &["10.96.0.0/12", "fd00:96::/108"]);
        let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        assert_eq!(led(&blue), ["10.96.0.0/12", "fd00:96::/108"]);
        say_services(&leases, &["10.96.0.0/12", "10.112.0.0/16", "fd00:98::/108"]);
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["service networks changed", "applied"]);
        assert_eq!(led(&blue), ["10.112.0.0/16", "10.96.0.0/12", "fd00:98::/108"]);
        // What nobody can tell takes nothing from anybody.
        leases.announce(Subject::ServiceNetworks, b"{").unwrap();
        host.vfhook(&["reconcile"]).must_exit(0).must_say(&["every lease is whole"]);
        assert_eq!(led(&blue).len(), 3);
        say_services(&leases, &["10.96.0.0/12"]);
        host.vfhook(&["reconcile"]).ok();
        assert_eq!(led(&blue), ["10.96.0.0/12"]);
        host.detach(&blue).ok();
        // What was told is no trace of the sandbox.
        say_services(&leases, &["10.96.0.0/12", "fd00:96::/108"]);
        before.must_be_again(host);
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn the_daemon_follows_what_is_handed_over() {
    on_a_host(|host| {
        let leases = of_the_cluster(host);
        let blue = host.sandbox("blue").quiet();
        say_services(&leases, &["10.96.0.0/12", "fd00:96::/108"]);
        host.attach(&blue, "storage", &["--id", "blue"]).ok();
        let socket = host.directory.join("no.sock");
        let _daemon = host.start(&["serve", "--nri-socket", &socket.to_string_lossy()], "");
        for networks in [
            &["10.96.0.0/12", "10.112.0.0/16", "fd00:96::/108"][..],
            &["10.112.0.0/16", "fd00:96::/108"],
            &["10.96.0.0/12", "fd00:98::/108"],
        ] {
            say_services(&leases, networks);
            let mut expected: Vec<String> = networks.iter().map(ToString::to_string).collect();
            expected.sort();
            eventually(&format!("{expected:?} are led to"), || led(&blue) == expected);
        }
    });
}
