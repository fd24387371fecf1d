//! Watches of all threads, in a process that samples everything from its start.
//!
//! Without the harness of `#[test]`: that runs a test beside its main thread, which
//! allocates when it gets to it, and so within the watch on a busy machine.

use std::alloc::System;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Barrier;

use heaplens_alloc::watch::{Inexact, Watch, WatchError};
use heaplens_alloc::{Alloc, set_sample_interval};
use libtest_mimic::{Arguments, Trial};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System).sample_interval(1);

fn main() -> ExitCode {
    let arguments = Arguments {
        test_threads: Some(1),
        ..Arguments::from_args()
    };
    let trial = Trial::test("all_threads_count", || {
        all_threads_count();
        Ok(())
    });
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

/// In turn: the watches of all threads, what they cannot do, and what a thread
/// watches for itself meanwhile. One test, since whatever else ran would count.
fn all_threads_count() {
    let old = black_box(vec![0u8; 1 << 20]);
    // Two at each end: what a thread allocates as it starts and frees as it ends is outside.
    let [started, begin, allocated, release, released, end] = [(); 6].map(|()| Barrier::new(5));
    let (held, left) = std::thread::scope(|scope| {
        for thread in 1..=4usize {
            let (started, begin, allocated) = (&started, &begin, &allocated);
            let (release, released, end) = (&release, &released, &end);
            scope.spawn(move || {
                started.wait();
                begin.wait();
                let own = (thread % 2 == 0).then(|| Watch::of_thread().expect("room"));
                let kept = black_box(vec![0u8; thread * 100_000]);
                let freed = black_box(vec![0u8; 50_000]);
                drop(freed);
                let of_own = own.as_ref().map(Watch::figures);
                allocated.wait();
                release.wait();
                let expected = own.as_ref().map(|_| kept.len() as u64);
                drop((kept, own));
                released.wait();
                end.wait();
                // Last, since a thread that panics sooner leaves the others waiting for it.
                assert_eq!(of_own.map(|own| own.bytes), expected);
                assert_eq!(
                    of_own.map(|own| own.allocated_bytes),
                    expected.map(|kept| kept + 50_000)
                );
            });
        }
        started.wait();
        let watch = Watch::of_process();
        begin.wait();
        allocated.wait();
        drop(old);
        let held = watch
            .as_ref()
            .map(|watch| (watch.figures(), watch.snapshot().totals()));
        release.wait();
        released.wait();
        let left = watch
            .as_ref()
            .map(|watch| (watch.figures().bytes, watch.figures().blocks));
        end.wait();
        (
            held.expect("interval 1 from the start"),
            left.expect("interval 1 from the start"),
        )
    });
    let (figures, totals) = held;
    assert_eq!(figures.inexact, None);
    assert_eq!((figures.bytes, figures.blocks), (1_000_000, 4));
    assert_eq!(
        (figures.allocated_bytes, figures.allocated_blocks),
        (1_200_000, 8)
    );
    assert!((1_000_000..=1_200_000).contains(&figures.peak_bytes));
    assert_eq!(totals.inuse.bytes as u64, 1_000_000);
    assert_eq!(left, (0, 0));

    let watch = Watch::of_process().expect("still 1");
    set_sample_interval(512 << 10);
    assert_eq!(watch.figures().inexact, Some(Inexact::IntervalChanged));
    set_sample_interval(1);
    let error = Watch::of_process().expect_err("it was another meanwhile");
    assert_eq!(error, WatchError::NotEvery { interval: 1 });
    assert!(error.to_string().contains("was not always 1"), "{error}");
}
