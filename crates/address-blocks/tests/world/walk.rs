//! Random walks, for clusters that are too large to see all of.

use super::{Broken, Scene, World};

/// A walk that broke something, or its end.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) broken: Option<(Broken, Vec<super::Action>)>,
}

/// Numbers that look random, the same again for a seed (`SplitMix64`).
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        usize::try_from(word % sides as u64).unwrap()
    }
}

/// Goes `steps` steps from the beginning.
pub(crate) fn walk(
    scene: &Scene,
    dice: &mut Dice,
    steps: usize,
    counts: impl Fn(Broken) -> bool,
) -> Walked {
    let mut world = World::new(scene);
    let mut taken = Vec::new();
    for _ in 0..steps {
        let actions = world.actions(scene);
        if actions.is_empty() {
            break;
        }
        let action = actions[dice.roll(actions.len())].clone();
        let broken = world.act(scene, &action).filter(|broken| counts(*broken));
        taken.push(action);
        if let Some(broken) = broken {
            return Walked { broken: Some((broken, taken)) };
        }
    }
    Walked { broken: None }
}
