//! The five leaks by heap assertions: what a test of each would have said before it
//! went into production, and says now that it is repaired.

mod driven;

use std::panic::{AssertUnwindSafe, catch_unwind};

use heaplens::testing::{Pressure, PressureReport, Stop, Transaction, TransactionReport};
use leaky_service::cases::{CaseName, Mode, fixed_bound};
use tokio::runtime::{Builder, Runtime};

use driven::{Driven, PER_REQUEST};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

/// A clock that goes on only where everything waits for it.
fn runtime() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true);
    builder.build().expect("a runtime")
}

/// Requests of one case, each with the timers that fire until the next.
fn requests(case: CaseName, mode: Mode) -> impl FnMut() {
    let runtime = runtime();
    let mut driven = Driven::new(case, mode);
    move || {
        runtime.block_on(async {
            assert!(driven.request().await.is_success());
            driven.pass(PER_REQUEST).await;
        });
    }
}

/// The settings of a case. Only its own map: the tests of other cases may run beside
/// this one.
fn transaction(case: CaseName) -> Transaction {
    Transaction::named(case.as_str()).only_maps([case.as_str()])
}

/// The leaking form fails, and the message has the map and the function.
fn assert_leaks(case: CaseName, function: &str) {
    let run = requests(case, Mode::Leaking);
    let result = catch_unwind(AssertUnwindSafe(|| transaction(case).run(run)));
    let panic = result.expect_err("the leak must be found");
    let message = panic.downcast::<String>().expect("a message");
    let said = |part: &str| assert!(message.contains(part), "no {part:?} in:\n{message}");
    said(&format!(
        "transaction \"{case}\": 100 runs after 10 of warm-up grew the heap by"
    ));
    said(&format!("tracked maps that gained entries:\n    {case}: "));
    said(&format!("bytes held by map={case}\n"));
    said(&format!("::{function}"));
}

/// Bytes and entries that a form whose load comes in cycles may hold more at the end
/// of a run than at its beginning.
#[derive(Clone, Copy)]
struct Swing {
    bytes: u64,
    entries: u64,
}

const NONE: Swing = Swing {
    bytes: 0,
    entries: 0,
};

/// The repaired form passes. The requests of the warm-up must fill what it keeps.
fn assert_repaired(case: CaseName, warm_up: u64, runs: u64, swing: Swing) -> TransactionReport {
    transaction(case)
        .warm_up(warm_up)
        .runs(runs)
        .allow_bytes(swing.bytes)
        .allow_entries(swing.entries)
        .run(requests(case, Mode::Fixed))
}

#[test]
fn sessions() {
    let case = CaseName::Sessions;
    assert_leaks(case, "create_session");
    // Carts come in a cycle of nine; ids have four digits from 1,000 on.
    let full = fixed_bound(case) as u64 + 1_000;
    assert_repaired(case, full, 450, NONE);
}

#[test]
fn metrics() {
    let case = CaseName::Metrics;
    assert_leaks(case, "count_request");
    // Each series keeps the last path, whose id has four digits from 1,000 on.
    assert_repaired(case, 1_010, 500, NONE);
}

#[test]
fn closures() {
    let case = CaseName::Closures;
    assert_leaks(case, "schedule_retry");
    // Twenty and some wait at a time, of up to 4 KiB each, in no simple cycle.
    let swing = Swing {
        bytes: 16 << 10,
        entries: 4,
    };
    assert_repaired(case, 1_000, 504, swing);
}

#[test]
fn field() {
    let case = CaseName::Field;
    assert_leaks(case, "render_report");
    // Five hundred accounts.
    assert_repaired(case, 500, 500, NONE);
}

#[test]
fn callbacks() {
    let case = CaseName::Callbacks;
    assert_leaks(case, "register_tick");
    // A tick's label has its number, of four digits from 1,000 on.
    assert_repaired(case, 1_010, 500, NONE);
}

/// Requests of one case as fast as they are answered, until a limit is reached.
fn press(pressure: &Pressure, case: CaseName, mode: Mode) -> PressureReport {
    let runtime = runtime();
    let mut driven = Driven::new(case, mode);
    let entries = |driven: &Driven| driven.retained().entries;
    pressure.drive(&mut driven, entries, |driven, _| {
        runtime.block_on(async {
            let status = driven.request().await;
            // The timer's own pace makes this case grow.
            if case == CaseName::Callbacks {
                driven.pass(PER_REQUEST).await;
            }
            if status.is_success() {
                Ok(())
            } else {
                Err(status)
            }
        })
    })
}

#[test]
fn under_pressure_the_repaired_forms_keep_their_bounds() {
    for case in CaseName::ALL {
        let bound = fixed_bound(case) as u64;
        let pressure = Pressure::new().latency_only().bound(bound);
        let report = press(&pressure.max_operations(bound * 3 / 2), case, Mode::Fixed);
        report.assert_bound_kept();
        // No webhook is done while no time passes: what is too much is refused.
        let refused = if case == CaseName::Closures {
            bound / 2
        } else {
            0
        };
        assert_eq!(report.failures, refused, "{case}:\n{report}");
    }
}

#[test]
fn under_pressure_the_leaking_forms_do_not() {
    for case in CaseName::ALL {
        let bound = fixed_bound(case) as u64;
        let pressure = Pressure::new().latency_only().bound(bound);
        let report = press(&pressure.until_entries(bound + 1), case, Mode::Leaking);
        assert_eq!(
            (report.stop, report.kept_bound()),
            (Stop::Entries, Some(false))
        );
        report.assert_no_failures();
    }
}

#[test]
fn under_pressure_a_leaking_cache_takes_a_mebibyte_and_a_repaired_one_does_not() {
    let case = CaseName::Field;
    let pressure = Pressure::new()
        .max_operations(600)
        .until_heap_bytes(1 << 20);
    let report = press(&pressure, case, Mode::Leaking);
    assert_eq!(report.stop, Stop::HeapBytes, "{report}");
    // With its five hundred accounts asked for, it stays as it is.
    let mut asked_for = requests(case, Mode::Fixed);
    let pressure = Pressure::new().max_operations(1_000);
    let full = pressure.clone().max_operations(500).run(|_| asked_for());
    let more = pressure.run(|_| asked_for());
    assert!(full.heap.is_some_and(|heap| heap.bytes > 100_000), "{full}");
    more.assert_heap_below(4_096);
}
