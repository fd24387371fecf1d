//! All groups of tracked maps at about one moment, with what follows from their
//! figures and the process's: what metrics and pages show.

use std::time::{Instant, SystemTime};

use heaplens_maps::Report;

use crate::map_group::MapGroup;
use crate::memory::Memory;
use crate::waste::Watch;

/// See the module.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) taken_at: SystemTime,
    pub(crate) memory: Memory,
    /// Whether sampled blocks tell what keys and values own.
    pub(crate) estimates: bool,
    pub(crate) groups: Vec<MapGroup>,
    pub(crate) groups_overflowed: u64,
    pub(crate) maps_refused: u64,
    pub(crate) probes_refused: u64,
    pub(crate) probes_panicked: u64,
}

impl Survey {
    /// Takes a report. Some 4 ns a live map and 100 ns a live sample.
    pub(crate) fn take() -> Self {
        let installed = heaplens_alloc::counters().installed;
        Self::of(heaplens_maps::report(), Memory::now(), installed)
    }

    fn of(report: Report, memory: Memory, estimates: bool) -> Self {
        let lasting = Watch::shared().look(Instant::now(), &report.groups);
        let headroom = memory.headroom();
        let groups = report.groups.into_iter().zip(lasting);
        Survey {
            taken_at: report.taken_at,
            memory,
            estimates,
            groups: groups
                .map(|(group, wasteful_for)| MapGroup {
                    wasteful_for,
                    ..MapGroup::of(group, report.taken_at, headroom, estimates)
                })
                .collect(),
            groups_overflowed: report.groups_overflowed,
            maps_refused: report.maps_refused,
            probes_refused: report.probes_refused,
            probes_panicked: report.probes_panicked,
        }
    }

    /// Groups that were made up.
    #[cfg(test)]
    pub(crate) fn with(groups: Vec<heaplens_maps::GroupReport>, memory: Memory) -> Self {
        let now = SystemTime::now();
        let headroom = memory.headroom();
        Survey {
            taken_at: now,
            memory,
            estimates: true,
            groups: groups
                .into_iter()
                .map(|group| MapGroup::of(group, now, headroom, true))
                .collect(),
            groups_overflowed: 0,
            maps_refused: 0,
            probes_refused: 0,
            probes_panicked: 0,
        }
    }
}
