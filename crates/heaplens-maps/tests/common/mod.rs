//! What the tests of the collections share.

use heaplens_maps::GroupReport;

/// What a group shows now; all zero if it has had no container yet.
pub(crate) fn group(name: &str) -> GroupReport {
    let report = heaplens_maps::report();
    let found = report.groups.into_iter().find(|group| group.name == name);
    found.unwrap_or_default()
}

#[allow(dead_code)] // not every test program uses it
/// Instances, entries, inserts, removes.
pub(crate) fn traffic(name: &str) -> (u64, u64, u64, u64) {
    let group = group(name);
    (group.instances, group.entries, group.inserts, group.removes)
}
