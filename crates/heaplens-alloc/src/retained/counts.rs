//! What a child has counted so far.

use std::cell::Cell;

use super::classes::{self, CLASSES};

/// Blocks and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) blocks: u64,
    pub(super) bytes: u64,
}

/// Blocks that were freed, by size class. 4 KiB.
pub(super) struct Counts {
    all: Cell<Sum>,
    classes: [Cell<Sum>; CLASSES],
}

const NONE: Sum = Sum {
    blocks: 0,
    bytes: 0,
};

impl Counts {
    pub(super) const fn new() -> Self {
        Counts {
            all: Cell::new(NONE),
            classes: [const { Cell::new(NONE) }; CLASSES],
        }
    }

    /// Counts a block of so many requested bytes.
    #[inline]
    pub(super) fn add(&self, size: u64) {
        self.all.update(|sum| sum.with(size));
        if let Some(class) = self.classes.get(classes::index(size)) {
            class.update(|sum| sum.with(size));
        }
    }

    pub(super) fn all(&self) -> Sum {
        self.all.get()
    }

    pub(super) fn classes(&self) -> impl Iterator<Item = Sum> {
        self.classes.iter().map(Cell::get)
    }
}

impl Sum {
    fn with(self, size: u64) -> Sum {
        Sum {
            blocks: self.blocks.wrapping_add(1),
            bytes: self.bytes.wrapping_add(size),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_add_up_to_all() {
        let counts = Counts::new();
        for size in [1, 8, 24, 24, 4096, 1 << 40] {
            counts.add(size);
        }
        let all = counts.all();
        assert_eq!((all.blocks, all.bytes), (6, 57 + 4096 + (1 << 40)));
        let mut sum = Sum::default();
        for class in counts.classes() {
            sum.blocks += class.blocks;
            sum.bytes += class.bytes;
        }
        assert_eq!(sum, all);
        let two: Vec<_> = counts.classes().filter(|class| class.blocks == 2).collect();
        assert_eq!(two.len(), 2, "1 and 8, 24 and 24: {two:?}");
    }
}
