//! What happens while a sandbox and its devices are looked at: nobody waits for that at the lease table, nothing is given twice, and
//! what others took meanwhile is not given.
#![cfg(test)]

mod support;

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread,
    time::Duration,
};

use support::{
    host::{BLUE, CARD, parse, usual, vf},
    shape,
    stage::{Stage, event, in_time, on_tmpfs},
    table,
};
use tempfile::TempDir;
use vfhook::{
    config,
    kernel::fake::FakeHost,
    lease::{Lease, LeaseStore},
    operation::{self, Context, OperationError, Retry, Which},
    types::PciAddress,
};

/// What each network has: one address.
const NETWORKS: &str = r#"
version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
num_vfs = 2
[[pool]]
name = "one"
kind = "sriov"
pf = ["ens1f0"]
vf = ["0"]
[[pool]]
name = "lan"
kind = "macvlan"
pf = ["lan0"]
[[network]]
name = "fast"
pool = "fast"
interface = "net1"
[[network]]
name = "one"
pool = "one"
interface = "net1"
[[network]]
name = "lan"
pool = "lan"
interface = "net1"
addresses = ["192.168.0.100/24"]
"#;

/// A node that several work on.
struct Node {
    host: FakeHost,
    context: Context,
    /// The cookie of `blue`.
    blue: u64,
    directory: TempDir,
}

impl Node {
    fn new() -> Arc<Self> {
        let mut machine = usual();
        let [blue, _] = ["blue", "red"].map(|id| machine.add_sandbox(format!("/run/netns/{id}")));
        let directory = on_tmpfs();
        let leases = LeaseStore::open(&directory.path().join("state")).unwrap();
        let context = Context { config: config::parse(NETWORKS).unwrap(), leases };
        Arc::new(Self { host: FakeHost::new(machine), context, blue, directory })
    }

    /// Attaches the sandbox `id`, and does `meanwhile` when it is about to take its first look of this kind.
    fn attach_while(
        &self,
        id: &str,
        network: &str,
        look: &'static str,
        meanwhile: impl FnOnce() + Send + 'static,
    ) -> Result<(), OperationError> {
        let meanwhile = Mutex::new(Some(meanwhile));
        let host = self.host.watched(move |taken| {
            let due = (taken == look).then(|| meanwhile.lock().unwrap().take()).flatten();
            if let Some(meanwhile) = due {
                meanwhile();
            }
        });
        self.attach_on(&host, id, network)
    }

    fn attach(&self, id: &str, network: &str) -> Result<(), OperationError> {
        self.attach_on(&self.host, id, network)
    }

    fn attach_on(&self, host: &FakeHost, id: &str, network: &str) -> Result<(), OperationError> {
        let event = event(id, &format!("/run/netns/{id}"), &[parse(network)]);
        operation::attach(&mut host.kernel(), &self.context, &event, in_time()).map(drop)
    }

    fn leases(&self) -> Vec<Lease> {
        self.context.leases.all().unwrap().0
    }

    fn devices(&self) -> Vec<PciAddress> {
        let networks = self.leases().into_iter().flat_map(|lease| lease.networks);
        networks.filter_map(|had| had.device).collect()
    }
}

#[test]
fn nothing_is_looked_at_while_the_table_is_locked() {
    for shape in shape::all() {
        let stage = Stage::of(&shape);
        let looks = Arc::new(AtomicUsize::new(0));
        let (free, counted) = (table::must_be_free(&stage.state_dir()), Arc::clone(&looks));
        let host = stage.host.watched(move |look| {
            counted.fetch_add(1, Relaxed);
            free(look);
        });
        let (context, deadline) = (&stage.context, in_time());
        let given = event("blue", BLUE, &stage.requests);
        operation::preview_attach(&mut host.kernel(), context, &given, deadline).unwrap();
        operation::attach(&mut host.kernel(), context, &given, deadline).unwrap();
        let joined = event("second", BLUE, &stage.requests);
        operation::attach(&mut host.kernel(), context, &joined, deadline).unwrap();
        operation::status(&mut host.kernel(), context).unwrap();
        let is_gone = |_: &Lease| false;
        operation::reconcile(&mut host.kernel(), context, is_gone, Retry::Now, false, deadline)
            .unwrap();
        operation::audit(&mut host.kernel(), context, false, deadline).unwrap();
        let which = Which::Id(parse("blue"));
        operation::detach(&mut host.kernel(), context, &which, deadline).unwrap();
        assert!(looks.load(Relaxed) > 10, "{}", shape.name);
    }
}

#[test]
fn nothing_is_looked_at_for_provisioning_while_the_table_is_locked() {
    let node = Node::new();
    let free = table::must_be_free(&node.directory.path().join("state"));
    let mut kernel = node.host.watched(free).kernel();
    operation::provision(&mut kernel, &node.context, false, in_time()).unwrap();
    assert_eq!(node.host.with(|machine| machine.cards[&parse(CARD)].num_vfs), 2);
}

#[test]
fn a_device_that_is_looked_at_is_chosen_by_nobody_else() {
    let node = Node::new();
    let other = Arc::clone(&node);
    let meanwhile = move || {
        other.attach("red", "fast").unwrap();
        assert_eq!(other.devices(), [vf(1)]);
    };
    node.attach_while("blue", "fast", "observe_device", meanwhile).unwrap();
    assert_eq!(BTreeSet::from_iter(node.devices()), BTreeSet::from([vf(0), vf(1)]));
}

/// Lets `red` ask for the only device while `blue` looks at it and is then refused or not.
fn red_while_blue_looks(node: &Arc<Node>) -> [Result<(), OperationError>; 2] {
    let (other, (handing, running)) = (Arc::clone(node), mpsc::channel());
    let meanwhile = move || {
        let (telling, told) = mpsc::channel();
        let red = thread::spawn(move || {
            let tell = move || telling.send(()).unwrap();
            other.attach_while("red", "one", "physical_functions", tell)
        });
        told.recv().unwrap();
        // Long enough to be told that there is none, if it were.
        thread::sleep(Duration::from_millis(30));
        handing.send(red).unwrap();
    };
    let blue = node.attach_while("blue", "one", "observe_device", meanwhile);
    [blue, running.recv().unwrap().join().unwrap()]
}

#[test]
fn who_finds_only_what_another_looks_at_waits_and_is_told_that_it_is_leased() {
    let node = Node::new();
    let [blue, red] = red_while_blue_looks(&node);
    blue.unwrap();
    let told = red.unwrap_err().to_string();
    assert!(told.contains("no free VF (1 of 1 leased)"), "{told}");
}

#[test]
fn who_finds_only_what_another_looks_at_waits_and_gets_it_when_the_other_does_not() {
    let node = Node::new();
    // Blue is refused: it has an interface of that name.
    node.host.with(|machine| {
        machine.sandbox(node.blue).unwrap().add_link(&parse("net1"), []);
    });
    let [blue, red] = red_while_blue_looks(&node);
    assert!(blue.unwrap_err().to_string().contains("net1 exists"));
    red.unwrap();
    assert_eq!(node.devices(), [vf(0)]);
}

#[test]
fn an_address_that_is_given_meanwhile_is_not_given_again() {
    let node = Node::new();
    let other = Arc::clone(&node);
    // `ipv6` is asked after all has been chosen.
    let meanwhile = move || other.attach("red", "lan").unwrap();
    let told = node.attach_while("blue", "lan", "ipv6", meanwhile).unwrap_err().to_string();
    assert!(told.contains("no free IPv4 address"), "{told}");
    let held: Vec<String> = node.leases().iter().map(|lease| lease.id.to_string()).collect();
    assert_eq!(held, ["red"]);
}

#[test]
fn two_for_one_sandbox_see_nothing_of_each_others_work() {
    let node = Node::new();
    let other = Arc::clone(&node);
    let (started, running) = mpsc::channel();
    let meanwhile = move || {
        let twin = thread::spawn(move || {
            other.attach("blue", "fast")?;
            let which = Which::Id(parse("blue"));
            operation::detach(&mut other.host.kernel(), &other.context, &which, in_time()).map(drop)
        });
        // Long enough to attach and detach, if nobody kept it from that.
        thread::sleep(Duration::from_millis(30));
        started.send(twin).unwrap();
    };
    node.attach_while("blue", "fast", "observe_sandbox", meanwhile).unwrap();
    running.recv().unwrap().join().unwrap().unwrap();
    assert_eq!(node.leases(), []);
}

#[test]
fn vfs_are_made_anew_only_once_nobody_looks_at_them() {
    let node = Node::new();
    let other = Arc::clone(&node);
    let (started, running) = mpsc::channel();
    let meanwhile = move || {
        let provisioned = thread::spawn(move || {
            let mut kernel = other.host.kernel();
            operation::provision(&mut kernel, &other.context, false, in_time()).map(drop)
        });
        thread::sleep(Duration::from_millis(30));
        started.send(provisioned).unwrap();
    };
    node.attach_while("blue", "fast", "observe_device", meanwhile).unwrap();
    // It sees the claim of what was looked at, and destroys nothing.
    let told = running.recv().unwrap().join().unwrap().unwrap_err().to_string();
    assert!(told.contains("leased to blue"), "{told}");
    assert_eq!(node.host.with(|machine| machine.cards[&parse(CARD)].num_vfs), 3);
}

#[test]
fn no_vf_of_a_card_is_chosen_once_they_are_to_be_made_anew() {
    let node = Node::new();
    let (other, (withheld, kept)) = (Arc::clone(&node), mpsc::channel());
    // After the card's VFs were listed, and before one is looked at.
    let meanwhile = move || {
        withheld.send(other.context.leases.withhold(parse(CARD)).unwrap()).unwrap();
    };
    let told = node.attach_while("blue", "fast", "matches", meanwhile).unwrap_err().to_string();
    assert!(told.contains("ens1f0: its VFs are being made anew"), "{told}");
    drop(kept);
    node.attach("blue", "fast").unwrap();
}
