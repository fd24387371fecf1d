//! Heap assertions when the profiler's own memory is too small for them, and when no
//! watch is left.

mod common;

use std::sync::{Mutex, PoisonError};

use common::panics::{assert_contains, message_of};
use heaplens::testing::{HeapWatch, MAX_WATCHES, Pressure, Transaction, WatchError};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().memory_budget(1 << 20);

/// The tables are the process's.
static TURN: Mutex<()> = Mutex::new(());

/// Even where the figures that there are would pass.
#[test]
fn figures_that_are_too_low_never_pass() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let remedy = |message: &str| {
        assert_contains(
            message,
            &[
                "inexact",
                "are not in these figures",
                "HEAPLENS_MEMORY_BUDGET",
            ],
        );
    };
    let watch = HeapWatch::start();
    let many: Vec<Box<u64>> = (0..100_000).map(Box::new).collect();
    let report = Transaction::named("many").warm_up(1).runs(1).measure(|| {
        let many: Vec<Box<u64>> = (0..100_000).map(Box::new).collect();
        drop(many);
    });
    drop(many);
    assert!(watch.figures().inexact.is_some());
    assert_eq!(watch.figures().bytes, 0);
    remedy(&message_of(|| watch.assert_no_growth()));
    remedy(&message_of(|| watch.assert_growth_below(1 << 30)));
    remedy(&message_of(|| watch.assert_peak_below(1 << 30)));
    assert!(report.inexact.is_some() && !report.grew());
    remedy(&message_of(|| report.assert_no_growth()));
    let mut kept = Vec::new();
    let report = Pressure::new().run(|number| kept.push(Box::new(number)));
    remedy(&message_of(|| report.assert_heap_below(1 << 30)));
}

#[test]
fn the_last_watch() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let watches: Vec<_> = (0..MAX_WATCHES).map(|_| HeapWatch::start()).collect();
    assert_eq!(HeapWatch::try_start().err(), Some(WatchError::Exhausted));
    let message = message_of(|| drop(HeapWatch::start()));
    assert!(message.contains("64 watches"), "{message}");
    drop(watches);
    HeapWatch::start().assert_no_growth();
}
