//! What the slots of each group add up to.

use crate::group::{self, MAX_GROUPS};
use crate::pool::SLAB;
use crate::slot::{GroupId, Reading};

/// The slots of one group, and what others had counted before for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    /// Whether a map ever counted for it.
    pub(crate) is_known: bool,
    /// Maps alive.
    pub(crate) instances: u64,
    pub(crate) entries: u64,
    pub(crate) entries_max: u64,
    pub(crate) capacity: u64,
    pub(crate) table_bytes: u64,
    pub(crate) inserts: u64,
    pub(crate) resizes: u64,
    /// When one of them was last read, as [`crate::clock`] has it.
    pub(crate) read: u32,
}

impl Sum {
    #[inline]
    fn add(&mut self, reading: &Reading) {
        self.is_known = true;
        self.inserts = self.inserts.wrapping_add(reading.flow.inserts);
        self.resizes = self.resizes.wrapping_add(reading.flow.resizes);
        if let Some(level) = &reading.level {
            self.instances += 1;
            self.entries = self.entries.wrapping_add(level.entries);
            self.entries_max = self.entries_max.max(level.entries);
            self.capacity = self.capacity.saturating_add(level.capacity);
            self.table_bytes = self.table_bytes.saturating_add(level.table_bytes);
            self.read = self.read.max(level.read);
        }
    }
}

/// By group.
pub(crate) struct Census(Vec<Sum>);

impl Census {
    /// Reads all slots: some 5 ns each.
    pub(crate) fn take() -> Self {
        let mut sums = vec![Sum::default(); MAX_GROUPS + 2];
        // First, so that a slot on its way from one group to another is seen in
        // neither, rather than counted twice.
        for state in group::all() {
            let retired = state.retired();
            if let Some(sum) = sums.get_mut(usize::from(state.id.0)) {
                sum.is_known = state.had_slot();
                sum.inserts = retired.inserts;
                sum.resizes = retired.resizes;
            }
        }
        SLAB.for_each(|slot| {
            if let Some(reading) = slot.read()
                && let Some(sum) = sums.get_mut(usize::from(reading.group.0))
            {
                sum.add(&reading);
            }
        });
        Census(sums)
    }

    /// What is known of a group; `None` if it never had a slot.
    pub(crate) fn of(&self, group: GroupId) -> Option<&Sum> {
        let sum = self.0.get(usize::from(group.0))?;
        sum.is_known.then_some(sum)
    }
}
