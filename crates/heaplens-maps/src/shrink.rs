//! When a table that has become too large gives memory back by itself.
//!
//! Growth doubles a table that is 7/8 full. This makes one that is at most 1/8
//! full two to four times as large as what is in it, and only after half as
//! many operations as it had buckets. So the cost of moving the entries that
//! are left is spread over the removals that led there, and the map has to
//! double before the table grows again.

/// Shrinks when at most one bucket in this many is in use.
const SPARSE: usize = 8;

/// The longest wait, in operations: what is counted of them is 32 bits.
const LONGEST: usize = 1 << 31;

/// The state of one map: small, and without a block of its own, because every
/// map has it and few use it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shrink {
    /// Low half of the number of inserts and removes when the table last changed
    /// size.
    since: u32,
    /// Room that the program asked for, below which it never shrinks;
    /// [`Shrink::HUGE`] if that is more. All ones: it is off.
    floor: u32,
}

impl Shrink {
    const HUGE: u32 = u32::MAX - 1;
    /// Not zeroes: in a [`Handle`](crate::handle::Handle) it keeps the words
    /// beside it from being written together with it.
    pub(crate) const OFF: Shrink = Shrink {
        since: u32::MAX,
        floor: u32::MAX,
    };
    pub(crate) const ON: Shrink = Shrink { since: 0, floor: 0 };

    #[inline]
    pub(crate) fn is_on(self) -> bool {
        self.floor != Shrink::OFF.floor
    }

    pub(crate) fn resized(&mut self, operations: u64) {
        self.since = operations as u32;
    }

    pub(crate) fn reserved(&mut self, capacity: usize) {
        if self.is_on() {
            let floor = u32::try_from(capacity).unwrap_or(Shrink::HUGE);
            self.floor = self.floor.max(floor.min(Shrink::HUGE));
        }
    }

    /// The capacity to shrink to, after `operations` inserts and removes in all.
    #[inline]
    pub(crate) fn decide(self, len: usize, buckets: usize, operations: u64) -> Option<usize> {
        if self.floor >= Shrink::HUGE {
            return None;
        }
        let sparse = len.saturating_mul(SPARSE) <= buckets;
        let waited = (operations as u32).wrapping_sub(self.since) as usize;
        let waited = waited >= (buckets / 2).min(LONGEST);
        let target = len.saturating_mul(2).max(self.floor as usize);
        (sparse && waited && target.saturating_mul(2) < buckets).then_some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_work_that_pays_for_it() {
        let mut shrink = Shrink::ON;
        assert_eq!(shrink.decide(100, 1024, 511), None, "too soon");
        assert_eq!(shrink.decide(129, 1024, 512), None, "not sparse");
        assert_eq!(shrink.decide(100, 1024, 512), Some(200));
        shrink.resized(512);
        assert_eq!(shrink.decide(10, 256, 600), None);
    }

    #[test]
    fn what_was_reserved_stays() {
        let mut shrink = Shrink::ON;
        shrink.reserved(400);
        assert_eq!(shrink.decide(1, 4096, 1 << 20), Some(400));
        shrink.reserved(3000);
        assert_eq!(shrink.decide(1, 4096, 1 << 20), None);
    }

    #[test]
    fn counts_go_round() {
        let mut shrink = Shrink::ON;
        shrink.resized(u64::from(u32::MAX) - 99);
        assert_eq!(shrink.decide(100, 1024, (1 << 32) + 411), None);
        assert_eq!(shrink.decide(100, 1024, (1 << 32) + 412), Some(200));
    }

    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_floor_that_is_out_of_range_holds() {
        let mut shrink = Shrink::ON;
        shrink.reserved(1 << 33);
        assert_eq!(shrink.decide(0, 1 << 34, 1 << 31), None);
        let huge = Shrink::ON.decide(0, 1 << 34, 1 << 31);
        assert_eq!(huge, Some(0), "the wait is never too long to count");
    }

    #[test]
    fn without_it_nothing_shrinks() {
        let mut shrink = Shrink::OFF;
        shrink.reserved(10);
        assert!(!shrink.is_on());
        assert_eq!(shrink.decide(0, 1024, 512), None);
    }
}
