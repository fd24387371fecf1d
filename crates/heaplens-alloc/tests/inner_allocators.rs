//! Any allocator can be wrapped: random calls of all sizes and alignments
//! against a shadow of the heap.

mod common;

use std::alloc::{GlobalAlloc, System};
use std::sync::mpsc;

use common::blocks::{Block, obtain, release, release_all};
use common::ledger::Ledger;
use common::random::Random;
use common::shadow::Shadow;
use common::{alone, assert_nothing_is_in_use, lost};
use heaplens_alloc::{Alloc, set_sample_interval, snapshot};

static TIKV: Alloc<tikv_jemallocator::Jemalloc> =
    Alloc::with(tikv_jemallocator::Jemalloc).max_overhead_ppm(0);
static OWN: Alloc = Alloc::new().max_overhead_ppm(0);
static SYSTEM: Alloc<System> = Alloc::with(System).max_overhead_ppm(0);
static MIMALLOC: Alloc<mimalloc::MiMalloc> = Alloc::with(mimalloc::MiMalloc).max_overhead_ppm(0);
static AUDITED: Alloc<&Ledger<System>> = Alloc::with(&LEDGER).max_overhead_ppm(0);
static LEDGER: Ledger<System> = Ledger::new(System);

const STEPS: usize = 100_000;

fn stress<A: GlobalAlloc>(alloc: &A) {
    let _turn = alone();
    let lost_before = lost();
    for interval in [1, 64, 4096] {
        set_sample_interval(interval);
        let mut shadow = Shadow::new(alloc, interval, 500);
        for step in 0..STEPS {
            shadow.step();
            if interval == 1 && step % 4999 == 0 {
                assert_eq!(snapshot().totals().inuse, shadow.tally());
            }
        }
        assert!(snapshot().totals().inuse.samples > 0);
        shadow.finish();
        assert_nothing_is_in_use();
    }
    assert_eq!(lost(), lost_before);
}

#[test]
fn tikv_jemallocator() {
    stress(&TIKV);
}

#[test]
fn own_jemalloc() {
    stress(&OWN);
}

#[test]
fn system() {
    stress(&SYSTEM);
}

#[test]
fn mimalloc() {
    stress(&MIMALLOC);
}

/// Every block comes back to the inner allocator with the layout that it was
/// obtained with, as sized deallocation asks for.
#[test]
fn layouts_agree_below() {
    stress(&AUDITED);
    LEDGER.assert_sound();
    assert_eq!(LEDGER.open(), 0);
}

/// Blocks go round four threads: most are freed by another thread than the one
/// that allocated them.
fn exchange<A: GlobalAlloc + Sync>(alloc: &A) {
    const THREADS: usize = 4;
    let _turn = alone();
    for interval in [1, 64] {
        set_sample_interval(interval);
        let (ends, inboxes): (Vec<_>, Vec<_>) =
            (0..THREADS).map(|_| mpsc::channel::<Block>()).unzip();
        std::thread::scope(|scope| {
            for (index, inbox) in inboxes.into_iter().enumerate() {
                let next = ends[(index + 1) % THREADS].clone();
                scope.spawn(move || {
                    let mut random = Random::new(index as u64);
                    for _ in 0..STEPS / 8 {
                        let size = random.size(15);
                        let layout = common::blocks::layout(size);
                        let block = obtain(alloc, layout, random.coin());
                        // The receiver may be gone: then it is ours to free.
                        if let Err(unsent) = next.send(block) {
                            release(alloc, unsent.0);
                        }
                        release_all(alloc, inbox.try_iter());
                    }
                    drop(next);
                    release_all(alloc, inbox.iter());
                });
            }
            drop(ends);
        });
        assert_nothing_is_in_use();
    }
}

#[test]
fn threads_free_each_others_blocks() {
    exchange(&TIKV);
    exchange(&OWN);
    exchange(&SYSTEM);
    exchange(&MIMALLOC);
}
