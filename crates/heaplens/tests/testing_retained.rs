//! Assertions on what values retain: that they hold, that they fail, and what they say.

mod common;

use std::collections::HashMap;
use std::rc::Rc;

use common::panics::message_of;
use heaplens::testing::{GB, HeapWatch, KB, MB};
use heaplens::{TrackedHashMap, assert_retained};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

#[inline(never)]
fn cached() -> HashMap<u32, Vec<u8>> {
    (0..100).map(|key| (key, vec![0; 1000])).collect()
}

#[test]
fn what_holds_passes() {
    assert_eq!((KB, MB, GB), (1000, 1_000_000, 1_000_000_000));
    let map = cached();
    assert_retained!(map, < 10 * MB);
    assert_retained!(map, <= MB);
    assert_retained!(map[&7], == KB);
    assert_retained!(map[&7], <= 1000,);
    assert_retained!((), == 0);
    assert_eq!(map.len(), 100);

    let shared = Rc::new(vec![0u8; 500]);
    let holders = [Rc::clone(&shared), Rc::clone(&shared)];
    assert_retained!(holders, == 0);
    assert_retained!(*shared, == 500);

    let mut tracked = TrackedHashMap::named("asserted");
    tracked.extend(cached());
    assert_retained!(tracked, < 10 * MB);
    assert_retained!(*tracked, < 10 * MB);
}

#[test]
fn what_does_not_fails_with_the_call_sites() {
    let watch = HeapWatch::start();
    let map = cached();
    let message = message_of(|| assert_retained!(map, < 10 * KB));
    assert!(message.starts_with("map retains 10"), "{message}");
    for part in [
        " bytes in 101 blocks, allowed is less than 10,000 bytes",
        "call sites that allocated it:",
        "100,000 bytes in 100 blocks",
        "testing_retained::cached",
    ] {
        assert!(message.contains(part), "{part:?} is not in {message}");
    }
    let message = message_of(|| assert_retained!(map[&7], == 7));
    assert!(message.contains("map[&7] retains 1,000 bytes in 1 block, allowed is exactly 7 bytes"));
    let message = message_of(|| assert_retained!(map[&7], <= 999));
    assert!(
        message.contains("allowed is at most 999 bytes"),
        "{message}"
    );
    drop(watch);
}

/// A lower bound proves that it is too much, and never that it is not.
#[test]
fn a_destructor_that_panics() {
    struct Panics(bool, Vec<u8>);
    impl Drop for Panics {
        fn drop(&mut self) {
            assert!(!self.0, "in a destructor");
        }
    }
    let mut value = Panics(true, vec![1; 1000]);
    let message = message_of(|| assert_retained!(value, < MB));
    assert!(message.contains("because a destructor panics"), "{message}");
    let message = message_of(|| assert_retained!(value, < 10));
    assert!(
        message.contains("value retains at least 1,000 bytes"),
        "{message}"
    );
    assert_eq!(value.1.len(), 1000);
    value.0 = false;
}
