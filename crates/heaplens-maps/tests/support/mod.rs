//! What several tests need.
#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod counting;

use heaplens_maps::{GroupReport, report};

/// The group of this name, if a report shows it.
pub(crate) fn find(name: &str) -> Option<GroupReport> {
    report().groups.into_iter().find(|group| group.name == name)
}

/// The group of this name, which a report must show.
pub(crate) fn group(name: &str) -> GroupReport {
    find(name).unwrap_or_else(|| panic!("no group {name}"))
}

/// What a group shows now; all zero if it has had no container yet.
pub(crate) fn group_or_zero(name: &str) -> GroupReport {
    find(name).unwrap_or_default()
}

/// Instances, entries, inserts, removes; all zero as above.
pub(crate) fn traffic(name: &str) -> (u64, u64, u64, u64) {
    let group = group_or_zero(name);
    (group.instances, group.entries, group.inserts, group.removes)
}

/// Whether anything of this group is alive.
pub(crate) fn is_alive(name: &str) -> bool {
    find(name).is_some_and(|group| group.instances > 0)
}
