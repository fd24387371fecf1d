//! Repeatable random numbers for tests (xorshift64*), unlike the profiler's own.

/// A generator.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The stream of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
        for _ in 0..8 {
            random.next();
        }
        random
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 8
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True in half of the cases.
    pub(crate) fn coin(&mut self) -> bool {
        self.next() & 1 == 0
    }

    /// A size from 1 to `2^bits`: each doubling as likely as any other.
    pub(crate) fn size(&mut self, bits: u32) -> usize {
        let top = 1usize << (self.next() % u64::from(bits + 1));
        1 + self.below(top)
    }

    /// A power of two from 1 to `2^bits`.
    pub(crate) fn align(&mut self, bits: u32) -> usize {
        1 << (self.next() % u64::from(bits + 1))
    }
}
