//! What several tests of probes, caches and wrappers need.
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

/// Whether anything of this group is alive.
pub(crate) fn is_alive(name: &str) -> bool {
    find(name).is_some_and(|group| group.instances > 0)
}
