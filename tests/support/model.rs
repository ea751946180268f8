//! What vfhook promises, in the simplest words: who has which networks, and how much is left. Knows no steps, no
//! files and no kernel; a test compares it with what really came about.

use std::collections::{BTreeMap, BTreeSet};

/// How many sandboxes there may be at a time.
pub(crate) const SLOTS: usize = 4;

/// The networks of [`CONFIG`], each with the interface that it makes; where a program drives the VF there is none.
pub(crate) const NETWORKS: [(&str, &str); 8] = [
    ("storage", "net1"),
    ("plain", "net2"),
    ("lan", "lan1"),
    ("tag", "tag1"),
    ("eni", "eni1"),
    ("side", "net3"),
    ("ha", "ha1"),
    ("data", "data1"),
];

/// The pool whose VFs programs drive.
pub(crate) const DRIVEN: &str = "driven";

/// Three VFs, a device of each other kind, and addresses that run out sooner or later than they do.
pub(crate) const CONFIG: &str = r#"version = 1
[[pool]]
name = "fast"
kind = "sriov"
pf = ["ens1f0"]
publish = "dra"
[[pool]]
name = "shared"
kind = "macvlan"
pf = ["lan0"]
[[network]]
name = "storage"
pool = "fast"
interface = "net1"
mtu = 9000
vlan = { id = 100 }
trust = true
addresses = ["192.168.0.1-192.168.0.4/24"]
[[network]]
name = "plain"
pool = "fast"
interface = "net2"
addresses = ["192.168.1.1-192.168.1.2/24", "fd00:10::1-fd00:10::4/64"]
[[network]]
name = "lan"
pool = "shared"
interface = "lan1"
addresses = ["192.168.2.1-192.168.2.2/24"]
[[pool]]
name = "tagged"
kind = "vlan"
pf = ["lan1"]
[[network]]
name = "tag"
pool = "tagged"
interface = "tag1"
vlan = { id = 100 }
addresses = ["192.168.3.1-192.168.3.9/24"]
[[pool]]
name = "cloud"
kind = "host-device"
interface = ["ens6"]
[[network]]
name = "eni"
pool = "cloud"
interface = "eni1"
addresses = ["10.7.1.5-10.7.1.9/24"]
[[pool]]
name = "other"
kind = "sriov"
pf = ["ens2f0"]
[[network]]
name = "side"
pool = "other"
interface = "net3"
addresses = ["192.168.5.1-192.168.5.9/24"]
[[pool]]
name = "spare"
kind = "sriov"
pf = ["ens4f0"]
[[pool]]
name = "both"
kind = "bond"
members = ["other", "spare"]
[[network]]
name = "ha"
pool = "both"
interface = "ha1"
vlan = { id = 100 }
addresses = ["192.168.4.1-192.168.4.9/24"]
[[pool]]
name = "driven"
kind = "sriov"
pf = ["ens3f0"]
bind = "vfio-pci"
[[network]]
name = "data"
pool = "driven"
interface = "data1"
vlan = { id = 100, qos = 3 }
[service_path]
mode = "veth"
cidrs = ["10.96.0.0/12"]
interface = "svc0"
source = ["169.254.96.1-169.254.96.3/24"]
"#;

/// How many of a thing there are, and which networks take one of it.
const SUPPLIES: [(usize, &[&str]); 9] = [
    (3, &["storage", "plain"]),
    (4, &["storage"]),
    (2, &["plain"]),
    (2, &["lan"]),
    // One VLAN on one parent is one interface, and a whole device is one.
    (1, &["tag"]),
    (1, &["eni"]),
    (2, &["side", "ha"]),
    (2, &["data"]),
    // A source address is taken by every sandbox, whatever networks it has.
    (3, &[]),
];

/// The networks that a sandbox has or asks for.
pub(crate) type Wish = BTreeSet<&'static str>;

/// What a sandbox has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    /// Its networks.
    pub(crate) wish: Wish,
    /// The containers that share it.
    pub(crate) holders: BTreeSet<String>,
    /// Whether all of it was done: what a process that died left behind, or could not take back, is not.
    pub(crate) whole: bool,
    /// Whether its namespace still exists.
    pub(crate) alive: bool,
    /// The networks that were added while it ran, and whether all of each was done.
    pub(crate) added: BTreeMap<&'static str, bool>,
}

impl Held {
    /// Everything that it takes from others.
    fn all(&self) -> Wish {
        self.wish.iter().chain(self.added.keys()).copied().collect()
    }
}

/// What must come of an attachment during which nothing fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// It is given.
    Given,
    /// It was there.
    Already,
    /// It has something else.
    Conflict,
    /// It cannot be had: something has run out, or there are no VFs at all, or both.
    Refused {
        /// Something has run out.
        exhausted: bool,
        /// There are no VFs at all.
        no_devices: bool,
    },
}

/// Who has what, by the number of the sandbox.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) held: BTreeMap<usize, Held>,
    /// Networks that were added to a sandbox and could not be taken back when it went: reconciling does, or whoever adds the same anew.
    pub(crate) left: BTreeSet<(usize, &'static str)>,
    /// Whether the card has its VFs.
    pub(crate) vfs_gone: bool,
}

impl Model {
    /// What must come of `slot` asking for `wish` in a namespace that is alive; so many VFs that no other slot has are kept for pods.
    pub(crate) fn attach(&self, slot: usize, wish: &Wish, kept: usize) -> Expected {
        if let Some(had) = self.held.get(&slot).filter(|had| had.whole && had.alive) {
            return if had.wish == *wish { Expected::Already } else { Expected::Conflict };
        }
        // What is half done or belongs to a namespace that is gone is cleared away first.
        let others = self.held.iter().filter(|(other, _)| **other != slot);
        let others: Vec<Wish> = others.map(|(_, held)| held.all()).collect();
        let sources = others.len() + 1;
        let left = self.left.iter().map(|(_, name)| Wish::from([*name]));
        let others: Vec<Wish> = others.into_iter().chain(left).collect();
        self.expected(&others, wish, sources, kept)
    }

    /// What must come of one network more for `slot`, whose sandbox runs.
    pub(crate) fn add(&self, slot: usize, network: &'static str, kept: usize) -> Expected {
        let had = &self.held[&slot];
        if had.added.get(network) == Some(&true) {
            return Expected::Already;
        }
        if had.wish.contains(network) {
            return Expected::Conflict;
        }
        // What was added to it by half is cleared away first, and what an earlier sandbox left of the same.
        let mut all = self.held.clone();
        all.entry(slot).and_modify(|had| had.added.retain(|_, whole| *whole));
        let left = self.left.iter().filter(|left| **left != (slot, network));
        let all = all.values().map(Held::all).chain(left.map(|(_, name)| Wish::from([*name])));
        self.expected(&all.collect::<Vec<_>>(), &Wish::from([network]), 0, kept)
    }

    /// What must come of a wish where `others` have what they have; with it `sources` addresses of service paths are taken.
    fn expected(&self, others: &[Wish], wish: &Wish, sources: usize, kept: usize) -> Expected {
        let takes_vf = wish.iter().any(|network| SUPPLIES[0].1.contains(network));
        let no_devices = self.vfs_gone && takes_vf;
        let exhausted = SUPPLIES.iter().enumerate().any(|(number, (supply, takers))| {
            let kept = if number == 0 && takes_vf { kept } else { 0 };
            let count =
                |wish: &Wish| wish.iter().filter(|network| takers.contains(network)).count();
            if takers.is_empty() {
                return sources > *supply;
            }
            let (taken, asked) = (others.iter().map(count).sum::<usize>(), count(wish));
            asked > 0 && taken + asked + kept > *supply
        });
        if exhausted || no_devices {
            Expected::Refused { exhausted, no_devices }
        } else {
            Expected::Given
        }
    }

    /// What became of it is recorded.
    pub(crate) fn attached(&mut self, slot: usize, wish: &Wish, alive: bool) {
        let holders = BTreeSet::from([id_of(slot)]);
        let (wish, added) = (wish.clone(), BTreeMap::new());
        self.held.insert(slot, Held { wish, holders, whole: true, alive, added });
    }

    /// Whether anybody needs the masquerade table.
    pub(crate) fn masquerades(&self) -> bool {
        !self.held.is_empty()
    }
}

/// The id of a sandbox's first container.
pub(crate) fn id_of(slot: usize) -> String {
    format!("slot-{slot}")
}

/// The id of a container that joins.
pub(crate) fn joiner_of(slot: usize) -> String {
    format!("slot-{slot}-joined")
}
