//! Transactions that leak and that do not.

mod common;

use std::collections::{HashMap, VecDeque};
use std::hint::black_box;
use std::panic::catch_unwind;

use common::panics::{assert_contains, message_of, text_of};
use heaplens::TrackedHashMap;
use heaplens::testing::{Transaction, transaction};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

/// Only maps of this name: other tests of this file fill others.
fn of_map(name: &str) -> Transaction {
    Transaction::named(name).only_maps([name])
}

#[inline(never)]
fn log_in(sessions: &mut TrackedHashMap<u64, String>, user: u64) {
    sessions.insert(user, format!("session of user {user:010}"));
}

#[test]
fn a_map_that_grows_is_named_with_the_function_that_fills_it() {
    let mut sessions = TrackedHashMap::named("growing sessions");
    let mut user = 0;
    let message = message_of(|| {
        of_map("growing sessions").run(|| {
            user += 1;
            log_in(&mut sessions, user);
        });
    });
    assert_contains(
        &message,
        &[
            "transaction \"growing sessions\": 100 runs after 10 of warm-up grew the heap by",
            "it grew in 100 of them",
            "tracked maps that gained entries:\n    growing sessions: 10 to 110 entries (+100)",
            "call sites that grew:",
            "3,200 bytes in 100 blocks, 3,520 bytes held by map=growing sessions",
            "bytes by larger blocks, ",
            "heaplens_maps::hash_map::TrackedHashMap<K,V,S>::insert (",
            "testing_transactions::log_in (tests/testing_transactions.rs:",
        ],
    );
    assert!(!message.contains("made once"), "{message}");
}

#[test]
fn what_is_taken_out_again_is_no_growth() {
    let mut sessions = TrackedHashMap::named("closing sessions");
    let mut user = 0;
    let report = of_map("closing sessions").runs(500).run(|| {
        user += 1;
        log_in(&mut sessions, user);
        sessions.remove(&user);
    });
    assert_eq!(
        (report.bytes, report.blocks, report.growing_runs),
        (0, 0, 0)
    );
    assert_eq!((report.maps.len(), report.call_sites.len()), (0, 0));
}

/// All blocks of the working set are replaced again and again; it stays as large.
#[test]
fn a_full_queue_that_replaces_its_entries_is_no_growth() {
    let mut queue = VecDeque::new();
    Transaction::named("queue")
        .only_maps(["none"])
        .warm_up(200)
        .run(|| {
            queue.push_back(black_box(vec![0u8; 1000]));
            if queue.len() > 100 {
                queue.pop_front();
            }
        });
    // Not filled yet when it was first looked at: growth, of as much as is missing.
    let mut queue = VecDeque::with_capacity(128);
    let report = Transaction::named("short warm-up").warm_up(60).measure(|| {
        queue.push_back(black_box(vec![0u8; 1000]));
        if queue.len() > 100 {
            queue.pop_front();
        }
    });
    assert_eq!((report.bytes, report.blocks), (40_000, 40));
    assert_eq!(report.growing_runs, 40);
}

#[test]
fn growth_that_is_allowed_and_growth_beyond_it() {
    let mut kept = Vec::with_capacity(1000);
    let mut keep = || kept.push(Box::new(0u64));
    let settings = Transaction::named("eight bytes a run")
        .only_maps(["none"])
        .runs(50);
    settings.clone().allow_bytes(400).run(&mut keep);
    let report = settings.allow_bytes(399).measure(&mut keep);
    assert!(report.grew());
    assert_eq!((report.bytes, report.blocks), (400, 50));
    assert_contains(
        &report.to_string(),
        &["grew the heap by 400 bytes in 50 blocks, 8 bytes a run (399 bytes allowed)"],
    );
}

/// Entries without heap: the table has room for them.
#[test]
fn entries_that_take_no_heap_are_growth_too() {
    let mut numbers = TrackedHashMap::named("numbers");
    numbers.reserve(1000);
    let mut next = 0u32;
    let mut add = || {
        next += 1;
        numbers.insert(next, next);
    };
    let report = of_map("numbers").measure(&mut add);
    assert_eq!(report.bytes, 0);
    assert!(report.grew());
    let text = report.to_string();
    assert_contains(
        &text,
        &[
            "left the heap as it was",
            "numbers: 10 to 110 entries (+100)",
        ],
    );
    of_map("numbers").allow_entries(100).run(&mut add);
    let report = of_map("numbers").allow_entries(99).measure(&mut add);
    assert_eq!(report.maps.len(), 1);
    assert_eq!(report.maps[0].entries(), 100);
    // Of a map that is not asked for nothing is said.
    Transaction::named("others").only_maps(["none"]).run(add);
}

#[test]
fn what_is_made_once_is_told_from_a_leak() {
    let mut made = None;
    let mut run = 0;
    let message = message_of(|| {
        Transaction::named("late").only_maps(["none"]).run(|| {
            run += 1;
            if run == 60 {
                made = Some(vec![0u8; 5000]);
            }
        });
    });
    assert_contains(
        &message,
        &[
            "grew the heap by 5,000 bytes in 1 block",
            "it grew in 1 of them",
            "made once",
        ],
    );
}

#[test]
fn a_heap_that_shrinks_is_no_growth() {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    let mut run = 0;
    let report = Transaction::named("shrinks").only_maps(["none"]).run(|| {
        run += 1;
        if run <= 10 {
            kept.push(vec![0; 1000]);
        } else {
            kept.pop();
        }
    });
    assert_eq!((report.bytes, report.blocks), (-10_000, -10));
    assert_contains(
        &report.to_string(),
        &["shrank the heap by 10,000 bytes in 10 blocks"],
    );
}

#[test]
fn a_panic_in_a_run_goes_through_and_ends_the_watch() {
    for _ in 0..100 {
        let result = catch_unwind(|| {
            Transaction::named("panics").run(|| std::panic::resume_unwind(Box::new("on purpose")))
        });
        let panic = result.expect_err("must fail");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    }
    let mut map = HashMap::new();
    Transaction::named("after it")
        .only_maps(["none"])
        .run(|| map.insert(1, "one".to_owned()));
}

#[test]
fn the_short_form_drops_what_the_closure_returns() {
    // Of all maps of the process: those of other tests may grow meanwhile.
    let result = catch_unwind(|| transaction("returns", || vec![0u8; 100]));
    if let Err(panic) = result {
        assert_contains(
            &text_of(panic),
            &["left the heap as it was", "tracked maps that gained"],
        );
    }
}
