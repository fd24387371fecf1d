//! Containers under pressure.

mod common;

use std::collections::HashMap;
use std::panic::resume_unwind;
use std::time::Duration;

use common::panics::{assert_contains, message_of};
use heaplens::TrackedHashMap;
use heaplens::testing::{Pressure, PressureReport, Stop};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

/// Fills a map without end.
fn fill(pressure: &Pressure) -> PressureReport {
    let mut map: TrackedHashMap<u64, Vec<u8>> = TrackedHashMap::named("filled");
    pressure.drive(
        &mut map,
        |map| map.len(),
        |map, number| {
            map.insert(number, vec![0; 1000]);
        },
    )
}

#[test]
fn it_stops_at_the_first_limit_that_is_reached() {
    let pressure = Pressure::new().max_operations(500);
    let report = fill(&pressure);
    assert_eq!((report.stop, report.operations), (Stop::Operations, 500));
    assert_eq!(report.entries, Some(500));
    let heap = report.heap.expect("watched");
    assert!(heap.bytes > 500_000 && heap.bytes < 600_000, "{heap:?}");
    assert_eq!(heap.inexact, None);

    let report = fill(&pressure.clone().until_entries(77));
    assert_eq!((report.stop, report.operations), (Stop::Entries, 77));

    let report = fill(&pressure.clone().until_heap_bytes(100_000));
    assert_eq!(report.stop, Stop::HeapBytes);
    let bytes = report.heap.expect("watched").bytes;
    // The last operation's block, and the table if it grew.
    assert!((100_000..115_000).contains(&bytes), "{report}");

    let report = fill(&pressure.clone().max_time(Duration::ZERO));
    assert_eq!((report.stop, report.operations), (Stop::Time, 1));

    let report = fill(&pressure.max_operations(0));
    assert_eq!((report.operations, report.entries, report.latency), {
        (0, None, heaplens::testing::Latency::default())
    });
}

#[test]
fn a_bound_that_is_kept_and_one_that_is_not() {
    let mut bounded = HashMap::new();
    let report = Pressure::new().bound(100).max_operations(1000).drive(
        &mut bounded,
        HashMap::len,
        |map, number| {
            map.insert(number, number.to_string());
            map.remove(&number.saturating_sub(100));
        },
    );
    report.assert_bound_kept();
    report.assert_bound_kept_at_end();
    report.assert_heap_below(100_000);
    report.assert_no_failures();
    assert_eq!(
        (report.entries, report.peak_entries),
        (Some(100), Some(100))
    );

    let report = fill(&Pressure::new().bound(100).max_operations(1000));
    assert_eq!(report.kept_bound(), Some(false));
    let message = message_of(|| report.assert_bound_kept());
    assert_contains(
        &message,
        &[
            "exceeded its bound",
            "1,000 operations in ",
            "until all operations were done",
            "entries: 1,000, at the most 1,000, bound 100 exceeded",
            "p50 ",
            "failures: 0",
        ],
    );
    let message = message_of(|| report.assert_heap_below(1_000_000));
    assert!(message.contains("not below 1,000,000 bytes\n"), "{message}");
    message_of(|| report.assert_peak_heap_below(1_000_000));
    message_of(|| report.assert_bound_kept_at_end());
    report.assert_peak_heap_below(2_000_000);
}

/// Evicted too late to keep the bound after each operation, but in the end.
#[test]
fn a_bound_that_is_kept_in_the_end() {
    let mut map = HashMap::new();
    let report = Pressure::new().bound(50).max_operations(1000).drive(
        &mut map,
        HashMap::len,
        |map, number| {
            map.insert(number, number);
            if number % 100 == 99 {
                map.clear();
            }
        },
    );
    assert_eq!(
        (report.kept_bound(), report.peak_entries),
        (Some(false), Some(99))
    );
    report.assert_bound_kept_at_end();
}

#[test]
fn failures_and_panics_are_counted_and_told() {
    let report = Pressure::new().max_operations(100).run(|number| {
        if number == 40 {
            resume_unwind(Box::new("out of order"));
        }
        if number % 10 == 9 {
            return Err(format!("no room for {number}"));
        }
        Ok(number)
    });
    assert_eq!((report.operations, report.failures), (100, 11));
    assert_eq!(
        report.first_failures,
        [
            "operation 9: \"no room for 9\"",
            "operation 19: \"no room for 19\"",
            "operation 29: \"no room for 29\"",
            "operation 39: \"no room for 39\"",
            "operation 40: panicked: out of order",
        ]
    );
    let message = message_of(|| report.assert_no_failures());
    assert!(
        message.contains("failures: 11\n    operation 9: "),
        "{message}"
    );
    let report = Pressure::new().max_operations(10).run(|number| number != 3);
    assert_eq!(report.first_failures, ["operation 3: returned false"]);
    let panics = Pressure::new().max_operations(3).run(|number| -> () {
        if number == 0 {
            resume_unwind(Box::new(7));
        }
        resume_unwind(Box::new(format!("number {number}")));
    });
    assert_eq!(panics.failures, 3);
    assert!(panics.first_failures[0].ends_with("panicked: not with a text"));
    assert!(panics.first_failures[2].ends_with("panicked: number 2"));
}

/// The harness's own memory (times, failures) is not among the heap's.
#[test]
fn nothing_is_counted_that_the_operations_do_not_allocate() {
    let report = Pressure::new()
        .max_operations(50_000)
        .run(|_| Err::<(), _>("always"));
    let heap = report.heap.expect("watched");
    assert_eq!((heap.bytes, heap.allocated_blocks), (0, 0));
    report.assert_heap_below(1);
}

#[test]
fn latencies_are_in_order() {
    let report = Pressure::new()
        .latency_only()
        .max_operations(2000)
        .run(|number| {
            std::hint::black_box(vec![0u8; if number % 50 == 0 { 1 << 20 } else { 16 }]);
        });
    let latency = report.latency;
    assert!(
        latency.p50 <= latency.p99 && latency.p99 <= latency.max,
        "{latency:?}"
    );
    assert!(latency.max > Duration::ZERO && latency.max <= report.time);
    report.assert_p99_below(report.time + Duration::from_nanos(1));
    let message = message_of(|| report.assert_p99_below(Duration::ZERO));
    assert!(message.contains("latency: p50 "), "{message}");
    let message = message_of(|| report.assert_heap_below(1));
    assert!(message.contains("latency_only"), "{message}");
    let message = message_of(|| report.assert_bound_kept());
    assert!(message.contains("Pressure::bound"), "{message}");
}
