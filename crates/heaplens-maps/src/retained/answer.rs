//! What a group retains.

use std::time::SystemTime;

use heaplens_alloc::retained::{Retained, RetainedError};

/// What the maps of a group retain, each for itself: what two of them share is in
/// neither.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupRetained {
    /// Name of the group.
    pub name: &'static str,
    /// When the first of them was measured: by how much the answer is late. Others were
    /// within moments of it, or when they were next used.
    pub taken_at: SystemTime,
    /// The sum over the maps that were measured.
    pub retained: Retained,
    /// Maps of the group that had a table when it was asked, and probed containers.
    pub maps: u64,
    /// How many of them are in the sum.
    pub measured: u64,
    /// Why others are not that were tried.
    pub failed: Vec<RetainedError>,
}

impl GroupRetained {
    /// Maps that are not in the sum: beyond the [`MAX_MEASURED`](crate::MAX_MEASURED)
    /// largest, not used or locked while it was asked, gone since, handles that share
    /// what they hold, or failed.
    pub fn unmeasured(&self) -> u64 {
        self.maps.saturating_sub(self.measured)
    }

    /// Whether `retained` may be less than what all maps of the group retain.
    pub fn is_lower_bound(&self) -> bool {
        self.retained.is_lower_bound || self.unmeasured() > 0
    }
}
