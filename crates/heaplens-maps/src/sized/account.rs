//! A map's part in the sum of its group.

use std::sync::atomic::Ordering;

use crate::group::Group;

/// What the sizer of one map has counted. Knows nothing of keys and values, so
/// that it can have a destructor.
#[derive(Debug)]
pub(super) struct Account {
    group: Group,
    bytes: i64,
}

impl Account {
    pub(super) fn new(group: Group) -> Self {
        group.state().sized_maps.fetch_add(1, Ordering::Relaxed);
        Account { group, bytes: 0 }
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.bytes).unwrap_or(0)
    }

    /// An entry of `before` bytes is now one of `after`. A sizer may say
    /// anything: the sum wraps rather than panics.
    pub(super) fn change(&mut self, before: i64, after: i64) {
        let difference = after.wrapping_sub(before);
        if difference != 0 {
            self.bytes = self.bytes.wrapping_add(difference);
            self.group
                .state()
                .sized_bytes
                .fetch_add(difference, Ordering::Relaxed);
        }
    }

    /// There is no entry.
    pub(super) fn clear(&mut self) {
        self.change(self.bytes, 0);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.clear();
        self.group
            .state()
            .sized_maps
            .fetch_sub(1, Ordering::Relaxed);
    }
}
