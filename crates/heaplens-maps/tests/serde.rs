//! With the feature `serde` the tracked collections are written and read as
//! std's are.
#![cfg(feature = "serde")]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;

use heaplens_maps::{TrackedBTreeMap, TrackedBTreeSet, TrackedHashMap, TrackedHashSet};
use serde::{Deserialize, Serialize};

/// Written as std's, read back equal, and read from what std's wrote.
fn round_trip<T, U>(tracked: &T, std: &U)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug,
    U: Serialize + for<'de> Deserialize<'de> + PartialEq + Debug,
{
    let written = serde_json::to_string(tracked).expect("can be written");
    assert_eq!(
        &serde_json::from_str::<T>(&written).expect("can be read"),
        tracked
    );
    assert_eq!(
        &serde_json::from_str::<U>(&written).expect("std can read it"),
        std
    );
    let from_std = serde_json::to_string(std).expect("can be written");
    assert_eq!(
        &serde_json::from_str::<T>(&from_std).expect("can be read"),
        tracked
    );
}

#[test]
fn written_and_read_as_std_s() {
    let entries = || (0..100u32).map(|key| (key, format!("value {key}")));
    round_trip(
        &entries().collect::<TrackedHashMap<_, _>>(),
        &entries().collect::<HashMap<_, _>>(),
    );
    round_trip(
        &entries().collect::<TrackedBTreeMap<_, _>>(),
        &entries().collect::<BTreeMap<_, _>>(),
    );
    round_trip(
        &(0..100u32).collect::<TrackedHashSet<_>>(),
        &(0..100u32).collect::<HashSet<_>>(),
    );
    round_trip(
        &(0..100u32).collect::<TrackedBTreeSet<_>>(),
        &(0..100u32).collect::<BTreeSet<_>>(),
    );
    let trees = (
        TrackedBTreeMap::from([(1, 'a')]),
        TrackedBTreeSet::from(["b"]),
    );
    assert_eq!(
        serde_json::to_string(&trees).expect("can be written"),
        r#"[{"1":"a"},["b"]]"#
    );
}

#[test]
fn what_is_read_is_published() {
    #[derive(Deserialize)]
    struct State {
        sessions: TrackedHashMap<String, Vec<u8>>,
        seen: TrackedHashSet<u32>,
        due: TrackedBTreeMap<u32, u32>,
        names: TrackedBTreeSet<String>,
    }
    let text = r#"{ "sessions": {"a": [1], "b": []}, "seen": [1, 2, 3],
        "due": {"1": 2}, "names": ["x", "y", "x"] }"#;
    let state: State = serde_json::from_str(text).expect("well-formed");
    // The place in the source is serde's.
    assert_eq!(state.sessions.group(), state.names.group());
    assert_eq!(
        support::group_or_zero(state.sessions.group().name()).entries,
        2 + 3 + 1 + 2
    );
    let sessions = state.sessions.rename("serde-sessions");
    assert_eq!(support::traffic("serde-sessions"), (1, 2, 2, 0));
    assert_eq!(
        (sessions.len(), state.seen.len(), state.names.len()),
        (2, 3, 2)
    );
    assert_eq!(state.due, BTreeMap::from([(1, 2)]));
    let group = support::group_or_zero("serde-sessions");
    assert_eq!(group.capacity, sessions.capacity() as u64);
    assert!(serde_json::from_str::<TrackedHashSet<u8>>("[1, 300]").is_err());
}
