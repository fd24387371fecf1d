//! Which group comes first.

use std::cmp::Ordering;

use crate::map_group::MapGroup;

/// By what groups are ranked: the most first, the soonest to a limit, or by
/// name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Bytes,
    Entries,
    Growth,
    Table,
    Waste,
    Inserts,
    Removes,
    Evictions,
    Instances,
    Age,
    TimeToLimit,
    Name,
}

impl Sort {
    pub(super) const ALL: [Sort; 12] = [
        Sort::Bytes,
        Sort::Entries,
        Sort::Growth,
        Sort::Table,
        Sort::Waste,
        Sort::Inserts,
        Sort::Removes,
        Sort::Evictions,
        Sort::Instances,
        Sort::Age,
        Sort::TimeToLimit,
        Sort::Name,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Sort::Bytes => "bytes",
            Sort::Entries => "entries",
            Sort::Growth => "growth",
            Sort::Table => "table",
            Sort::Waste => "waste",
            Sort::Inserts => "inserts",
            Sort::Removes => "removes",
            Sort::Evictions => "evictions",
            Sort::Instances => "instances",
            Sort::Age => "age",
            Sort::TimeToLimit => "time_to_limit",
            Sort::Name => "name",
        }
    }

    /// The figure of which most comes first; what is not known comes last.
    fn figure(self, group: &MapGroup) -> Option<f64> {
        let number = |value: Option<u64>| value.map(|value| value as f64);
        match self {
            Sort::Bytes => Some(group.known_bytes()),
            Sort::Entries => number(group.entries()),
            Sort::Growth => group.growth(),
            Sort::Table => number(group.table_bytes()),
            Sort::Waste => number(group.waste_bytes),
            Sort::Inserts => number(group.inserts()),
            Sort::Removes => number(group.removes()),
            Sort::Evictions => number(
                group
                    .evictions()
                    .map(|(_, count)| count)
                    .reduce(u64::saturating_add),
            ),
            Sort::Instances => Some(group.report.instances as f64),
            Sort::Age => group.oldest_age.map(|age| age.as_secs_f64()),
            Sort::TimeToLimit => group.outlook.map(|outlook| -outlook.seconds),
            Sort::Name => None,
        }
    }
}

/// The groups in order; those equal in the figure asked for by their bytes, then
/// by their names.
pub(super) fn ranked(groups: &[MapGroup], sort: Sort) -> Vec<&MapGroup> {
    let mut ranked: Vec<&MapGroup> = groups.iter().collect();
    ranked.sort_by(|one, other| {
        most(sort.figure(one), sort.figure(other))
            .then_with(|| match sort {
                Sort::Name => Ordering::Equal,
                _ => most(Some(one.known_bytes()), Some(other.known_bytes())),
            })
            .then_with(|| one.name().cmp(other.name()))
    });
    ranked
}

fn most(one: Option<f64>, other: Option<f64>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) => other.total_cmp(&one),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use heaplens_maps::GroupReport;

    use super::*;

    fn group(name: &str, entries: u64, table_bytes: u64, growth: Option<f64>) -> GroupReport {
        let mut group = GroupReport::default();
        group.name = name.to_owned();
        (group.instances, group.entries, group.capacity) = (1, entries, entries);
        group.entries_max_instance = entries;
        group.table_bytes = table_bytes;
        group.growth_per_second = growth;
        group
    }

    fn names(groups: &[GroupReport], sort: Sort) -> String {
        let now = SystemTime::now();
        let groups: Vec<MapGroup> = groups
            .iter()
            .map(|group| MapGroup::of(group.clone(), now, None, true))
            .collect();
        let ranked = ranked(&groups, sort);
        ranked.iter().map(|group| group.name()).collect()
    }

    #[test]
    fn the_most_first_and_the_unknown_last() {
        let now = SystemTime::now();
        let mut groups = vec![
            group("a", 10, 500, Some(-1.0)),
            group("b", 30, 100, Some(2.0)),
            group("c", 20, 900, None),
            group("d", 20, 100, Some(0.5)),
        ];
        groups[0].inserts = 5;
        (groups[1].probed, groups[1].inserts) = (1, 1000);
        groups[3].oldest = Some(now - Duration::from_secs(100));
        groups[1].oldest = Some(now - Duration::from_secs(10));
        groups[1].max_entries = Some(100);
        groups[3].max_entries = Some(21);
        let cases = [
            (Sort::Bytes, "cabd"),
            (Sort::Entries, "bcda"),
            (Sort::Growth, "bdac"),
            (Sort::Table, "cabd"),
            (Sort::Inserts, "acdb"),
            (Sort::Age, "dbca"),
            (Sort::TimeToLimit, "dbca"),
            (Sort::Instances, "cabd"),
            (Sort::Name, "abcd"),
        ];
        for (sort, expected) in cases {
            assert_eq!(names(&groups, sort), expected, "{sort:?}");
        }
    }

    #[test]
    fn what_keys_and_values_own_counts() {
        let mut groups = vec![group("a", 1, 500, None), group("b", 1, 100, None)];
        groups[1].contents.record(1000, 1);
        assert_eq!(names(&groups, Sort::Bytes), "ba");
        assert_eq!(names(&groups, Sort::Table), "ab");
    }
}
