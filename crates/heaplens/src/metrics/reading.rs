//! All that a scrape reads, once.

use heaplens_alloc::{AllocatorStats, Counters, Snapshot, Totals};

use super::memstats;
use crate::leaks::State;
use crate::survey::Survey;
use crate::watch;

/// See the module.
pub(super) struct Reading {
    pub(super) stats: AllocatorStats,
    pub(super) counters: Counters,
    totals: Totals,
    pub(super) maps: Survey,
    pub(super) verdicts: Verdicts,
}

/// Names and states, as they were found last.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub(super) maps: Vec<(String, State)>,
    pub(super) sites: Vec<(String, State)>,
}

impl Verdicts {
    /// None where no agent watches.
    fn now() -> Self {
        let locked = watch::lock();
        let Some(watch) = locked.get() else {
            return Verdicts::default();
        };
        let maps = watch.map_states();
        Verdicts {
            maps: maps.map(|(name, state)| (name.to_owned(), state)).collect(),
            sites: watch.site_states(),
        }
    }
}

impl Reading {
    /// Refreshes jemalloc's statistics, which walks all arenas, walks the live
    /// samples twice, some 100 ns each, and the live maps, some 4 ns each.
    pub(super) fn take() -> Self {
        let snapshot = heaplens_alloc::snapshot();
        Reading {
            verdicts: Verdicts::now(),
            ..Self::of(memstats::read(), &snapshot, Survey::take())
        }
    }

    pub(super) fn of(stats: AllocatorStats, snapshot: &Snapshot, maps: Survey) -> Self {
        Reading {
            stats,
            counters: snapshot.counters,
            totals: snapshot.totals(),
            maps,
            verdicts: Verdicts::default(),
        }
    }

    /// An estimate; none at all if nothing passes through the sampler.
    pub(super) fn estimate(&self, of: impl Fn(&Totals) -> f64) -> Option<f64> {
        self.counters.installed.then(|| of(&self.totals))
    }
}
