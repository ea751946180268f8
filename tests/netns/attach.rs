//! Attaching by hand on a real kernel: what is in the sandbox afterwards, and that it works. What is said of it is
//! `answers`' to check, what is left of it `trace`'s.

use std::time::Duration;

use crate::netns_support::{
    container::Container,
    eventually::eventually,
    host::{Host, on_a_host, write_sysctl},
    sandbox::Sandbox,
    traffic::{Backend, ask},
};
use vfhook::{
    operation::{self, AttachReport, How},
    request::{NetworkRequest, SandboxEvent},
    types::Deadline,
};

#[test]
fn a_sandbox_gets_addresses_routes_and_mtu() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).must_exit(0).must_say(&["attached", "net1", "svc0"]);

        assert_eq!(blue.links(), ["net1", "svc0"]);
        let net1 = blue.link("net1");
        assert_eq!(net1["mtu"], 1400, "{net1}");
        assert_eq!(net1["operstate"], "UP", "{net1}");
        assert_eq!(net1["linkinfo"]["info_kind"], "macvlan", "{net1}");
        assert!(net1["ifalias"].as_str().is_some_and(|alias| alias.starts_with("vfhook:")));
        let addresses = blue.addresses("net1");
        assert!(
            matches!(&addresses[..], [v4, v6] if v4.starts_with("192.168.0.")
                && v4.ends_with("/24") && v6.starts_with("fd00:10::1") && v6.ends_with("/64")),
            "{addresses:?}"
        );
        assert!(blue.default_route("-4").starts_with("default via 192.168.0.1 dev net1"));
        assert!(blue.default_route("-6").starts_with("default via fd00:10::1 dev net1"));
        let service = blue.routes("10.96.0.0/12");
        assert!(service.contains("via 169.254.1.1 dev svc0") && service.contains("src 169.254."));
        let service = blue.routes("fd00:96::/108");
        assert!(service.contains("via fe80::1 dev svc0") && service.contains("src fd00:97::"));

        host.detach(&blue).must_exit(0).must_say(&["detached"]);
        assert_eq!(blue.links(), [""; 0]);
    });
}

/// Duplicate address detection would keep an address from being used for a second after a container began.
#[test]
fn addresses_can_be_used_at_once() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage", &[]).ok();
        let shown = blue.ip("address show scope global");
        assert!(shown.contains("fd00:10::1") && !shown.contains("tentative"), "{shown}");
    });
}

#[test]
fn a_pid_does_as_well_as_a_path() {
    on_a_host(|host| {
        let container = Container::with_own_namespace(host, "c1");
        let pid = container.pid().to_string();
        host.vfhook(&["attach", "--pid", &pid, "--network", "backup", "--id", "c1"]).ok();
        let inside = container.sandbox();
        assert_eq!(inside.links(), ["net2", "svc0"]);
        host.vfhook(&["detach", "--pid", &pid]).must_exit(0).must_say(&["detached"]);
        assert_eq!(inside.links(), [""; 0]);
    });
}

/// Attaches `storage` as a request by annotation does, with these choices.
fn choose(host: &Host, sandbox: &Sandbox, addresses: &[&str]) -> AttachReport {
    let event = SandboxEvent {
        origin: vfhook::types::Origin::Command,
        id: "blue".parse().unwrap(),
        netns: sandbox.source(),
        pod: None,
        namespace: None,
        networks: vec![NetworkRequest {
            interface: Some("data0".parse().unwrap()),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            mac: Some("02:00:5e:00:53:01".parse().unwrap()),
            ..NetworkRequest::plain("storage".parse().unwrap())
        }],
        service_path_off: true,
        outside: None,
        primary: None,
        wording: None,
        more_to_come: false,
    };
    let deadline = Deadline::after(Duration::from_secs(10));
    operation::attach(&mut host.kernel(), &host.context(), &event, deadline)
        .unwrap_or_else(|error| panic!("{error}: {error:?}"))
}

#[test]
fn a_request_chooses_its_mac_address_name_and_addresses() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        let report = choose(host, &blue, &["192.168.0.40/24", "fd00:10::140/64"]);
        assert_eq!(report.how, How::Attached);
        assert_eq!(report.networks[0].mac.unwrap().to_string(), "02:00:5e:00:53:01");
        assert_eq!(blue.links(), ["data0"]);
        assert_eq!(blue.link("data0")["address"], "02:00:5e:00:53:01");
        assert_eq!(blue.addresses("data0"), ["192.168.0.40/24", "fd00:10::140/64"]);
    });
}

/// The network has gateways of both families; the one that the sandbox has no address for cannot be reached.
#[test]
fn a_request_that_chooses_one_family_gets_the_route_of_that_family() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        choose(host, &blue, &["192.168.0.40/24"]);
        assert_eq!(blue.addresses("data0"), ["192.168.0.40/24"]);
        assert!(blue.default_route("-4").contains("via 192.168.0.1 dev data0"));
        assert_eq!(blue.default_route("-6"), "");
    });
}

#[test]
fn the_gateway_answers_over_the_card() {
    on_a_host(|host| {
        let (blue, wire) = (host.sandbox("blue"), host.wire());
        host.attach(&blue, "storage", &[]).ok();
        for at in ["192.168.0.1:7", "[fd00:10::1]:7"] {
            let gateway = Backend::listen(&wire, at);
            let answer = ask(&blue, at).unwrap_or_else(|error| panic!("{at}: {error}"));
            let seen = gateway.served();
            assert_eq!(answer, seen.to_string());
            let own = blue.addresses("net1");
            assert!(own.iter().any(|own| own.starts_with(&format!("{}/", seen.ip()))), "{seen}");
        }
    });
}

/// Whoever knew an address before must hear where it is now: nobody answers at the old MAC any more.
#[test]
fn the_gateway_hears_of_the_new_mac_of_an_address() {
    on_a_host(|host| {
        let (blue, wire) = (host.sandbox("blue"), host.wire());
        eventually("the gateway listens", || wire.routes("ff00::/8 table local").contains("wire0"));
        host.attach(&blue, "storage", &[]).ok();
        let addresses = blue.addresses("net1");
        let known = || addresses.iter().filter_map(|address| address.split('/').next());
        for address in known() {
            let stale = format!("{address} lladdr 02:00:00:00:00:99 dev wire0 nud stale");
            wire.ip(&format!("neighbour replace {stale}"));
        }
        host.detach(&blue).ok();
        host.attach(&blue, "storage", &[]).ok();
        let mac = blue.link("net1")["address"].as_str().unwrap().to_owned();
        eventually("the gateway knows the new MAC", || {
            let shown = wire.ip("neighbour show dev wire0");
            known().all(|address| shown.contains(&format!("{address} lladdr {mac}")))
        });
    });
}

#[test]
fn sandboxes_on_one_card_have_addresses_and_macs_of_their_own() {
    on_a_host(|host| {
        let (blue, red) = (host.sandbox("blue"), host.sandbox("red"));
        for sandbox in [&blue, &red] {
            host.attach(sandbox, "storage", &[]).ok();
        }
        assert_ne!(blue.addresses("net1"), red.addresses("net1"));
        for name in ["net1", "svc0"] {
            assert_ne!(blue.link(name)["address"], red.link(name)["address"], "{name}");
        }
    });
}

#[test]
fn several_networks_at_once_under_chosen_names() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        host.attach(&blue, "storage@fast0", &["--network", "backup@slow0", "--no-service-path"])
            .ok();
        assert_eq!(blue.links(), ["fast0", "slow0"]);
        assert!(blue.default_route("-4").contains("dev fast0"));
        host.detach(&blue).ok();
        assert_eq!(blue.links(), [""; 0]);
    });
}

#[test]
fn a_sandbox_without_ipv6_gets_it_for_what_vfhook_adds() {
    on_a_host(|host| {
        let blue = host.sandbox("blue");
        blue.inside(|| write_sysctl("ipv6/conf/default/disable_ipv6", "1"));
        host.attach(&blue, "storage", &[]).ok();
        assert_eq!(blue.addresses("net1").len(), 2, "{:?}", blue.addresses("net1"));
        assert_eq!(blue.addresses("svc0").len(), 2, "{:?}", blue.addresses("svc0"));
    });
}
