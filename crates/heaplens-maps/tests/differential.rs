//! Random sequences of operations, on std's collections and on the tracked ones
//! side by side. After each step both return and hold the same, and the
//! published figures are those of what is there.

mod common;
#[path = "differential/hash.rs"]
mod hash;
#[path = "differential/tree.rs"]
mod tree;

/// What holds after every step of any sequence.
#[track_caller]
fn consistent(name: &str, entries: usize, step: &str) -> heaplens_maps::GroupReport {
    let group = common::group(name);
    assert_eq!(group.entries, entries as u64, "entries after {step}");
    let net = group.inserts.wrapping_sub(group.removes);
    assert_eq!(net, group.entries, "inserts - removes after {step}");
    group
}
