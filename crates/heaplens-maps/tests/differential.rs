//! Random sequences of operations, on std's collections and on the tracked ones
//! side by side. After each step both return and hold the same, and the
//! published figures are those of what is there.

#[path = "differential/hash.rs"]
mod hash;
mod support;
#[path = "differential/tree.rs"]
mod tree;

use proptest::prelude::*;

type Key = u16;
type Value = u32;

/// Keys of which some are met again and some fill tables.
fn key() -> impl Strategy<Value = Key> {
    prop_oneof![0..40u16, 0..2000u16]
}

fn entries() -> impl Strategy<Value = Vec<(Key, Value)>> {
    prop_oneof![
        prop::collection::vec((key(), any::<Value>()), 0..40),
        (0..1000u16, 0..300u16).prop_map(|(first, count)| {
            let keys = first..first + count;
            keys.map(|key| (key, u32::from(key))).collect()
        }),
    ]
}

/// What a container takes of a pair.
trait Item: Sized {
    fn item(pair: (Key, Value)) -> Self;
}

impl Item for (Key, Value) {
    fn item(pair: (Key, Value)) -> Self {
        pair
    }
}

impl Item for Key {
    fn item(pair: (Key, Value)) -> Self {
        pair.0
    }
}

/// What holds after every step of any sequence.
#[track_caller]
fn consistent(name: &str, entries: usize, step: &str) -> heaplens_maps::GroupReport {
    let group = support::group_or_zero(name);
    assert_eq!(group.entries, entries as u64, "entries after {step}");
    let net = group.inserts.wrapping_sub(group.removes);
    assert_eq!(net, group.entries, "inserts - removes after {step}");
    group
}
