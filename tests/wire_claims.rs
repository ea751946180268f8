//! What one sandbox has on a wire, no other has there: addresses and MACs, whatever network or pool they were given for, and nothing
//! that the host has. On another wire they may be had again.
#![cfg(test)]

mod support;

use std::fs;

use support::{
    host::{CARD, VFS, parse, usual, vf},
    stage::{event, in_time, on_tmpfs},
};
use tempfile::TempDir;
use vfhook::{
    config,
    inventory::XdpMode,
    kernel::fake::{CardTemplate, Driver, FakeHost},
    lease::LeaseStore,
    operation::{self, AttachReport, Context, Which},
    request,
};

const FAST: &str = "[[pool]]\nname = \"fast\"\nkind = \"sriov\"\npf = [\"ens1f0\"]\n";
const FIRST: &str =
    "[[pool]]\nname = \"first\"\nkind = \"sriov\"\npf = [\"ens1f0\"]\nvf = [\"0-1\"]\n";
const REST: &str =
    "[[pool]]\nname = \"rest\"\nkind = \"sriov\"\npf = [\"ens1f0\"]\nvf = [\"1-2\"]\n";
const ON_CARD: &str = "[[pool]]\nname = \"on-card\"\nkind = \"macvlan\"\npf = [\"ens1f0\"]\n";
const LAN: &str = "[[pool]]\nname = \"lan\"\nkind = \"macvlan\"\npf = [\"lan0\"]\n";
const BOTH: &str = "[[pool]]\nname = \"both\"\nkind = \"sriov\"\npf = [\"ens1f0\", \"ens2f0\"]\n";
const SECOND: &str = "[[pool]]\nname = \"second\"\nkind = \"sriov\"\npf = [\"ens2f0\"]\n";

/// The MAC of the physical function.
const PF_MAC: &str = "02:00:5e:00:53:f0";

/// A network with one address to give, and whatever else it says.
fn network(name: &str, pool: &str, more: &str) -> String {
    format!(
        "[[network]]\nname = \"{name}\"\npool = \"{pool}\"\ninterface = \"{name}\"\naddresses = [\"192.168.0.100/24\"]\n\
         allow = {{ addresses = true, mac = true }}\n{more}\n"
    )
}

struct Node {
    host: FakeHost,
    context: Context,
    directory: TempDir,
}

impl Node {
    /// Two cards, and this configuration.
    fn with(parts: &[&str]) -> Self {
        let mut machine = usual();
        let template = CardTemplate {
            address: parse("0000:02:00.0"),
            name: parse("ens2f0"),
            vfs: vec![parse("0000:02:10.0"), parse("0000:02:10.1")],
            driver: Driver::default(),
        };
        machine.add_card(&template, |_, _, _| {});
        machine.host.link_mut("ens1f0").unwrap().facts.mac = Some(parse(PF_MAC));
        for id in ["blue", "red", "green"] {
            machine.add_sandbox(format!("/run/netns/{id}"));
        }
        let directory = on_tmpfs();
        let leases = LeaseStore::open(&directory.path().join("state")).unwrap();
        let text = format!("version = 1\n{}", parts.concat());
        let context = Context { config: config::parse(&text).unwrap(), leases };
        Self { host: FakeHost::new(machine), context, directory }
    }

    fn attach(&self, id: &str, annotation: &str) -> AttachReport {
        self.try_attach(id, annotation).unwrap_or_else(|error| panic!("{id}: {error}"))
    }

    fn refused(&self, id: &str, annotation: &str) -> String {
        match self.try_attach(id, annotation) {
            Ok(report) => panic!("{id} was given {report:?}"),
            Err(message) => message,
        }
    }

    fn try_attach(&self, id: &str, annotation: &str) -> Result<AttachReport, String> {
        let networks = request::networks(annotation).map_err(|error| error.to_string())?;
        let event = event(id, &format!("/run/netns/{id}"), &networks);
        operation::attach(&mut self.host.kernel(), &self.context, &event, in_time())
            .map_err(|error| error.to_string())
    }

    fn detach(&self, id: &str) {
        let which = Which::Id(parse(id));
        operation::detach(&mut self.host.kernel(), &self.context, &which, in_time()).unwrap();
    }

    fn claims(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path().join("state/claims")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Makes the only lease one of the version that knew no wires.
    fn forget_wires(&self) {
        let mut files = fs::read_dir(self.directory.path().join("state/leases")).unwrap();
        let file = files.next().unwrap().unwrap().path();
        let mut lease: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        for had in lease["networks"].as_array_mut().unwrap() {
            had.as_object_mut().unwrap().remove("segments").unwrap();
        }
        fs::write(&file, lease.to_string()).unwrap();
        let is_new = |name: &String| name.starts_with("wire.") || name.starts_with("mac.");
        for name in self.claims().into_iter().filter(is_new) {
            fs::remove_file(self.directory.path().join("state/claims").join(name)).unwrap();
        }
    }
}

/// Both networks have the same one address; whether it is given twice.
fn given_twice(pools: &[&str], one: (&str, &str), other: (&str, &str)) -> bool {
    let networks = [network("a", one.0, one.1), network("b", other.0, other.1)].concat();
    let node = Node::with(&[&pools.concat(), &networks]);
    node.attach("blue", "a");
    let second = node.try_attach("red", "b");
    if let Err(message) = &second {
        assert!(message.contains("no free IPv4"), "{message}");
        // Who asks for it by name is told the same.
        let chosen = node.refused("red", r#"[{"name":"b","addresses":["192.168.0.100/24"]}]"#);
        assert!(chosen.contains("192.168.0.100") && chosen.contains("another sandbox"), "{chosen}");
        node.detach("blue");
        assert_eq!(node.claims(), [""; 0]);
        node.attach("red", "b");
    }
    second.is_ok()
}

#[test]
fn a_gateway_s_mac_is_not_chosen_and_a_silent_one_stops_nobody() {
    let with_gateway = network("a", "fast", "gateway = [\"192.168.0.1\"]");
    let node = Node::with(&[FAST, &with_gateway]);
    node.host.with(|machine| {
        machine.host.link_mut("ens1f0").unwrap().facts.up = true;
        machine.neighbours.insert(parse("192.168.0.1"), parse("02:00:5e:00:53:77"));
    });
    let said = node.refused("blue", r#"[{"name":"a","mac":"02:00:5e:00:53:77"}]"#);
    assert!(said.contains("gateway 192.168.0.1"), "{said}");
    node.host.with(|machine| machine.neighbours.clear());
    node.attach("blue", r#"[{"name":"a","mac":"02:00:5e:00:53:77"}]"#);
}

#[test]
fn a_vf_with_an_xdp_program_is_in_use() {
    let node = Node::with(&[FAST, &network("a", "fast", "")]);
    node.host.with(|machine| {
        for name in ["ens1f0v0", "ens1f0v1", "ens1f0v2"] {
            let link = machine.host.link_mut(name).unwrap();
            link.facts.settings.as_mut().unwrap().xdp.insert(XdpMode::Native, 7);
        }
    });
    let said = node.refused("blue", "a");
    assert!(said.contains("has an XDP program"), "{said}");
}

#[test]
fn networks_of_one_wire_share_their_addresses() {
    let vlan = "vlan = { id = 100 }";
    for (pools, one, other) in [
        ([FAST, ""], ("fast", ""), ("fast", "mtu = 1400")),
        ([FAST, ""], ("fast", vlan), ("fast", "vlan = { id = 100, qos = 5 }")),
        ([FAST, ""], ("fast", ""), ("fast", "vlan = { id = 0 }")),
        ([FIRST, REST], ("first", ""), ("rest", "")),
        ([FIRST, REST], ("first", vlan), ("rest", vlan)),
        ([FAST, ON_CARD], ("fast", ""), ("on-card", "")),
        ([FAST, ON_CARD], ("on-card", ""), ("fast", "")),
        ([BOTH, SECOND], ("both", ""), ("second", "")),
        ([BOTH, SECOND], ("second", ""), ("both", "")),
        // The card may refuse the tag, and the network is content with that.
        ([FAST, ""], ("fast", "vlan = { id = 100 }\nbest_effort = [\"vlan\"]"), ("fast", "")),
    ] {
        assert!(!given_twice(&pools, one, other), "{one:?} {other:?}");
    }
}

#[test]
fn networks_of_different_wires_do_not() {
    let vlan = "vlan = { id = 100 }";
    for (pools, one, other) in [
        ([FAST, LAN], ("fast", ""), ("lan", "")),
        ([FAST, SECOND], ("fast", ""), ("second", "")),
        ([FAST, ""], ("fast", vlan), ("fast", "")),
        ([FAST, ""], ("fast", vlan), ("fast", "vlan = { id = 101 }")),
        ([FAST, ""], ("fast", vlan), ("fast", "vlan = { id = 100, protocol = \"802.1ad\" }")),
    ] {
        assert!(given_twice(&pools, one, other), "{one:?} {other:?}");
    }
}

#[test]
fn one_address_twice_in_a_request_is_refused_on_one_wire() {
    let networks = [network("a", "fast", ""), network("b", "fast", ""), network("c", "lan", "")];
    let node = Node::with(&[FAST, LAN, &networks.concat()]);
    let twice = |other: &str| {
        format!(
            r#"[{{"name":"a","addresses":["192.168.0.100/24"]}},{{"name":"{other}","addresses":["192.168.0.100/24"]}}]"#
        )
    };
    assert!(node.refused("blue", &twice("b")).contains("asked for twice"));
    node.attach("blue", &twice("c"));
}

#[test]
fn a_lease_of_a_version_that_knew_no_wires_keeps_its_addresses() {
    let networks = [
        network("a", "fast", ""),
        network("b", "fast", ""),
        network("c", "fast", "vlan = { id = 9 }"),
    ];
    let node = Node::with(&[FAST, &networks.concat()]);
    node.attach("blue", "a");
    node.forget_wires();
    for same in ["a", "b"] {
        assert!(node.refused("red", same).contains("no free IPv4"), "{same}");
    }
    node.attach("red", "c");
    node.detach("blue");
    node.attach("green", "b");
    for id in ["red", "green"] {
        node.detach(id);
    }
    assert_eq!(node.claims(), [""; 0]);
}

#[test]
fn the_hosts_own_addresses_are_given_to_nobody() {
    let node = Node::with(&[LAN, &network("a", "lan", "")]);
    // Wherever they are: the host answers for all of them on each of its interfaces.
    node.host.with(|machine| machine.host.add_link(&parse("dummy0"), [parse("192.168.0.100/32")]));
    assert!(node.refused("blue", "a").contains("no free IPv4"));
    let chosen = node.refused("blue", r#"[{"name":"a","addresses":["192.168.0.100/24"]}]"#);
    assert!(chosen.contains("192.168.0.100") && chosen.contains("this host"), "{chosen}");
    node.host.with(|machine| machine.host.remove_link("dummy0"));
    node.attach("blue", "a");
}

/// Asks for two networks with one MAC, the second only if it has a name.
fn with_mac(first: &str, second: &str, mac: &str) -> String {
    let names = [first, second].into_iter().filter(|name| !name.is_empty());
    let elements: Vec<String> =
        names.map(|name| format!(r#"{{"name":"{name}","mac":"{mac}"}}"#)).collect();
    format!("[{}]", elements.join(","))
}

/// Networks without addresses, so that only MACs matter.
fn networks_for_macs() -> String {
    let all = [
        network("a", "fast", ""),
        network("b", "on-card", ""),
        network("c", "lan", ""),
        network("d", "fast", "vlan = { id = 9 }"),
    ];
    [FAST, ON_CARD, LAN, &all.concat().replace("addresses = [\"192.168.0.100/24\"]\n", "")].concat()
}

#[test]
fn a_mac_is_had_once_on_a_wire() {
    const MAC: &str = "02:00:5e:00:53:01";
    let node = Node::with(&[&networks_for_macs()]);
    for pair in ["a", "b"] {
        assert!(node.refused("blue", &with_mac("a", pair, MAC)).contains("twice"), "{pair}");
    }
    node.attach("blue", &with_mac("a", "c", MAC));
    for other in ["a", "b", "c"] {
        let message = node.refused("red", &with_mac(other, "", MAC));
        assert!(message.contains(MAC) && message.contains("another sandbox"), "{message}");
    }
    node.attach("red", &with_mac("d", "", MAC));
    for id in ["blue", "red"] {
        node.detach(id);
    }
    assert_eq!(node.claims(), [""; 0]);
    node.attach("red", &with_mac("b", "", MAC));
}

#[test]
fn a_mac_of_the_hosts_own_on_that_card_cannot_be_chosen() {
    let node = Node::with(&[&networks_for_macs()]);
    let mac_of = |name: &str| {
        node.host.with(|machine| machine.host.link(name).unwrap().facts.mac.unwrap().to_string())
    };
    let (third, parent, assigned) = (mac_of("ens1f0v2"), mac_of("lan0"), "02:00:5e:00:53:77");
    node.host.with(|machine| {
        let card = machine.cards.get_mut(&parse(CARD)).unwrap();
        card.vfs[1].attributes.mac =
            Some(serde_json::from_str(&format!("\"{assigned}\"")).unwrap());
    });
    for (network, mac, whose) in [
        ("a", PF_MAC, CARD.to_owned()),
        ("b", PF_MAC, "ens1f0".to_owned()),
        ("a", &third, vf(2).to_string()),
        ("b", &third, vf(2).to_string()),
        ("a", assigned, vf(1).to_string()),
        ("c", &parent, "lan0".to_owned()),
    ] {
        let message = node.refused("blue", &with_mac(network, "", mac));
        assert!(message.contains(mac) && message.contains(&whose), "{message}");
    }
    // On another wire it is nobody's; and a VF may be told to have what it has.
    node.attach("blue", &with_mac("c", "", &third));
    node.attach("red", &with_mac("a", "", &mac_of("ens1f0v0")));
}

#[test]
fn a_vf_that_has_a_sandboxs_mac_by_itself_is_passed_over() {
    let node = Node::with(&[&networks_for_macs()]);
    let first = node.attach("blue", "a");
    node.host.with(|machine| {
        machine.host.link_mut("ens1f0v1").unwrap().facts.mac = first.networks[0].mac;
    });
    let second = node.attach("red", "a");
    assert_eq!(second.networks[0].device, Some(vf(VFS - 1)));
    let message = node.refused("green", "a");
    assert!(message.contains(&vf(1).to_string()) && message.contains("MAC"), "{message}");
}

/// Three addresses, and the wire is asked.
fn asking() -> String {
    let asking = network("a", "fast", "conflict_check = true");
    [FAST, &asking.replace("192.168.0.100/24", "192.168.0.100-192.168.0.102/24")].concat()
}

fn somebody_has(node: &Node, addresses: &[&str]) {
    let had = addresses.iter().map(|address| (parse::<std::net::IpAddr>(address), parse(PF_MAC)));
    node.host.with(|machine| machine.neighbours.extend(had));
}

#[test]
fn an_address_that_the_wire_has_is_passed_over() {
    for free in ["192.168.0.100", "192.168.0.101", "192.168.0.102"] {
        let node = Node::with(&[&asking()]);
        let all = ["192.168.0.100", "192.168.0.101", "192.168.0.102"];
        let others: Vec<&str> = all.into_iter().filter(|other| *other != free).collect();
        somebody_has(&node, &others);
        let given = node.attach("blue", "a");
        assert_eq!(given.networks[0].addresses, [parse(&format!("{free}/24"))]);
        node.detach("blue");
        somebody_has(&node, &[free]);
        let before = node.host.snapshot();
        assert!(node.refused("blue", "a").contains("put back"));
        let chosen = node.refused("blue", r#"[{"name":"a","addresses":["192.168.0.100/24"]}]"#);
        assert!(chosen.contains("put back"), "{chosen}");
        assert_eq!(before, node.host.snapshot());
        assert_eq!(node.claims(), [""; 0]);
    }
}

#[test]
fn a_network_that_does_not_ask_has_no_step_that_does() {
    let node = Node::with(&[FAST, &network("a", "fast", "")]);
    somebody_has(&node, &["192.168.0.100"]);
    node.attach("blue", "a");
}
