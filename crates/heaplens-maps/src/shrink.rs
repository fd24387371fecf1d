//! When a table that has become too large gives memory back by itself.
//!
//! Growth doubles a table that is 7/8 full. This makes one that is at most 1/8
//! full two to four times as large as what is in it, and only after half as
//! many operations as it had buckets. So the cost of moving the entries that
//! are left is spread over the removals that led there, and the map has to
//! double before the table grows again.

/// Shrinks when at most one bucket in this many is in use.
const SPARSE: usize = 8;

/// The state of one map.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shrink {
    /// Inserts and removes when the table last changed size.
    since: u64,
    /// Room that the program asked for: never less than this.
    floor: usize,
}

impl Shrink {
    /// The same policy for another map.
    pub(crate) fn fresh(&self) -> Shrink {
        Shrink {
            since: 0,
            floor: self.floor,
        }
    }

    pub(crate) fn resized(&mut self, operations: u64) {
        self.since = operations;
    }

    pub(crate) fn reserved(&mut self, capacity: usize) {
        self.floor = self.floor.max(capacity);
    }

    /// The capacity to shrink to, after `operations` inserts and removes in all.
    #[inline]
    pub(crate) fn decide(&self, len: usize, buckets: usize, operations: u64) -> Option<usize> {
        let sparse = len.saturating_mul(SPARSE) <= buckets;
        let waited = operations.wrapping_sub(self.since) >= buckets as u64 / 2;
        let target = len.saturating_mul(2).max(self.floor);
        (sparse && waited && target.saturating_mul(2) < buckets).then_some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_work_that_pays_for_it() {
        let mut shrink = Shrink::default();
        assert_eq!(shrink.decide(100, 1024, 511), None, "too soon");
        assert_eq!(shrink.decide(129, 1024, 512), None, "not sparse");
        assert_eq!(shrink.decide(100, 1024, 512), Some(200));
        shrink.resized(512);
        assert_eq!(shrink.decide(10, 256, 600), None);
    }

    #[test]
    fn what_was_reserved_stays() {
        let mut shrink = Shrink::default();
        shrink.reserved(400);
        assert_eq!(shrink.decide(1, 4096, 1 << 20), Some(400));
        shrink.reserved(3000);
        assert_eq!(shrink.decide(1, 4096, 1 << 20), None);
    }
}
