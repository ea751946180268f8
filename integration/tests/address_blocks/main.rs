//! Addresses that are the whole cluster's, with a real API server: the definition by its own validation, and two nodes on one wire and one
//! range whose agents are killed, whose server is away, and comes back as it once was. No address is in two places.
#![cfg(test)]

mod networks;
mod node;
mod plane;

use std::{
    collections::BTreeSet,
    thread::sleep,
    time::{Duration, Instant},
};

use node::{Attached, Node};
use plane::{Plane, eventually};
use serde_json::{Value, json};

fn block(name: &str, changes: &[(&str, Value)]) -> Value {
    let mut block = json!({
        "apiVersion": "vfhook.dev/v1alpha1", "kind": "AddressBlock",
        "metadata": { "name": name },
        "spec": {
            "network": "other", "addresses": "192.168.0.16/28", "family": "IPv4",
            "node": "node-a", "machine": "0123456789abcdef", "format": 1, "phase": "Active"
        }
    });
    for (key, value) in changes {
        block["spec"][*key] = value.clone();
    }
    block
}

/// What the server itself makes of the definition, and of blocks that are none.
fn judges_blocks(plane: &Plane) {
    eventually("a field is explained", || {
        let said = plane.try_kubectl(&["explain", "addressblocks.spec.machine"]).stdout;
        let said = String::from_utf8_lossy(&said).into_owned();
        // Its lines are broken.
        let said: Vec<&str> = said.split_whitespace().collect();
        said.join(" ").contains("another one of the same name is another").then_some(())
    });
    let name = "other-c0a80010-28";
    for (name, changes, why) in [
        (name, vec![("addresses", json!("192.168.0.17/28"))], "FIRST the first of them"),
        (name, vec![("addresses", json!("storage"))], "FIRST/PREFIX"),
        (name, vec![("family", json!("IPv6"))], "family is not that of addresses"),
        (name, vec![("addresses", json!("192.168.0.0/23"))], "256 addresses at most"),
        (name, vec![("phase", json!("off"))], "supported values"),
        (name, vec![("format", json!(0))], "greater than or equal to 1"),
        (name, vec![("node", json!("n".repeat(300)))], "Too long"),
        (name, vec![("machine", json!("../x"))], "should match"),
        ("storage-c0a80010-28", vec![], "is called NETWORK-FIRST-PREFIX"),
    ] {
        let said = plane.apply("wrong", &block(name, &changes)).unwrap_err();
        assert!(said.contains(why), "{why}: {said}");
    }
    plane.apply("right", &block(name, &[])).unwrap();
    for change in [("node", json!("node-b")), ("addresses", json!("192.168.0.32/28"))] {
        let said = plane.apply("changed", &block(name, &[change])).unwrap_err();
        assert!(said.contains("only phase changes"), "{said}");
    }
    plane.apply("marked", &block(name, &[("phase", json!("Draining"))])).unwrap();
    let shown = plane.kubectl(&["get", "vfblock", "-o", "wide"]);
    let words: BTreeSet<&str> = shown.split_whitespace().collect();
    for word in ["NETWORK", "ADDRESSES", "NODE", "PHASE", "other", "192.168.0.16/28", "Draining"] {
        assert!(words.contains(word), "{word}: {shown}");
    }
}

/// By its token a node's agent touches its own node's blocks, and no other's.
fn keeps_to_its_own(plane: &Plane, node: &Node) {
    let token = node.token("node-a");
    let object = plane.file("of-another");
    let theirs = block(
        "other-c0a80020-28",
        &[("node", json!("node-b")), ("addresses", json!("192.168.0.32/28"))],
    );
    std::fs::write(&object, theirs.to_string()).unwrap();
    let create = ["--token", token.trim(), "create", "-f", object.to_str().unwrap()];
    let output = plane.try_kubectl(&create);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("its own node's blocks only"), "{said}");
    plane.kubectl(&["delete", "addressblock", "other-c0a80010-28"]);
}

fn none_twice(nodes: &[&Node]) {
    let all: Vec<_> = nodes.iter().flat_map(|node| node.addresses()).collect();
    let each: BTreeSet<_> = all.iter().collect();
    assert_eq!(each.len(), all.len(), "an address is in two places: {all:?}");
}

/// Takes pods until nothing was free for a while; gives what was said then.
fn fill(node: &mut Node, patience: Duration) -> String {
    let mut since = Instant::now();
    loop {
        match node.attach() {
            Attached::Has(_) => since = Instant::now(),
            Attached::Refused(code, said) => {
                assert_eq!(code, 3, "{said}");
                if since.elapsed() > patience {
                    return said;
                }
                sleep(Duration::from_millis(100));
            }
        }
    }
}

fn refused(node: &mut Node, why: &str) {
    match node.attach() {
        Attached::Refused(3, said) => assert!(said.contains(why), "{said}"),
        other => panic!("{other:?}"),
    }
}

/// What is told of when it was.
struct Story(Instant);

impl Story {
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn at(&self, what: &str) {
        println!("{:5.1} s: {what}", self.0.elapsed().as_secs_f32());
    }
}

#[test]
fn blocks_are_judged_and_both_nodes_give_from_their_own() {
    let story = Story::begin();
    let plane = Plane::start("judged");
    story.at("the server answers");
    judges_blocks(&plane);
    let (mut a, mut b) = (Node::start(&plane, "node-a", 2), Node::start(&plane, "node-b", 3));
    refused(&mut a, "network storage: ");
    keeps_to_its_own(&plane, &a);
    story.at("blocks are judged");
    for _ in 0..3 {
        a.must_attach();
        b.must_attach();
    }
    none_twice(&[&a, &b]);
    let (of_a, of_b) = (a.blocks(), b.blocks());
    assert!(!of_a.is_empty() && !of_b.is_empty() && of_a.iter().all(|one| !of_b.contains(one)));
    story.at("both give");
    // An agent that died says nothing more, and what it said ends.
    b.kill_agent();
    sleep(Duration::from_millis(1500));
    refused(&mut b, "was not said again in time");
    b.start_agent();
    b.must_attach();
    none_twice(&[&a, &b]);
    story.at("an agent came back");
}

#[test]
#[ignore = "takes more than a minute: run by name"]
fn no_address_is_twice_through_an_outage_and_an_old_copy() {
    let story = Story::begin();
    let plane = Plane::start("copy");
    let (mut a, mut b) = (Node::start(&plane, "node-a", 2), Node::start(&plane, "node-b", 3));
    a.must_attach();
    for _ in 0..3 {
        b.must_attach();
    }
    // What comes after this is unknown to the copy.
    plane.end();
    plane.copy("etcd", "old");
    plane.begin();
    let before: BTreeSet<String> = b.blocks().into_iter().collect();
    for _ in 0..8 {
        b.must_attach();
    }
    let new: Vec<String> = b.blocks().into_iter().filter(|new| !before.contains(new)).collect();
    assert!(!new.is_empty(), "{before:?}");
    // It hears of the server again, too.
    a.must_attach();
    none_twice(&[&a, &b]);
    story.at("a node has blocks that the copy knows nothing of");

    // Without a server what is known is given from, for a while; what is there stays and is taken back.
    plane.end();
    assert!(matches!(a.attach(), Attached::Has(_)));
    b.kill_agent();
    sleep(Duration::from_secs(10));
    refused(&mut a, "was not said again in time");
    let first = a.pods.keys().next().unwrap().clone();
    a.detach(&first);
    story.at("the server was away for longer than it may be");

    // The old copy offers what the other node's pods have: the wire tells.
    plane.copy("old", "etcd");
    plane.begin();
    let left = b.blocks();
    assert!(new.iter().all(|lost| !left.contains(lost)), "{left:?}");
    let said = fill(&mut a, Duration::from_secs(6));
    assert!(said.contains("no IPv4 address is free in this node's blocks"), "{said}");
    none_twice(&[&a, &b]);
    let log = std::fs::read_to_string(plane.file("node-a.log")).unwrap();
    assert!(log.contains("somebody on the wire has addresses of this node's block"));
    story.at("an old copy, and the wire was asked");
    b.start_agent();
    fill(&mut b, Duration::from_secs(3));
    none_twice(&[&a, &b]);
    story.at("the other one is back");

    all_end(&mut [&mut a, &mut b]);
    story.at("all is free again");
}

/// Pods come and go on both nodes while agents and the server die, drawn by `VFHOOK_SEED`.
#[test]
#[ignore = "takes minutes: run by name"]
fn no_address_is_twice_whatever_dies() {
    let seed = std::env::var("VFHOOK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("VFHOOK_SEED={seed}");
    let mut dice = seed;
    let mut draw = |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    let story = Story::begin();
    let plane = Plane::start("dies");
    let (mut a, mut b) = (Node::start(&plane, "node-a", 2), Node::start(&plane, "node-b", 3));
    a.must_attach();
    b.must_attach();
    let (mut given, mut refusals) = (0, 0);
    for turn in 0..200 {
        let node = if draw(2) == 0 { &mut a } else { &mut b };
        match draw(20) {
            0 | 1 => {
                node.kill_agent();
                node.start_agent();
            }
            2 if turn % 5 == 0 => {
                plane.end();
                plane.begin();
            }
            3..=8 => {
                let which = usize::try_from(draw(64)).unwrap();
                let id = node.pods.keys().cycle().nth(which).cloned();
                if let Some(id) = id {
                    node.detach(&id);
                }
            }
            _ => match node.attach() {
                Attached::Has(_) => given += 1,
                Attached::Refused(code, said) => {
                    assert_eq!(code, 3, "{said}");
                    refusals += 1;
                    sleep(Duration::from_millis(200));
                }
            },
        }
        none_twice(&[&a, &b]);
    }
    story.at(&format!("{given} given, {refusals} refused"));
    assert!(given > 30, "{given}");
    all_end(&mut [&mut a, &mut b]);
    story.at("all is free again");
}

/// A node whose machine is gone, and one that is there: the blocks of the first come free, marked before they are deleted.
#[test]
#[ignore = "takes a minute: run by name"]
fn blocks_of_a_node_that_is_gone_come_free() {
    let story = Story::begin();
    let plane = Plane::start("gone");
    let (mut a, mut b) = (Node::start(&plane, "node-a", 2), Node::start(&plane, "node-b", 3));
    a.must_attach();
    b.must_attach();
    for node in [&a, &b] {
        node.tells_its_machine();
    }
    let kept = a.blocks();
    b.kill_agent();
    plane.kubectl(&["delete", "node", "node-b"]);
    let began = Instant::now();
    let _reclaim = plane.reclaim(18);
    eventually("the blocks are marked", || {
        plane.kubectl(&["get", "addressblocks"]).contains("Draining").then_some(())
    });
    assert!(began.elapsed() > Duration::from_secs(8), "{:?}", began.elapsed());
    story.at("marked");
    b.comes_to(0..=0);
    assert!(began.elapsed() > Duration::from_secs(25), "{:?}", began.elapsed());
    assert!(kept.iter().all(|block| a.blocks().contains(block)), "{kept:?}");
    story.at("free");
}

/// Ends all pods: nothing is lost.
fn all_end(nodes: &mut [&mut Node]) {
    for node in nodes.iter_mut() {
        let all: Vec<String> = node.pods.keys().cloned().collect();
        for id in all {
            node.detach(&id);
        }
    }
    for node in nodes {
        node.comes_to(1..=2);
        node.must_attach();
    }
}
