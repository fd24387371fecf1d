//! A group of maps or a call site under watch.

use std::time::Duration;

use super::gather::Owner;
use super::sites::Size;
use crate::leaks::{Cohorts, Facts, Judge, Kind, Point, Series, Windows};
use crate::map_group::MapGroup;
use crate::memory::Memory;

/// Series, judge, and what was known at the last tick.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) series: Series,
    pub(super) judge: Judge,
    pub(super) known: Known,
    /// By whom its live samples are told from others.
    pub(super) owner: Option<Owner>,
}

/// See [`Facts`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Known {
    pub(super) max_entries: Option<u64>,
    pub(super) expected_ttl: Option<Duration>,
    pub(super) oldest: Option<Duration>,
    pub(super) wastes_capacity: bool,
}

/// What is the same for all subjects.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) memory: Memory,
    pub(super) bytes_per_sample: Option<f64>,
    /// Of the live heap, bytes a second.
    pub(super) growth: Option<f64>,
}

impl Subject {
    pub(super) fn new(kind: Kind, windows: &Windows) -> Self {
        Subject {
            series: Series::new(windows),
            judge: Judge::new(kind, windows),
            known: Known::default(),
            owner: None,
        }
    }

    pub(super) fn facts<'a>(&self, process: &Process, cohorts: Option<&'a Cohorts>) -> Facts<'a> {
        Facts {
            max_entries: self.known.max_entries,
            expected_ttl: self.known.expected_ttl,
            oldest: self.known.oldest,
            bytes_per_entry: None,
            bytes_per_sample: process.bytes_per_sample,
            memory_limit: process.memory.limit,
            headroom: process.memory.headroom(),
            process_growth: process.growth,
            cohorts,
        }
    }

    /// Bytes that it takes, about.
    pub(super) fn bytes(&self) -> usize {
        // A judge has some 3 KiB of evidence for what grows.
        let judge = if self.judge.verdict().growth.is_some() {
            3 << 10
        } else {
            1 << 9
        };
        size_of::<Self>() + self.series.heap_bytes() + judge
    }
}

/// A group of maps as a point; `None` if its entries are not known.
pub(super) fn point_of_map(group: &MapGroup) -> Option<Point> {
    Some(Point {
        entries: group.entries()?,
        bytes: group.known_bytes().round() as u64,
        births: group.inserts().unwrap_or(0),
        deaths: group.removes().unwrap_or(0),
    })
}

pub(super) fn known_of_map(group: &MapGroup) -> Known {
    let of = &group.report;
    Known {
        // Each of its maps has the bound.
        max_entries: of
            .max_entries
            .map(|most| most.saturating_mul(of.instances.max(1))),
        expected_ttl: of.expected_ttl,
        oldest: group.oldest_age,
        wastes_capacity: group.waste_bytes.is_some_and(|bytes| bytes > 0),
    }
}

pub(super) fn point_of_site(size: &Size) -> Point {
    let entries = size.objects.round() as u64;
    let births = (size.births.round() as u64).max(entries);
    Point {
        entries,
        bytes: size.bytes.round() as u64,
        births,
        deaths: births - entries,
    }
}

#[cfg(test)]
mod tests {
    use heaplens_maps::GroupReport;

    use super::*;

    #[test]
    fn a_bound_is_that_of_each_map() {
        let mut report = GroupReport::default();
        (report.instances, report.entries, report.capacity) = (3, 10, 30);
        (report.max_entries, report.inserts, report.removes) = (Some(100), 12, 2);
        report.table_bytes = 640;
        let mut group = MapGroup::of(report, std::time::SystemTime::now(), None, false);
        assert_eq!(known_of_map(&group).max_entries, Some(300));
        let point = point_of_map(&group).unwrap();
        assert_eq!((point.entries, point.births, point.deaths), (10, 12, 2));
        assert_eq!(point.bytes, 640, "what is known at the least");
        group.report.entries_unknown = 1;
        assert_eq!(point_of_map(&group), None);
    }

    #[test]
    fn no_site_frees_more_than_it_allocates() {
        let mut size = Size {
            objects: 10.4,
            bytes: 99.6,
            births: 9.0,
            ..Size::default()
        };
        let point = point_of_site(&size);
        assert_eq!((point.entries, point.bytes), (10, 100));
        assert_eq!((point.births, point.deaths), (10, 0));
        size.births = 30.0;
        assert_eq!(point_of_site(&size).deaths, 20);
    }
}
