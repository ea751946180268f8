//! A small generator of random numbers: the same seed, the same numbers.

/// Its state.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// One that begins with this.
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 1 to `end`.
    pub(crate) fn number(&mut self, end: u32) -> u32 {
        // xorshift64 of Marsaglia's.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end.max(1))).unwrap_or_default() + 1
    }

    /// Whether it is the one in so many.
    pub(crate) fn one_in(&mut self, many: u32) -> bool {
        self.number(many) == 1
    }

    /// A position in a list of `length`.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.number(u32::try_from(length).unwrap_or(u32::MAX)) as usize - 1
    }

    /// One of these.
    pub(crate) fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        all.get(self.index(all.len())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_and_stays_in_bounds() {
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.number(6)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(draw(3).iter().all(|number| (1..=6).contains(number)));
    }
}
