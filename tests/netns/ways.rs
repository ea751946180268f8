//! Several ways out of one sandbox: routes, tables and rules, what is answered by which interface, how interfaces behave, and that
//! nothing of it is left.

use std::{net::UdpSocket, time::Duration};

use crate::netns_support::{
    config::{VETH, several_ways},
    dump::Dump,
    host::{Host, on_a_host},
    sandbox::Sandbox,
};

const BOTH: &[&str] = &["--network", "backup"];

fn given(host: &Host) -> Sandbox {
    let blue = host.sandbox("blue").quiet();
    host.attach(&blue, "storage", BOTH).ok();
    blue
}

fn address_of(blue: &Sandbox, interface: &str) -> String {
    let all = blue.addresses(interface);
    let first = all.first().and_then(|address| address.split('/').next());
    first.unwrap_or_default().to_owned()
}

/// Whether a datagram from an address of the wire to one of the sandbox comes back.
fn is_answered_from(wire: &Sandbox, from: &str, blue: &Sandbox, whom: &str) -> bool {
    let socket = |at: &str| UdpSocket::bind((at, 0)).expect("bind to an address of ours");
    let (asks, answers) = (wire.inside(|| socket(from)), blue.inside(|| socket(whom)));
    let mut buffer = [0; 8];
    for socket in [&asks, &answers] {
        socket.set_read_timeout(Some(Duration::from_secs(1))).expect("a socket waits");
    }
    let whom = answers.local_addr().expect("it is bound");
    asks.send_to(b"here?", whom).expect("the wire leads there");
    let (_, peer) = answers.recv_from(&mut buffer).expect("what came in is heard");
    // That it cannot be sent is no answer either.
    answers.send_to(b"here", peer).is_ok() && asks.recv(&mut buffer).is_ok()
}

fn reconcile(host: &Host) {
    host.vfhook(&["reconcile"]).ok();
}

#[test]
fn routes_rules_and_mtu_are_as_the_configuration_says_and_gone_afterwards() {
    on_a_host(|host| {
        host.configure(&several_ways());
        host.vfhook(&["check-config"]).ok();
        let blue = host.sandbox("blue").quiet();
        // The first one makes the state directory.
        host.attach(&blue, "storage", &[]).ok();
        host.detach(&blue).ok();
        let (before, inside) = (Dump::of_host_at_rest(host), Dump::of_sandbox(&blue));
        host.attach(&blue, "storage", BOTH).ok();
        let main = [blue.ip("route show"), blue.ip("-6 route show")].concat();
        for line in [
            "default via 192.168.0.1 dev net1 proto 118 scope 118",
            "default via 172.16.3.254 dev net2 proto 118 scope 118 metric 300",
            "10.20.0.0/16 via 192.168.0.9 dev net1 proto 118",
            "10.21.0.0/16 via 10.22.0.1 dev net1 proto 118 onlink",
            "fd00:20::/64 via fd00:10::9 dev net1 proto 118 metric 77",
        ] {
            assert!(main.contains(line), "{line}: {main}");
        }
        assert!(blue.ip("route show table 500").starts_with("default via 192.168.0.8 dev net1"));
        let of_storage = [blue.ip("route show table 11800"), blue.ip("-6 route show table 11800")];
        for line in [
            "default via 192.168.0.1 dev net1",
            "192.168.0.0/24 dev net1",
            "10.20.0.0/16 via 192.168.0.9 dev net1",
            "default via fd00:10::1 dev net1",
            "fd00:10::/64 dev net1",
        ] {
            assert!(of_storage.concat().contains(line), "{line}: {of_storage:?}");
        }
        let rules = [blue.ip("rule show"), blue.ip("-6 rule show")].concat();
        assert_eq!(rules.matches("lookup 11800").count(), 2, "{rules}");
        assert_eq!(rules.matches("lookup 11801").count(), 1, "{rules}");
        assert_eq!(blue.link("svc0")["mtu"], 1280);
        blue.inside(|| {
            let value = std::fs::read_to_string("/proc/sys/net/ipv4/conf/net1/arp_notify");
            assert_eq!(value.unwrap().trim(), "1");
        });
        host.detach(&blue).ok();
        inside.must_be_again_in(&blue);
        before.must_be_again(host);
    });
}

#[test]
fn what_came_in_by_an_interface_is_answered_by_it() {
    for (source_routing, is_answered) in [(true, true), (false, false)] {
        on_a_host(|host| {
            let routing = format!("source_routing = {source_routing}");
            host.configure(&several_ways().replace("source_routing = true", &routing));
            let wire = host.wire();
            wire.ip("link set lo up");
            wire.ip("address add 10.9.9.9/32 dev lo");
            wire.ip("address add 172.16.3.254/22 dev wire1");
            let blue = given(host);
            let way = blue.ip(&format!("route get 10.9.9.9 from {}", address_of(&blue, "net2")));
            assert_eq!(way.contains("dev net2"), is_answered, "{way}");
            // Its own default route leads to where nobody hears it.
            wire.ip("link set wire0 down");
            let backup = address_of(&blue, "net2");
            let asked = is_answered_from(&wire, "10.9.9.9", &blue, &backup);
            assert_eq!(asked, is_answered, "{way}");
        });
    }
}

#[test]
fn what_a_container_flushes_is_given_again() {
    on_a_host(|host| {
        host.configure(&several_ways());
        let blue = given(host);
        let shown = || {
            let rules = [blue.ip("rule show"), blue.ip("-6 rule show")];
            let tables = ["11800", "11801", "500", "main"]
                .map(|table| blue.ip(&format!("route show table {table}")));
            [rules.to_vec(), tables.to_vec()].concat().concat()
        };
        let sorted = |text: String| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let before = sorted(shown());
        for damage in [
            "rule del priority 11800 table 11800",
            "-6 rule del priority 11800",
            "route flush table 11800",
            "route flush table 500",
            "route del default via 172.16.3.254 metric 300",
        ] {
            blue.ip(damage);
            let status = host.vfhook(&["status", "--json"]).json().to_string();
            assert!(status.contains("is gone in the sandbox"), "{damage}: {status}");
            reconcile(host);
            assert_eq!(sorted(shown()), before, "{damage}");
        }
        // The kernel flushes the routes of all tables, and brings only those of addresses back.
        blue.ip("link set net2 down");
        blue.ip("link set net2 up");
        reconcile(host);
        assert_eq!(sorted(shown()), before, "down and up");
    });
}

#[test]
fn two_interfaces_on_one_subnet_answer_each_for_itself() {
    on_a_host(|host| {
        let again = VETH.replacen(
            "interface = \"net2\"",
            "interface = \"net2\"\nsysctls = { arp_announce = 1 }",
            1,
        );
        host.configure(&again.replace("172.16.0.1-172.16.3.250/22", "192.168.0.2-192.168.0.9/24"));
        let blue = given(host);
        let values = |interface: &str| {
            ["arp_ignore", "arp_announce", "rp_filter"].map(|switch| {
                let path = format!("/proc/sys/net/ipv4/conf/{interface}/{switch}");
                blue.inside(|| std::fs::read_to_string(path).unwrap().trim().to_owned())
            })
        };
        assert_eq!(values("net1"), ["1", "2", "2"]);
        assert_eq!(values("net2"), ["1", "1", "2"], "what the network says goes before");
        let green = host.sandbox("green").quiet();
        host.attach(&green, "storage", &[]).ok();
        let alone = "/proc/sys/net/ipv4/conf/net1/arp_ignore";
        let value = green.inside(|| std::fs::read_to_string(alone).unwrap());
        assert_eq!(value.trim(), "0", "an interface that is alone is as the kernel made it");
    });
}

#[test]
fn two_default_routes_of_one_metric_are_refused_beforehand() {
    on_a_host(|host| {
        host.configure(&several_ways().replace("metric = 300\n", ""));
        let blue = host.sandbox("blue").quiet();
        let inside = Dump::of_sandbox(&blue);
        let said = host.attach(&blue, "storage", BOTH);
        said.must_exit(2).must_say(&["storage", "backup", "metric"]);
        inside.must_be_again_in(&blue);
    });
}

#[test]
fn tables_that_somebody_uses_are_left_to_them() {
    on_a_host(|host| {
        host.configure(&several_ways());
        let blue = host.sandbox("blue").quiet();
        blue.ip("link set lo up");
        blue.ip("route add blackhole 10.77.0.0/16 table 11800");
        host.attach(&blue, "storage", BOTH).ok();
        let rules = blue.ip("rule show");
        assert!(rules.contains("lookup 11801") && rules.contains("lookup 11802"), "{rules}");
        assert!(!rules.contains("lookup 11800"), "{rules}");
        host.detach(&blue).ok();
        assert!(blue.ip("route show table 11800").contains("10.77.0.0/16"));
    });
}

#[test]
fn a_dry_run_tells_of_rules_and_tables() {
    on_a_host(|host| {
        host.configure(&several_ways());
        let blue = host.sandbox("blue").quiet();
        let said = host.attach(&blue, "storage", &["--network", "backup", "--dry-run"]);
        said.must_say(&[
            "add rule from 192.168.0.",
            "lookup 11800 priority 11800",
            "table 500",
            "delete rule",
        ]);
        assert!(!blue.ip("rule show").contains("11800"));
    });
}
