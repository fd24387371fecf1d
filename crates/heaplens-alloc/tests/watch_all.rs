//! Watches of all threads, in a process that samples everything from its start.

mod common;

use std::alloc::System;
use std::hint::black_box;
use std::sync::Barrier;

use common::alone;
use heaplens_alloc::watch::{Inexact, Watch, WatchError};
use heaplens_alloc::{Alloc, set_sample_interval};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System).sample_interval(1);

/// In turn: the watches of all threads, what they cannot do, and what a thread
/// watches for itself meanwhile. One test, since whatever else ran would count.
#[test]
fn all_threads_count() {
    let _turn = alone();
    let old = black_box(vec![0u8; 1 << 20]);
    // Two at each end, so that the threads begin and end outside of the watch.
    let (begin, allocated, release, end) = (
        Barrier::new(5),
        Barrier::new(5),
        Barrier::new(5),
        Barrier::new(5),
    );
    std::thread::scope(|scope| {
        for thread in 1..=4usize {
            let (begin, allocated) = (&begin, &allocated);
            let (release, end) = (&release, &end);
            scope.spawn(move || {
                begin.wait();
                let own = (thread % 2 == 0).then(|| Watch::of_thread().expect("room"));
                let kept = black_box(vec![0u8; thread * 100_000]);
                let freed = black_box(vec![0u8; 50_000]);
                drop(freed);
                if let Some(own) = &own {
                    assert_eq!(own.figures().bytes, kept.len() as u64);
                    assert_eq!(own.figures().allocated_bytes, kept.len() as u64 + 50_000);
                }
                allocated.wait();
                release.wait();
                drop((kept, own));
                end.wait();
            });
        }
        let watch = Watch::of_process().expect("interval 1 from the start");
        begin.wait();
        allocated.wait();
        drop(old);
        let figures = watch.figures();
        assert_eq!(figures.inexact, None);
        assert_eq!((figures.bytes, figures.blocks), (1_000_000, 4));
        assert_eq!(
            (figures.allocated_bytes, figures.allocated_blocks),
            (1_200_000, 8)
        );
        assert!((1_000_000..=1_200_000).contains(&figures.peak_bytes));
        assert_eq!(watch.snapshot().totals().inuse.bytes as u64, 1_000_000);
        release.wait();
        end.wait();
        assert_eq!((watch.figures().bytes, watch.figures().blocks), (0, 0));
    });

    let watch = Watch::of_process().expect("still 1");
    set_sample_interval(512 << 10);
    assert_eq!(watch.figures().inexact, Some(Inexact::IntervalChanged));
    set_sample_interval(1);
    let error = Watch::of_process().expect_err("it was another meanwhile");
    assert_eq!(error, WatchError::NotEvery { interval: 1 });
    assert!(error.to_string().contains("was not always 1"), "{error}");
}
