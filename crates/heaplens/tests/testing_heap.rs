//! Heap assertions: they hold where they should, and fail with the figures and with
//! the name of the function that keeps the memory.

mod common;

use std::cell::RefCell;
use std::collections::HashMap;
use std::hint::black_box;

use common::panics::{assert_contains, message_of};
use heaplens::testing::{HeapWatch, MAX_WATCHES, measure};

// A panic within a watch leaves memory behind: std's backtraces keep what they read,
// and the harness what is printed. So nothing is asserted on the figures after one.

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

#[inline(never)]
fn keep_a_kilobyte() -> Vec<u8> {
    let mut kept = Vec::new();
    kept.resize(1000, 1);
    black_box(kept)
}

#[inline(never)]
fn keep_in_a_map(map: &mut HashMap<u32, String>) {
    for number in 0..100 {
        map.insert(number, format!("the number {number:10}"));
    }
}

#[test]
fn what_is_freed_is_no_growth() {
    let watch = HeapWatch::start();
    let mut map = HashMap::new();
    keep_in_a_map(&mut map);
    drop((map, keep_a_kilobyte()));
    watch.assert_no_growth();
    watch.assert_growth_below(1);
    assert!(watch.figures().allocated_blocks > 100);
    assert_eq!(watch.call_sites(5), []);
}

#[test]
fn a_failed_assertion_names_the_function_that_keeps_memory() {
    let watch = HeapWatch::start();
    let kept = (keep_a_kilobyte(), keep_a_kilobyte());
    let message = message_of(|| watch.assert_no_growth());
    assert_contains(
        &message,
        &[
            "the heap grew by 2,000 bytes in 2 blocks, allowed is none",
            "at the peak 2,000 bytes",
            "2,000 bytes in 2 blocks\n",
            "testing_heap::keep_a_kilobyte (tests/testing_heap.rs:",
            "testing_heap::a_failed_assertion_names_the_function_that_keeps_memory",
        ],
    );
    for part in ["heaplens_alloc", "__rust_alloc", "test::run_test", "FnOnce"] {
        assert!(!message.contains(part), "{part} in:\n{message}");
    }
    drop(kept);
}

#[test]
fn growth_up_to_a_limit() {
    let watch = HeapWatch::start();
    let kept = (keep_a_kilobyte(), keep_a_kilobyte());
    watch.assert_growth_below(2001);
    let message = message_of(|| watch.assert_growth_below(2000));
    assert_contains(
        &message,
        &["allowed is less than 2,000 bytes", "keep_a_kilobyte"],
    );
    drop(kept);
}

#[test]
fn the_largest_call_sites_come_first() {
    let watch = HeapWatch::start();
    let mut map = HashMap::new();
    keep_in_a_map(&mut map);
    let kept: Vec<_> = (0..50).map(|_| keep_a_kilobyte()).collect();
    let sites = watch.call_sites(2);
    assert_eq!(sites.len(), 2);
    assert_eq!((sites[0].bytes, sites[0].blocks), (50_000, 50));
    assert!(sites[0].bytes > sites[1].bytes, "{sites:?}");
    let names = |at: usize| sites[at].frames.join(" ");
    assert!(names(0).contains("keep_a_kilobyte"), "{sites:?}");
    assert!(names(1).contains("keep_in_a_map"), "{sites:?}");
    // The library's function that the program called, and no other one of it.
    assert!(
        sites[0].frames[0].starts_with("alloc::vec::Vec"),
        "{sites:?}"
    );
    assert!(sites[0].frames[1].starts_with("testing_heap::keep_a_kilobyte"));
    let bytes: u64 = watch.call_sites(100).iter().map(|site| site.bytes).sum();
    assert_eq!(bytes, watch.figures().bytes);
    drop((kept, map));
}

#[test]
fn a_peak_is_seen_after_it() {
    let watch = HeapWatch::start();
    drop((keep_a_kilobyte(), keep_a_kilobyte()));
    let kept = keep_a_kilobyte();
    watch.assert_peak_below(2001);
    let message = message_of(|| watch.assert_peak_below(2000));
    assert_contains(
        &message,
        &[
            "the heap grew at its peak by 2,000 bytes, allowed is less than 2,000 bytes",
            "now 1,000 bytes in 1 block",
            "keep_a_kilobyte",
        ],
    );
    drop(kept);
}

/// Failing has to leave the figures as they are.
#[test]
fn messages_are_not_counted() {
    let watch = HeapWatch::start();
    let kept = keep_a_kilobyte();
    let before = watch.figures();
    let sites = watch.call_sites(5);
    drop(watch.snapshot());
    assert_eq!(watch.figures(), before);
    drop(sites);
    assert_eq!(watch.figures(), before);
    drop(kept);
}

#[test]
fn measure_tells_what_a_value_takes() {
    let (list, figures) = measure(|| {
        drop(keep_a_kilobyte());
        vec![Box::new(1u64), Box::new(2)]
    });
    assert_eq!((figures.bytes, figures.blocks), (32, 3));
    assert_eq!((figures.peak_bytes, figures.allocated_bytes), (1000, 1032));
    assert_eq!(figures.inexact, None);
    drop(list);
}

thread_local! {
    static MADE_ONCE: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// In parallel with all other tests of this file: none disturbs another.
#[test]
fn eight_threads_assert_for_themselves() {
    std::thread::scope(|scope| {
        for thread in 1..=8usize {
            scope.spawn(move || {
                for round in 0..20 {
                    let watch = HeapWatch::start();
                    let kept: Vec<Vec<u8>> = (0..10).map(|_| vec![1; thread * 100]).collect();
                    assert_eq!(watch.figures().bytes, (10 * thread * 100 + 240) as u64);
                    if round % 5 == 0 {
                        let message = message_of(|| watch.assert_no_growth());
                        assert_contains(&message, &["eight_threads_assert_for_themselves"]);
                    }
                    drop(kept);
                }
            });
        }
    });
}

#[test]
fn a_thread_local_counts_where_it_is_made() {
    let touch = || MADE_ONCE.with_borrow_mut(|kept| kept.get_or_insert_with(keep_a_kilobyte).len());
    let first = HeapWatch::start();
    touch();
    let message = message_of(|| first.assert_no_growth());
    assert_contains(
        &message,
        &["keep_a_kilobyte", "a_thread_local_counts_where_it_is_made"],
    );
    let second = HeapWatch::start();
    touch();
    second.assert_no_growth();
}

#[test]
fn a_leak_of_an_inner_watch_is_one_of_the_outer() {
    let outer = HeapWatch::start();
    let inner = HeapWatch::start();
    let kept = keep_a_kilobyte();
    for watch in [&inner, &outer] {
        let sites = watch.call_sites(2);
        assert_eq!((sites.len(), sites[0].bytes, sites[0].blocks), (1, 1000, 1));
        assert!(sites[0].to_string().contains("keep_a_kilobyte"));
        assert_eq!(watch.figures().bytes, 1000);
    }
    drop(inner);
    let message = message_of(|| outer.assert_no_growth());
    assert_contains(&message, &["1,000 bytes in 1 block", "keep_a_kilobyte"]);
    drop(kept);
}

#[test]
fn all_threads_cannot_be_watched_at_the_usual_interval() {
    let message = message_of(|| drop(HeapWatch::start_all_threads()));
    assert_contains(&message, &["HEAPLENS_SAMPLE_INTERVAL=1", "is 524288"]);
    const { assert!(MAX_WATCHES >= 8 + 16) };
}
