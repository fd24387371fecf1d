//! Which tracked maps gained entries.

use std::collections::HashMap;
use std::fmt;

use crate::units::count;

/// A group of tracked maps that has more entries than before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MapGrowth {
    /// Its name, or where its maps are made.
    pub name: String,
    /// Entries before.
    pub before: u64,
    /// Entries after.
    pub after: u64,
}

impl MapGrowth {
    /// Entries that it gained.
    pub fn entries(&self) -> u64 {
        self.after.saturating_sub(self.before)
    }
}

impl fmt::Display for MapGrowth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MapGrowth {
            name,
            before,
            after,
        } = self;
        let (before, after) = (count(*before), count(*after));
        let gained = count(self.entries());
        write!(f, "{name}: {before} to {after} entries (+{gained})")
    }
}

/// Entries of all groups at one moment.
#[derive(Debug)]
pub(super) struct Entries(HashMap<String, u64>);

impl Entries {
    /// Those of the groups with these names; of all if no names are given.
    pub(super) fn now(only: &[String]) -> Self {
        let report = heaplens_maps::report();
        let wanted = |name: &String| only.is_empty() || only.contains(name);
        let groups = report.groups.into_iter();
        let wanted = groups.filter(|group| wanted(&group.name));
        Entries(wanted.map(|group| (group.name, group.entries)).collect())
    }

    /// The groups that gained more than `allowed` entries since, those that gained
    /// the most first.
    pub(super) fn growth_since(self, before: &Entries, allowed: u64) -> Vec<MapGrowth> {
        let mut grown: Vec<MapGrowth> = self
            .0
            .into_iter()
            .map(|(name, after)| MapGrowth {
                before: before.0.get(&name).copied().unwrap_or(0),
                after,
                name,
            })
            .filter(|growth| growth.entries() > allowed)
            .collect();
        grown.sort_by(|a, b| (b.entries(), &a.name).cmp(&(a.entries(), &b.name)));
        grown
    }
}
