//! Breadth first through everything that may happen: the first thing that is broken is broken in the fewest steps.

use std::{
    collections::{BTreeMap, VecDeque},
    hash::{Hash, Hasher},
};

use address_blocks::Leases;

use super::{Action, Broken, Scene, World};

/// What a search came to.
#[derive(Debug)]
pub(crate) struct Searched {
    /// How it was broken, step by step.
    pub(crate) broken: Option<(Broken, Vec<Action>)>,
    pub(crate) states: usize,
    pub(crate) depth: u32,
    /// Whether there is no state more.
    pub(crate) complete: bool,
}

/// A state that was met: how.
struct Met {
    from: u32,
    by: Option<Action>,
    depth: u32,
}

/// Looks at every state that can be reached, `most` at most, until something is broken that `counts`.
pub(crate) fn search(scene: &Scene, most: usize, counts: impl Fn(Broken) -> bool) -> Searched {
    let mut first = World::new(scene);
    first.rank();
    let mut seen = BTreeMap::from([(mark(&first), 0)]);
    let mut met = vec![Met { from: 0, by: None, depth: 0 }];
    let mut queue = VecDeque::from([(0_u32, first)]);
    while let Some((at, world)) = queue.pop_front() {
        let depth = met[at as usize].depth;
        if met.len() >= most {
            return Searched { broken: None, states: met.len(), depth, complete: false };
        }
        for action in world.actions(scene) {
            let mut next = world.clone();
            let broken = next.act(scene, &action).filter(|broken| counts(*broken));
            if let Some(broken) = broken {
                let mut steps = steps(&met, at);
                steps.push(action);
                return Searched {
                    broken: Some((broken, steps)),
                    states: met.len(),
                    depth,
                    complete: false,
                };
            }
            next.rank();
            if let std::collections::btree_map::Entry::Vacant(entry) = seen.entry(mark(&next)) {
                let index = u32::try_from(met.len()).unwrap();
                entry.insert(index);
                met.push(Met { from: at, by: Some(action), depth: depth + 1 });
                queue.push_back((index, next));
            }
        }
    }
    let depth = met.last().map_or(0, |met| met.depth);
    Searched { broken: None, states: met.len(), depth, complete: true }
}

/// The states, and from how many of them no way leads to one in which all is free.
pub(crate) fn stuck(scene: &Scene, most: usize) -> (usize, Vec<Vec<Action>>) {
    let mut first = World::new(scene);
    first.rank();
    let mut seen = BTreeMap::from([(mark(&first), 0_u32)]);
    let mut met = vec![Met { from: 0, by: None, depth: 0 }];
    let mut back: Vec<Vec<u32>> = vec![Vec::new()];
    let mut good = Vec::new();
    let mut queue = VecDeque::from([(0_u32, first)]);
    while let Some((at, world)) = queue.pop_front() {
        assert!(met.len() < most, "more than {most} states");
        if is_free(&world) {
            good.push(at);
        }
        let depth = met[at as usize].depth + 1;
        for action in world.actions(scene) {
            let mut next = world.clone();
            next.act(scene, &action);
            next.rank();
            let index = *seen.entry(mark(&next)).or_insert_with(|| {
                let index = u32::try_from(met.len()).unwrap();
                met.push(Met { from: at, by: Some(action), depth });
                back.push(Vec::new());
                queue.push_back((index, next));
                index
            });
            back[index as usize].push(at);
        }
    }
    let mut leads = vec![false; met.len()];
    while let Some(at) = good.pop() {
        if !std::mem::replace(&mut leads[at as usize], true) {
            good.extend(&back[at as usize]);
        }
    }
    let stuck = leads.iter().enumerate().filter(|(_, leads)| !**leads);
    let stuck = stuck.map(|(at, _)| steps(&met, u32::try_from(at).unwrap()));
    (met.len(), stuck.collect())
}

/// Nobody has anything: every address can be taken by anybody.
fn is_free(world: &World) -> bool {
    world.server.objects.is_empty()
        && world.hosts.iter().all(|host| host.pods.is_empty() && host.leases == Leases::default())
}

fn steps(met: &[Met], mut at: u32) -> Vec<Action> {
    let mut steps = Vec::new();
    while let Some(action) = &met[at as usize].by {
        steps.push(action.clone());
        at = met[at as usize].from;
    }
    steps.reverse();
    steps
}

/// What stands for a state: 128 bits, so that two of some millions are not confused.
fn mark(world: &World) -> u128 {
    let mut mixer = Mixer { one: 0x9e37_79b9_7f4a_7c15, other: 0xc2b2_ae3d_27d4_eb4f };
    world.hash(&mut mixer);
    u128::from(mixer.one) << 64 | u128::from(mixer.other)
}

struct Mixer {
    one: u64,
    other: u64,
}

impl Mixer {
    fn mix(&mut self, word: u64) {
        let one = folded(u128::from(self.one ^ word) * 0xff51_afd7_ed55_8ccd);
        self.one = one.rotate_left(29).wrapping_add(word);
        let other = folded(u128::from(self.other.wrapping_add(word) | 1) * 0xc4ce_b9fe_1a85_ec53);
        self.other = other.rotate_left(31) ^ self.other.rotate_left(17);
    }
}

/// Both halves as one.
#[expect(clippy::cast_possible_truncation, reason = "each half is 64 bits")]
fn folded(product: u128) -> u64 {
    product as u64 ^ (product >> 64) as u64
}

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word) ^ (chunk.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        self.one ^ self.other
    }
}
