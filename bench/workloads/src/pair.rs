//! An allocation and its release, again and again.

use std::hint::black_box;

/// A kind of block, allocated and freed again and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pair {
    /// 8 bytes, aligned to 8: the smallest size class.
    Pair8,
    /// 64 bytes, aligned to 8: the ordinary case.
    Pair64,
    /// 64 bytes, aligned to 16, as hash tables ask for.
    Aligned64,
    /// 64 zeroed bytes.
    Zeroed64,
    /// 64 bytes, grown to 128 by `realloc`.
    Grown64,
    /// 8 KiB, aligned to 8.
    Pair8K,
}

const ALL: [(&str, Pair); 6] = [
    ("pair8", Pair::Pair8),
    ("pair64", Pair::Pair64),
    ("aligned64", Pair::Aligned64),
    ("zeroed64", Pair::Zeroed64),
    ("grown64", Pair::Grown64),
    ("pair8k", Pair::Pair8K),
];

#[repr(align(16))]
struct Aligned(#[expect(dead_code, reason = "only its size and alignment matter")] [u8; 64]);

impl Pair {
    /// The pair of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter()
            .find(|(known, _)| *known == name)
            .map(|&(_, pair)| pair)
    }

    /// The names of all, separated by spaces.
    #[must_use]
    pub fn names() -> String {
        ALL.map(|(name, _)| name).join(" ")
    }

    /// Repeats the pair `count` times. Each loop is a function of its own and does nothing
    /// beside the pair, so that the instructions counted are the allocator's.
    pub fn run(self, count: u64) {
        match self {
            Self::Pair8 => pairs::<u64>(count),
            Self::Pair64 => pairs::<[u64; 8]>(count),
            Self::Aligned64 => pairs::<Aligned>(count),
            Self::Zeroed64 => zeroed(count),
            Self::Grown64 => grown(count),
            Self::Pair8K => pairs::<[u64; 1024]>(count),
        }
    }
}

#[inline(never)]
fn pairs<T>(count: u64) {
    for _ in 0..count {
        drop(black_box(Box::<T>::new_uninit()));
    }
}

#[inline(never)]
fn zeroed(count: u64) {
    for _ in 0..count {
        drop(black_box(vec![0_u64; 8]));
    }
}

#[inline(never)]
fn grown(count: u64) {
    for _ in 0..count {
        let mut block = black_box(Vec::<u64>::with_capacity(8));
        block.reserve_exact(16);
        drop(black_box(block));
    }
}
