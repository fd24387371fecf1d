//! Watches at their limits: none left, and no room for the blocks to be counted.

mod common;

use std::alloc::System;

use common::blocks::Blocks;
use common::{alone, lost};
use heaplens_alloc::Alloc;
use heaplens_alloc::watch::{Inexact, MAX_WATCHES, Watch, WatchError};

static ALLOC: Alloc<System> = Alloc::with(System).memory_budget(1 << 20);

fn install() {
    Blocks::new(&ALLOC).add(1, 8);
}

#[test]
fn the_last_watch_and_the_one_after() {
    let _turn = alone();
    install();
    for _ in 0..3 {
        let mut watches: Vec<_> = (0..MAX_WATCHES)
            .map(|_| Watch::of_thread().expect("room"))
            .collect();
        let error = Watch::of_thread().expect_err("all are taken");
        assert_eq!(error, WatchError::Exhausted);
        assert!(error.to_string().contains("64 watches"), "{error}");
        // On another thread too: the places are the process's.
        let other = std::thread::spawn(|| Watch::of_thread().map(drop));
        assert_eq!(other.join().expect("no panic"), Err(WatchError::Exhausted));
        let mut blocks = Blocks::new(&ALLOC);
        blocks.add(3, 100);
        for watch in &watches {
            assert_eq!(watch.figures().bytes, 300);
        }
        watches.remove(17);
        let again = Watch::of_thread().expect("one is free");
        assert_eq!(again.figures().bytes, 0);
        blocks.free_all();
        for watch in &watches {
            assert_eq!(watch.figures().bytes, 0);
        }
        assert_eq!(again.figures().bytes, 0);
    }
}

#[test]
fn what_does_not_fit_makes_the_figures_inexact() {
    let _turn = alone();
    install();
    let outer = Watch::of_thread().expect("room");
    let mut blocks = Blocks::new(&ALLOC);
    blocks.add(1000, 24);
    let exact = Watch::of_thread().expect("room");
    assert_eq!(outer.figures().inexact, None);
    let before = lost();
    drop(exact);
    let inner = Watch::of_thread().expect("room");
    blocks.add(50_000, 24);
    let missing = lost() - before;
    assert!(missing > 30_000, "{missing}");
    for (watch, blocks) in [(&inner, 50_000), (&outer, 51_000)] {
        let figures = watch.figures();
        assert_eq!(figures.inexact, Some(Inexact::Lost { blocks: missing }));
        assert_eq!(figures.blocks + missing, blocks);
    }
    let said = inner.figures().inexact.expect("as above").to_string();
    for part in [
        "1048576 bytes",
        "HEAPLENS_MEMORY_BUDGET",
        &missing.to_string(),
    ] {
        assert!(said.contains(part), "{said}");
    }
    // What was not recorded is not missed when it is freed.
    blocks.free_all();
    assert_eq!((inner.figures().bytes, outer.figures().bytes), (0, 0));
    // Another thread's losses are not this one's.
    drop(inner);
    let calm = Watch::of_thread().expect("room");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let watch = Watch::of_thread().expect("room");
            let mut blocks = Blocks::new(&ALLOC);
            blocks.add(20_000, 24);
            assert!(matches!(
                watch.figures().inexact,
                Some(Inexact::Lost { .. })
            ));
        });
    });
    assert_eq!(calm.figures().inexact, None);
}
