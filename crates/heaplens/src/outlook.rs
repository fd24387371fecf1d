//! When a group of maps reaches a limit if it goes on growing as it does.

use heaplens_maps::GroupReport;

/// A group that gains less than an entry within the five minutes that the rate
/// is taken over does not grow; what the line has as slope is noise.
const LEAST_GROWTH: f64 = 1.0 / 300.0;

/// What is reached first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// The memory limit of the process, by this group's growth alone.
    Memory,
    /// The declared bound of one of its maps.
    MaxEntries,
}

impl Limit {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Limit::Memory => "memory",
            Limit::MaxEntries => "max_entries",
        }
    }
}

/// The first limit in the way of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outlook {
    pub(crate) limit: Limit,
    /// 0 if it is reached already.
    pub(crate) seconds: f64,
}

impl Outlook {
    /// `None` for a group that does not grow, and where no limit is known.
    /// `heap_bytes` are those of the group, `headroom` those left to the process.
    pub(crate) fn of(
        group: &GroupReport,
        heap_bytes: Option<f64>,
        headroom: Option<u64>,
    ) -> Option<Self> {
        let growth = growth(group)?;
        let memory = || {
            let rate = growth_bytes(group, heap_bytes)?;
            (rate > 0.0).then_some(Outlook {
                limit: Limit::Memory,
                seconds: headroom? as f64 / rate,
            })
        };
        let bound = || {
            let left = group
                .max_entries?
                .saturating_sub(group.entries_max_instance);
            Some(Outlook {
                limit: Limit::MaxEntries,
                seconds: left as f64 / growth_of_largest(group, growth),
            })
        };
        [bound(), memory()]
            .into_iter()
            .flatten()
            .filter(|outlook| outlook.seconds.is_finite())
            .min_by(|one, other| one.seconds.total_cmp(&other.seconds))
    }
}

/// Entries a second of a group that grows.
pub(crate) fn growth(group: &GroupReport) -> Option<f64> {
    let growth = group.growth_per_second?;
    (growth >= LEAST_GROWTH && group.entries > 0).then_some(growth)
}

/// Bytes a second of a group that grows and takes `heap_bytes`: new entries are
/// taken to be as large as those that there are.
pub(crate) fn growth_bytes(group: &GroupReport, heap_bytes: Option<f64>) -> Option<f64> {
    Some(growth(group)? * heap_bytes? / group.entries as f64)
}

/// The share of the largest map in the growth of its group: as large as its
/// share in the entries, since maps are not followed one by one.
fn growth_of_largest(group: &GroupReport, growth: f64) -> f64 {
    growth * group.entries_max_instance as f64 / group.entries as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(entries: u64, growth: f64) -> GroupReport {
        let mut group = GroupReport::default();
        group.instances = 1;
        group.entries = entries;
        group.entries_max_instance = entries;
        group.growth_per_second = Some(growth);
        group
    }

    fn of(group: &GroupReport, heap: f64, headroom: Option<u64>) -> Option<(&'static str, f64)> {
        Outlook::of(group, Some(heap), headroom)
            .map(|outlook| (outlook.limit.name(), outlook.seconds))
    }

    #[test]
    fn memory_by_the_bytes_an_entry() {
        // 100 entries of 50 bytes, 2 more a second: 100 bytes a second.
        let growing = group(100, 2.0);
        assert_eq!(of(&growing, 5000.0, Some(60_000)), Some(("memory", 600.0)));
        assert_eq!(of(&growing, 5000.0, Some(0)), Some(("memory", 0.0)));
        assert_eq!(of(&growing, 5000.0, None), None, "no limit");
        assert_eq!(Outlook::of(&growing, None, Some(1)), None, "bytes unknown");
        assert_eq!(of(&growing, 0.0, Some(1)), None, "no bytes");
    }

    #[test]
    fn the_declared_bound_if_it_comes_first() {
        let mut bounded = group(100, 2.0);
        bounded.max_entries = Some(120);
        assert_eq!(
            of(&bounded, 5000.0, Some(60_000)),
            Some(("max_entries", 10.0))
        );
        assert_eq!(of(&bounded, 5000.0, None), Some(("max_entries", 10.0)));
        assert_eq!(of(&bounded, 5000.0, Some(500)), Some(("memory", 5.0)));
        bounded.max_entries = Some(100);
        assert_eq!(of(&bounded, 5000.0, None), Some(("max_entries", 0.0)));
        bounded.max_entries = Some(10);
        assert_eq!(of(&bounded, 5000.0, None), Some(("max_entries", 0.0)));
    }

    #[test]
    fn the_bound_is_each_maps_own() {
        let mut several = group(100, 2.0);
        (several.instances, several.entries_max_instance) = (4, 50);
        several.max_entries = Some(60);
        assert_eq!(of(&several, 5000.0, None), Some(("max_entries", 10.0)));
    }

    #[test]
    fn what_does_not_grow_reaches_nothing() {
        for growth in [0.0, -5.0, 1e-9, f64::NAN] {
            let mut still = group(100, growth);
            still.max_entries = Some(200);
            assert_eq!(of(&still, 5000.0, Some(1000)), None, "{growth}");
        }
        let mut unknown = group(100, 0.0);
        unknown.growth_per_second = None;
        assert_eq!(of(&unknown, 5000.0, Some(1000)), None);
        assert_eq!(of(&group(0, 5.0), 0.0, Some(1000)), None, "now empty");
    }
}
