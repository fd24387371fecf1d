//! A group of tracked maps: its report, and what follows from it. What is not
//! known is `None`, never 0.

use std::time::{Duration, SystemTime};

use heaplens_maps::{CacheReport, Cause, GroupReport};

use crate::inquiries::{self, Brief};
use crate::outlook::{self, Outlook};
use crate::waste;

/// See the module.
#[derive(Debug)]
pub(crate) struct MapGroup {
    pub(crate) report: GroupReport,
    /// Tables, keys and values; `None` if nobody knows what those own.
    pub(crate) heap_bytes: Option<f64>,
    /// Standard error of `heap_bytes`; 0 if it is exact.
    pub(crate) heap_bytes_error: Option<f64>,
    /// Bytes a second; positive growth only.
    pub(crate) growth_bytes: Option<f64>,
    /// Of the oldest sampled block of an entry.
    pub(crate) oldest_age: Option<Duration>,
    pub(crate) outlook: Option<Outlook>,
    /// What dropping its maps would have freed when that was last measured.
    pub(crate) retained: Option<Brief>,
    pub(crate) waste_bytes: Option<u64>,
    /// How long there has been waste at every look.
    pub(crate) wasteful_for: Option<Duration>,
}

impl MapGroup {
    /// `headroom` is what is left of the process's memory limit, in bytes;
    /// `estimates` tells whether there are samples at all.
    pub(crate) fn of(
        report: GroupReport,
        now: SystemTime,
        headroom: Option<u64>,
        estimates: bool,
    ) -> Self {
        let mut group = MapGroup {
            heap_bytes: None,
            heap_bytes_error: None,
            growth_bytes: None,
            // A clock that was set back makes nothing younger than new.
            oldest_age: report
                .oldest
                .map(|oldest| now.duration_since(oldest).unwrap_or_default()),
            outlook: None,
            retained: inquiries::brief(&report.name),
            waste_bytes: None,
            wasteful_for: None,
            report,
        };
        let contents_known = estimates || group.report.sized_bytes.is_some();
        if contents_known && (estimates || group.report.tables_unknown == 0) {
            group.heap_bytes = Some(group.report.heap_bytes());
            group.heap_bytes_error = Some(group.report.heap_bytes_error());
        }
        if group.table_bytes().is_some() && group.capacity().is_some() {
            group.waste_bytes = Some(waste::bytes(&group.report));
        }
        if group.entries().is_some() {
            group.outlook = Outlook::of(&group.report, group.heap_bytes, headroom);
            group.growth_bytes = outlook::growth_bytes(&group.report, group.heap_bytes);
        }
        group
    }

    pub(crate) fn name(&self) -> &str {
        &self.report.name
    }

    /// `None` if one of its containers does not tell.
    pub(crate) fn entries(&self) -> Option<u64> {
        (self.report.entries_unknown == 0).then_some(self.report.entries)
    }

    pub(crate) fn entries_max_instance(&self) -> Option<u64> {
        self.entries().map(|_| self.report.entries_max_instance)
    }

    /// Entries a second.
    pub(crate) fn growth(&self) -> Option<f64> {
        self.entries().and(self.report.growth_per_second)
    }

    /// Whether it gains entries, as far as is known.
    pub(crate) fn growth_is_positive(&self) -> bool {
        self.entries().is_some() && outlook::growth(&self.report).is_some()
    }

    /// `None` if one of its containers does not tell.
    pub(crate) fn table_bytes(&self) -> Option<u64> {
        (self.report.tables_unknown == 0).then_some(self.report.table_bytes)
    }

    /// `None` where probed containers have less than there are entries: they
    /// need not have a table, nor tell.
    pub(crate) fn capacity(&self) -> Option<u64> {
        let of = &self.report;
        if of.probed == 0 {
            // A map that grows may be met between its two figures.
            return Some(of.capacity.max(of.entries));
        }
        (of.capacity > 0 && of.capacity >= of.entries).then_some(of.capacity)
    }

    pub(crate) fn inserts(&self) -> Option<u64> {
        self.flow(self.report.inserts)
    }

    pub(crate) fn removes(&self) -> Option<u64> {
        self.flow(self.report.removes)
    }

    pub(crate) fn resizes(&self) -> Option<u64> {
        self.flow(self.report.resizes)
    }

    pub(crate) fn shrinks(&self) -> Option<u64> {
        self.flow(self.report.shrinks)
    }

    /// What probed containers did in between is not seen.
    fn flow(&self, count: u64) -> Option<u64> {
        self.report.flow_is_known().then_some(count)
    }

    /// Entries that left caches, by cause; none for maps that are no caches.
    pub(crate) fn evictions(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let caches = self.report.cache.iter();
        caches
            .flat_map(evictions)
            .filter_map(|(cause, count)| Some((cause, count?)))
    }

    /// What is known of its bytes at the least.
    pub(crate) fn known_bytes(&self) -> f64 {
        self.heap_bytes.unwrap_or(self.report.table_bytes as f64)
    }
}

/// Entries that left caches, by each cause, and for one that the cache does not
/// tell; `None` is not counted.
pub(crate) fn evictions(
    cache: &CacheReport,
) -> impl Iterator<Item = (&'static str, Option<u64>)> + use<> {
    let causes = Cause::ALL.iter().zip(cache.evictions);
    causes
        .map(|(cause, count)| (cause.name(), count))
        .chain([("unknown", cache.evictions_uncaused)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> GroupReport {
        let mut report = GroupReport::default();
        report.name = "group".to_owned();
        (
            report.instances,
            report.entries,
            report.entries_max_instance,
        ) = (1, 10, 10);
        (report.capacity, report.table_bytes) = (14, 1000);
        report.growth_per_second = Some(1.0);
        report.contents.record(3000, 1);
        report
    }

    fn of(report: &GroupReport, estimates: bool) -> MapGroup {
        MapGroup::of(report.clone(), SystemTime::now(), Some(8000), estimates)
    }

    #[test]
    fn bytes_need_samples() {
        let known = of(&report(), true);
        assert_eq!(known.heap_bytes, Some(4000.0));
        assert_eq!(known.heap_bytes_error, Some(0.0), "at an interval of 1");
        assert_eq!(known.growth_bytes, Some(400.0));
        assert_eq!(known.outlook.map(|outlook| outlook.seconds), Some(20.0));
        let unknown = of(&report(), false);
        assert_eq!((unknown.heap_bytes, unknown.heap_bytes_error), (None, None));
        assert_eq!((unknown.growth_bytes, unknown.outlook), (None, None));
        assert!((unknown.known_bytes() - 1000.0).abs() < f64::EPSILON);
    }

    #[test]
    fn or_the_programs_own_count_of_all_there_is() {
        let mut sized = report();
        sized.sized_bytes = Some(500);
        assert_eq!(of(&sized, false).heap_bytes, Some(1500.0));
        assert_eq!(of(&sized, false).heap_bytes_error, Some(0.0));
        sized.tables_unknown = 1;
        assert_eq!(of(&sized, false).heap_bytes, None);
        assert!(of(&sized, true).heap_bytes.is_some());
    }

    #[test]
    fn what_a_container_does_not_tell_is_none() {
        let mut probed = report();
        (probed.probed, probed.entries_unknown, probed.tables_unknown) = (1, 1, 1);
        let group = of(&probed, true);
        assert_eq!((group.entries(), group.growth()), (None, None));
        assert_eq!(group.entries_max_instance(), None);
        assert_eq!((group.table_bytes(), group.waste_bytes), (None, None));
        assert_eq!((group.outlook, group.growth_bytes), (None, None));
        let flow = [
            group.inserts(),
            group.removes(),
            group.resizes(),
            group.shrinks(),
        ];
        assert_eq!(flow, [None; 4]);
        let told = of(&report(), true);
        assert_eq!((told.inserts(), told.shrinks()), (Some(0), Some(0)));
    }

    #[test]
    fn a_capacity_below_the_entries_is_no_capacity() {
        let mut tree = report();
        (tree.probed, tree.capacity) = (1, 0);
        assert_eq!(of(&tree, true).capacity(), None);
        tree.entries = 0;
        assert_eq!(of(&tree, true).capacity(), None, "never told");
        (tree.probed, tree.entries) = (0, 1);
        assert_eq!(of(&tree, true).capacity(), Some(1), "met while it grows");
    }

    #[test]
    fn ages_are_not_negative() {
        let now = SystemTime::now();
        let mut old = report();
        let five = Duration::from_secs(5);
        for (oldest, age) in [(now - five, five), (now + five, Duration::ZERO)] {
            old.oldest = Some(oldest);
            let seen = MapGroup::of(old.clone(), now, None, true);
            assert_eq!(seen.oldest_age, Some(age));
        }
        old.oldest = None;
        assert_eq!(of(&old, true).oldest_age, None);
    }
}
