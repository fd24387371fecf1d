//! Heap assertions in a program that has another global allocator.

mod common;

use common::panics::message_of;
use heaplens::testing::{HeapWatch, Pressure, Transaction, WatchError, measure};

#[test]
fn what_needs_the_allocator_says_which_line_to_add() {
    assert_eq!(HeapWatch::try_start().err(), Some(WatchError::NotInstalled));
    let all = HeapWatch::try_start_all_threads();
    assert_eq!(all.err(), Some(WatchError::NotInstalled));
    let attempts: [fn(); 4] = [
        || drop(HeapWatch::start()),
        || _ = measure(|| ()),
        || drop(Transaction::named("any").run(|| ())),
        || drop(Pressure::new().run(|_| ())),
    ];
    for attempt in attempts {
        let message = message_of(attempt);
        assert!(
            message.contains("#[global_allocator] static ALLOC"),
            "{message}"
        );
    }
}

#[test]
fn latencies_need_no_allocator() {
    let mut list = Vec::new();
    let report = Pressure::new()
        .latency_only()
        .bound(10)
        .max_operations(10)
        .drive(&mut list, Vec::len, Vec::push);
    report.assert_bound_kept();
    assert_eq!((report.operations, report.heap), (10, None));
}
