//! What else is on the wire of a macvlan's parent: other networks' sandboxes, and the host itself.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::netns_support::{
    container::Container,
    host::{Host, on_a_host},
    refusal::{Baseline, FAILED, NOTHING_FREE},
};

/// Two networks with one address between them, on two pools of one parent, and one on another parent.
const ONE_ADDRESS: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "macvlan"
pf = ["card0"]
[[pool]]
name = "again"
kind = "macvlan"
pf = ["card0"]
[[pool]]
name = "other"
kind = "macvlan"
pf = ["card1"]
[[network]]
name = "jumbo"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.100/24"]
allow = { addresses = true, mac = true }
[[network]]
name = "plain"
pool = "again"
interface = "net1"
addresses = ["192.168.0.100/24"]
[[network]]
name = "apart"
pool = "other"
interface = "net1"
addresses = ["192.168.0.100/24"]
"#;

#[test]
fn two_networks_of_one_parent_give_an_address_once() {
    on_a_host(|host| {
        host.configure(ONE_ADDRESS);
        let (blue, red) = (host.sandbox("blue").quiet(), host.sandbox("red").quiet());
        host.attach(&blue, "jumbo", &["--id", "blue"]).ok();
        let baseline = Baseline::as_is(host);
        baseline.attach_refused(red.as_str(), "plain", NOTHING_FREE, &["plain", "no free IPv4"]);
        host.attach(&red, "apart", &["--id", "red"]).ok();
        for id in ["blue", "red"] {
            host.vfhook(&["detach", "--id", id]).must_exit(0);
        }
        host.attach(&red, "plain", &["--id", "red"]).ok();
    });
}

#[test]
fn an_address_that_the_host_has_is_not_given() {
    on_a_host(|host| {
        host.configure(ONE_ADDRESS);
        host.vfhook(&["reconcile"]).must_exit(0);
        let blue = host.sandbox("blue").quiet();
        // On the parent, on any other interface, and where it is the broadcast address of a network of the host's.
        for own in [
            "192.168.0.100/24 dev card0",
            "192.168.0.100/32 dev lo",
            "192.168.0.97/30 broadcast 192.168.0.100 dev card1",
        ] {
            host.ip(&[&format!("address add {own}")]);
            let baseline = Baseline::as_is(host);
            baseline.attach_refused(
                blue.as_str(),
                "jumbo",
                NOTHING_FREE,
                &["jumbo", "no free IPv4"],
            );
            let chosen = r#"[{"name":"jumbo","addresses":["192.168.0.100/24"]}]"#;
            baseline.asking_refused(chosen, NOTHING_FREE, &["192.168.0.100", "this host"]);
            host.ip(&[&format!("address del {own}")]);
        }
        host.attach(&blue, "jumbo", &[]).ok();
    });
}

#[test]
fn the_mac_of_the_parent_is_not_chosen() {
    on_a_host(|host| {
        host.configure(ONE_ADDRESS);
        host.vfhook(&["reconcile"]).must_exit(0);
        let parent = fs::read_to_string("/sys/class/net/card0/address").unwrap().trim().to_owned();
        let baseline = Baseline::as_is(host);
        let chosen = format!(r#"[{{"name":"jumbo","mac":"{parent}"}}]"#);
        baseline.asking_refused(&chosen, NOTHING_FREE, &[&parent, "card0"]);
    });
}

#[test]
fn the_mac_of_a_gateway_is_not_chosen() {
    on_a_host(|host| {
        let with_gateway = ONE_ADDRESS.replace(
            "[[network]]\nname = \"plain\"",
            "gateway = [\"192.168.0.1\"]\n[[network]]\nname = \"plain\"",
        );
        host.configure(&with_gateway);
        host.vfhook(&["reconcile"]).must_exit(0);
        let wire = host.wire();
        let gateway = wire.link("wire0")["address"].as_str().expect("a MAC address").to_owned();
        let baseline = Baseline::as_is(host);
        let chosen = format!(r#"[{{"name":"jumbo","mac":"{gateway}"}}]"#);
        baseline.asking_refused(
            &chosen,
            NOTHING_FREE,
            &[&gateway, "gateway 192.168.0.1", "MAC address"],
        );
    });
}

#[test]
fn two_hundred_addresses_are_refused_at_once() {
    on_a_host(|host| {
        let baseline = Baseline::as_is(host);
        let many: Vec<String> =
            (0x100..0x1c8).map(|last| format!("\"fd00:10::{last:x}/64\"")).collect();
        let chosen = format!(r#"[{{"name":"storage","addresses":[{}]}}]"#, many.join(","));
        let container = Container::with_own_namespace(host, "c1").asking_for(&chosen);
        baseline.hook_refused(
            &container,
            crate::netns_support::refusal::USAGE,
            &["200 addresses", "at most 16"],
        );
    });
}

/// What is waited for while a card reports no carrier, and twice that for a machine that is busy. One wait for each address would be
/// sixteen of them.
const NO_CARRIER: Duration = Duration::from_millis(800);

#[test]
fn however_many_addresses_there_are_their_carrier_is_waited_for_once() {
    on_a_host(|host| {
        let blue = host.sandbox("blue").quiet();
        host.wire().ip("link set wire0 down");
        let most: Vec<String> =
            (0x100..0x110).map(|last| format!("\"fd00:10::{last:x}/64\"")).collect();
        let chosen = format!(r#"[{{"name":"storage","addresses":[{}]}}]"#, most.join(","));
        let container = Container::inside(host, "c1", &blue).asking_for(&chosen);
        let began = Instant::now();
        container.hook(host, "create-runtime").ok();
        assert!(began.elapsed() < NO_CARRIER, "it took {:?}", began.elapsed());
        assert_eq!(blue.addresses("net1").len(), 16);
    });
}

/// Asks the wire before it uses one of two addresses of each family.
const CHECKED: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "macvlan"
pf = ["card0"]
[[network]]
name = "checked"
pool = "fast"
interface = "net1"
addresses = ["192.168.0.101-192.168.0.102/24"]
conflict_check = true
allow = { addresses = true }
[[network]]
name = "six"
pool = "fast"
interface = "net1"
addresses = ["fd00:10::101-fd00:10::102/64"]
conflict_check = true
allow = { addresses = true }
"#;

/// On a host with that configuration, where somebody on the wire has these addresses besides its own.
fn where_the_wire_has(addresses: &[&str], test: impl FnOnce(&Host, &str) + Send) {
    on_a_host(|host| {
        host.configure(CHECKED);
        host.vfhook(&["reconcile"]).must_exit(0);
        let wire = host.wire();
        for address in addresses {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            wire.ip(format!("address add {address} dev wire0 {nodad}").trim());
        }
        let mac = wire.link("wire0")["address"].as_str().expect("a MAC address").to_owned();
        test(host, &mac);
    });
}

#[test]
fn an_address_that_somebody_on_the_wire_has_is_refused_with_its_mac() {
    where_the_wire_has(&["192.168.0.101/24", "fd00:10::101/64"], |host, mac| {
        let baseline = Baseline::as_is(host);
        for (network, address) in [("checked", "192.168.0.101/24"), ("six", "fd00:10::101/64")] {
            let chosen = format!(r#"[{{"name":"{network}","addresses":["{address}"]}}]"#);
            let bare = address.split('/').next().unwrap();
            baseline.asking_refused(&chosen, FAILED, &[bare, mac, "put back"]);
        }
    });
}

#[test]
fn an_address_that_nobody_on_the_wire_has_is_given_and_another_passed_over() {
    where_the_wire_has(&["192.168.0.101/24", "fd00:10::102/64"], |host, _| {
        let blue = host.sandbox("blue").quiet();
        for (network, address) in [("checked", "192.168.0.102/24"), ("six", "fd00:10::101/64")] {
            host.attach(&blue, network, &[]).ok();
            assert_eq!(blue.addresses("net1"), [address]);
            host.detach(&blue).ok();
        }
    });
}

#[test]
fn where_the_wire_has_all_that_is_told() {
    let all = ["192.168.0.101/24", "192.168.0.102/24", "fd00:10::101/64", "fd00:10::102/64"];
    where_the_wire_has(&all, |host, mac| {
        let blue = host.sandbox("blue").quiet();
        let baseline = Baseline::as_is(host);
        for network in ["checked", "six"] {
            baseline.attach_refused(blue.as_str(), network, FAILED, &[mac, "in use"]);
        }
    });
}

#[test]
fn without_a_carrier_nobody_can_be_asked() {
    where_the_wire_has(&[], |host, _| {
        let blue = host.sandbox("blue").quiet();
        host.wire().ip("link set wire0 down");
        let ran = host.attach(&blue, "checked", &["--timeout", "2"]).must_exit(FAILED);
        assert!(ran.stderr.contains("carrier"), "{}", ran.stderr);
        assert_eq!(blue.links(), [""; 0]);
        assert!(host.leases().is_empty());
    });
}
