//! Random numbers that a seed gives again. Knows nothing of what they are for.

/// Random numbers: the same seed, the same numbers.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        // Neighbouring seeds must not begin alike.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn draw(&mut self) -> u64 {
        // xorshift64 of Marsaglia's.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Below `end`, and 0 where that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.draw() % end).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.draw().to_be_bytes()[0]
    }

    /// Small, at a limit, or anything.
    pub(crate) fn number(&mut self) -> u32 {
        let any = u32::try_from(self.draw() >> 32).unwrap();
        let limits =
            [0, 1, 2, 3, 10, 4096, (4 << 20) - 1, (4 << 20) + 10, (4 << 20) + 11, u32::MAX];
        if any % 4 == 0 { any } else { limits[self.below(limits.len())] }
    }
}
