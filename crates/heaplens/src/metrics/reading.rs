//! All that a scrape reads, once.

use heaplens_alloc::{AllocatorStats, Counters, Snapshot, Totals};

use super::memstats;
use crate::survey::Survey;

/// See the module.
pub(super) struct Reading {
    pub(super) stats: AllocatorStats,
    pub(super) counters: Counters,
    totals: Totals,
    pub(super) maps: Survey,
}

impl Reading {
    /// Refreshes jemalloc's statistics, which walks all arenas, walks the live
    /// samples twice, some 100 ns each, and the live maps, some 4 ns each.
    pub(super) fn take() -> Self {
        let snapshot = heaplens_alloc::snapshot();
        Self::of(memstats::read(), &snapshot, Survey::take())
    }

    pub(super) fn of(stats: AllocatorStats, snapshot: &Snapshot, maps: Survey) -> Self {
        Reading {
            stats,
            counters: snapshot.counters,
            totals: snapshot.totals(),
            maps,
        }
    }

    /// An estimate; none at all if nothing passes through the sampler.
    pub(super) fn estimate(&self, of: impl Fn(&Totals) -> f64) -> Option<f64> {
        self.counters.installed.then(|| of(&self.totals))
    }
}
