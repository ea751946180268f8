//! Addresses that are the whole cluster's: given by what was published for this node, and by nothing else; resting after their sandbox.
#![cfg(test)]

mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use address_blocks::{Cell, Grant, Granted, Standing, Uid, Version};
use support::{
    host::{parse, usual},
    stage::{event, in_time, on_tmpfs},
};
use tempfile::TempDir;
use vfhook::{
    config,
    kernel::fake::FakeHost,
    lease::{LeaseStore, TableLock, since_boot},
    operation::{self, Context, ExitCode, OperationError, Which},
    request::{self, SandboxEvent},
};

const CONFIG: &str = r#"version = 1
[cluster]
rest = 1
[[pool]]
name = "lan"
kind = "macvlan"
pf = ["lan0"]
[[network]]
name = "storage"
pool = "lan"
interface = "net1"
addresses = ["10.0.0.0-10.0.0.40/24"]
gateway = ["10.0.0.1"]
cluster = { block = 4 }
allow = { addresses = true }
"#;

struct Node {
    host: FakeHost,
    context: Context,
    directory: TempDir,
}

impl Node {
    fn new() -> Self {
        let mut machine = usual();
        for id in ["blue", "red", "green", "grey"] {
            machine.add_sandbox(format!("/run/netns/{id}"));
        }
        let directory = on_tmpfs();
        let leases = LeaseStore::open(&directory.path().join("state")).unwrap();
        let context = Context { config: config::parse(CONFIG).unwrap(), leases };
        Self { host: FakeHost::new(machine), context, directory }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("state/grants/storage.4")
    }

    /// Publishes these blocks, as what was known so many milliseconds ago and is good for `valid`.
    fn publish(&self, blocks: &[(u8, Standing)], valid: u32, ago: u64) {
        let table = self.context.leases.lock(in_time()).unwrap();
        publish_under(&table, blocks, valid, ago);
    }

    fn attach(&self, id: &str, annotation: &str) -> Result<IpAddr, OperationError> {
        let (event, context) = (asking(id, annotation), &self.context);
        let done = operation::attach(&mut self.host.kernel(), context, &event, in_time());
        done.map(|report| report.networks[0].addresses[0].addr())
    }

    fn refused(&self, id: &str, annotation: &str, why: &str) {
        let error = self.attach(id, annotation).expect_err(id);
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.exit_code(), ExitCode::NothingFree);
        assert!(error.hint().is_some(), "{error}");
        assert_eq!(self.context.leases.all().unwrap().0.len(), 0, "nothing was touched");
    }

    fn detach(&self, id: &str) {
        let which = Which::Id(parse(id));
        operation::detach(&mut self.host.kernel(), &self.context, &which, in_time()).unwrap();
    }
}

fn asking(id: &str, annotation: &str) -> SandboxEvent {
    let networks = request::networks(annotation).unwrap();
    event(id, &format!("/run/netns/{id}"), &networks)
}

fn publish_under(table: &TableLock, blocks: &[(u8, Standing)], valid: u32, ago: u64) {
    let granted =
        |standing| Granted { uid: Uid(7), version: Version(9), standing, blocked: BTreeSet::new() };
    let blocks: BTreeMap<_, _> = blocks
        .iter()
        .map(|(first, standing)| (Cell::around(address(*first), 30), granted(*standing)))
        .collect();
    let grant = Grant { blocks, valid, hold: valid };
    let decided = since_boot().unwrap() - ago;
    table.publish_grant(&parse("storage"), false, &grant, decided).unwrap();
}

fn address(last: u8) -> IpAddr {
    [10, 0, 0, last].into()
}

#[test]
fn nothing_is_given_that_nobody_granted_or_not_any_more() {
    let node = Node::new();
    node.refused("blue", "storage", "nothing says which of the cluster's IPv4 addresses");
    node.publish(&[(8, Standing::Open)], 500, 600);
    node.refused("blue", "storage", "was not said again in time");
    for standing in [Standing::Unchecked, Standing::Leaving, Standing::Guest] {
        node.publish(&[(8, standing)], 60_000, 0);
        node.refused("blue", "storage", "(0 open, 1 not)");
    }
    node.publish(&[(8, Standing::Open)], 60_000, 0);
    let given = node.attach("blue", "storage").unwrap();
    assert!((8..12).map(address).any(|own| own == given), "{given}");
}

#[test]
fn what_is_granted_is_given_and_nothing_beside() {
    let node = Node::new();
    // Its first addresses are the network's own and the gateway.
    node.publish(&[(0, Standing::Open)], 60_000, 0);
    let given = BTreeSet::from(["blue", "red"].map(|id| node.attach(id, "storage").unwrap()));
    assert_eq!(given, BTreeSet::from([2, 3].map(address)));
    let error = node.attach("green", "storage").unwrap_err().to_string();
    assert!(
        error.contains("no IPv4 address is free in this node's blocks (1 open, 0 not)"),
        "{error}"
    );
    // One that is asked for by itself is another node's, or this one's.
    let asks = |last| format!(r#"[{{"name":"storage","addresses":["10.0.0.{last}/24"]}}]"#);
    let error = node.attach("green", &asks(9)).unwrap_err().to_string();
    assert!(error.contains("10.0.0.9 is in none of this node's blocks"), "{error}");
    node.publish(&[(0, Standing::Guest), (8, Standing::Open)], 60_000, 0);
    assert_eq!(node.attach("green", &asks(9)).unwrap(), address(9));
}

#[test]
fn an_address_rests_after_its_sandbox() {
    let node = Node::new();
    node.publish(&[(0, Standing::Open)], 60_000, 0);
    for id in ["blue", "red"] {
        node.attach(id, "storage").unwrap();
    }
    let network = parse("storage");
    let leases = node.context.leases.addresses_of(&network).unwrap();
    assert_eq!(leases.used().count(), 2);
    node.detach("blue");
    node.detach("red");
    let rests = [2, 3].map(|last| node.context.leases.rests(&network, address(last)).unwrap());
    assert!(rests.iter().all(|left| (1..=1000).contains(left)), "{rests:?}");
    node.refused("green", "storage", "is free in this node's blocks");
    let leases = node.context.leases.addresses_of(&network).unwrap();
    assert_eq!((leases.used().count(), leases.is_free(address(2))), (0, false));
    std::thread::sleep(Duration::from_millis(1100));
    node.attach("green", "storage").unwrap();
    let resting =
        || std::fs::read_dir(node.directory.path().join("state/resting")).unwrap().count();
    assert_eq!(resting(), 2);
    node.context.leases.lock(in_time()).unwrap().forget_rested(&network).unwrap();
    assert_eq!(resting(), 0);
}

#[test]
fn what_cannot_be_believed_gives_nothing() {
    let node = Node::new();
    node.publish(&[(8, Standing::Open)], 60_000, 0);
    let right = std::fs::read_to_string(node.file()).unwrap();
    for (from, to) in [
        ("\"version\":1", "\"version\":2"),
        ("\"valid\"", "\"more\":1,\"valid\""),
        ("0a000008-30", "0a000009-30"),
        ("0a000008-30", "../../etc-30"),
        ("\"open\"", "\"given\""),
        ("00000007\"", "7\""),
        ("\"open\"", "\"open\",\"blocked\":[\"10.0.0.99\"]"),
        ("}", ""),
    ] {
        let wrong = right.replacen(from, to, 1);
        assert_ne!(wrong, right, "{from}");
        std::fs::write(node.file(), &wrong).unwrap();
        let error = node.attach("blue", "storage").expect_err(&wrong).to_string();
        assert!(error.contains("grants/storage.4"), "{error}");
    }
    // Of another run of the machine, or of a time that has not come.
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let future = format!("\"written\":9{}", since_boot().unwrap());
    let now = right.split("\"written\":").nth(1).unwrap().split(',').next().unwrap();
    for (from, to) in [
        (boot.trim(), "00000000-0000-4000-8000-000000000000"),
        (&*format!("\"written\":{now}"), &*future),
    ] {
        std::fs::write(node.file(), right.replacen(from, to, 1)).unwrap();
        node.refused("blue", "storage", "nothing says which");
    }
}

/// What is published while somebody attaches counts: what was chosen before is looked at again under the lock under which it is recorded.
#[test]
fn a_block_that_goes_meanwhile_is_not_given_from() {
    let node = Node::new();
    node.publish(&[(8, Standing::Open)], 60_000, 0);
    let table = node.context.leases.lock(in_time()).unwrap();
    let given = std::thread::scope(|scope| {
        let attaching = scope.spawn(|| node.attach("blue", "storage").unwrap());
        // It chooses, and waits for the lock.
        std::thread::sleep(Duration::from_millis(300));
        publish_under(&table, &[(12, Standing::Open)], 60_000, 0);
        drop(table);
        attaching.join().unwrap()
    });
    assert!(
        (12..16).map(address).any(|kept| kept == given),
        "{given} was given after its block was gone"
    );
}
