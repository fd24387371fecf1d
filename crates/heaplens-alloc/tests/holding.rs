//! Marks at large: as estimates, under refusals, and while other threads free
//! and allocate.

mod common;

use std::alloc::{GlobalAlloc, System};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use common::blocks::{Block, Blocks, layout, obtain, release, release_all};
use common::estimate::{Scores, Truth};
use common::fake::Fake;
use common::holders::{held_by, holder};
use common::ledger::{Ledger, refusing};
use common::random::Random;
use common::{alone, assert_nothing_is_in_use};
use heaplens_alloc::holder::{Holder, Part};
use heaplens_alloc::testing::reseed_thread;
use heaplens_alloc::{Alloc, Tally, set_sample_interval, snapshot};

static FAKE: Alloc<Fake> = Alloc::with(Fake).max_overhead_ppm(0);
static SYSTEM: Alloc<System> = Alloc::with(System).max_overhead_ppm(0);

/// What is held is estimated like anything else: unbiased, and as precise as
/// theory has it.
#[test]
fn what_is_held_is_estimated_without_bias() {
    const INTERVAL: u64 = 16 << 10;
    let _turn = alone();
    let (one, other) = (holder("one half"), holder("a quarter"));
    set_sample_interval(INTERVAL);
    for size in [16usize, 200, 4 << 10, 16 << 10, 32 << 10] {
        let mut scores = Scores::new(format!("held, {size} bytes"));
        let p = -(-(size as f64) / INTERVAL as f64).exp_m1();
        let count = (128.0 / p).ceil() as usize;
        let mut blocks = Blocks::new(&FAKE);
        for seed in 0..200 {
            Fake::reset();
            reseed_thread(seed * 1000 + size as u64);
            blocks.add(count, size);
            let mut kept = [0, 0];
            for (number, block) in blocks.list.iter().enumerate() {
                let (of, kept) = match number % 4 {
                    0 | 1 => (one, &mut kept[0]),
                    2 => (other, &mut kept[1]),
                    _ => continue,
                };
                of.hold(Part::Contents, block.ptr.addr());
                *kept += 1;
            }
            for (of, kept, what) in [
                (one, kept[0], ["objects of one", "bytes of one"]),
                (
                    other,
                    kept[1],
                    ["objects of the other", "bytes of the other"],
                ),
            ] {
                let truth = Truth::of(kept, size, INTERVAL);
                scores.add(what, &held_by(of).contents, &truth);
            }
            blocks.free_all();
            assert_nothing_is_in_use();
        }
        scores.check();
    }
}

static LEDGER: Ledger<System> = Ledger::new(System);
static REFUSED: Alloc<&Ledger<System>> = Alloc::with(&LEDGER).max_overhead_ppm(0);

/// A block that could not be resized is the same block, and held as before.
#[test]
fn a_refused_realloc_keeps_the_holder() {
    let _turn = alone();
    let this = holder("refused");
    set_sample_interval(1);
    for size in [8, 100, 4000, 10_000] {
        let block = obtain(&REFUSED, layout(size), false);
        assert!(this.hold(Part::Table, block.ptr.addr()));
        // SAFETY: a live block with its layout, and a size above zero.
        let none = refusing(|| unsafe { REFUSED.realloc(block.ptr, block.layout, 3 * size) });
        assert!(none.is_null());
        let table = held_by(this).table;
        assert_eq!((table.samples, table.bytes), (1, size as f64));
        release(&REFUSED, block);
        assert_eq!(held_by(this).table, Tally::default());
    }
    assert_nothing_is_in_use();
}

const THREADS: usize = 3;
const PLACES: usize = 40;

/// Addresses that threads have just published or freed.
struct Board([AtomicUsize; THREADS * PLACES]);

/// Obtains, resizes and frees blocks, publishing their addresses, until `stop`.
/// What lives then is returned.
fn churn(board: &Board, thread: usize, stop: &AtomicBool) -> Vec<Block> {
    let mut random = Random::new(thread as u64);
    let mut blocks: Vec<Option<Block>> = (0..PLACES).map(|_| None).collect();
    while !stop.load(Ordering::Relaxed) {
        let place = random.below(PLACES);
        let published = &board.0[thread * PLACES + place];
        let size = random.size(13);
        let next = match blocks[place].take() {
            None => Some(obtain(&SYSTEM, layout(size), false)),
            Some(block) if random.coin() => {
                // SAFETY: a live block with its layout, and a size above zero.
                let ptr = unsafe { SYSTEM.realloc(block.ptr, block.layout, size) };
                assert!(!ptr.is_null());
                let layout = layout(size);
                Some(Block { ptr, layout })
            }
            Some(block) => {
                // The address stays on the board: markers come too late.
                release(&SYSTEM, block);
                None
            }
        };
        if let Some(block) = &next {
            published.store(block.ptr.addr(), Ordering::Release);
        }
        blocks[place] = next;
    }
    blocks.into_iter().flatten().collect()
}

/// Threads hold and let go what others allocate, resize and free: no figure is
/// ever torn, nothing stays held that is freed, and what is held in the end is
/// exactly what is then marked.
#[test]
fn marks_while_threads_free_and_allocate() {
    let _turn = alone();
    let holders: Vec<Holder> = (0..4).map(|n| holder(&format!("churn {n}"))).collect();
    set_sample_interval(1);
    let board = Board([const { AtomicUsize::new(0) }; THREADS * PLACES]);
    let (stop, marked) = (AtomicBool::new(false), AtomicU64::new(0));
    let start = Barrier::new(THREADS + 3);
    let left: Vec<Block> = std::thread::scope(|scope| {
        for marker in 0..2u64 {
            let (board, holders, stop, marked, start) = (&board, &holders, &stop, &marked, &start);
            scope.spawn(move || {
                let mut random = Random::new(100 + marker);
                start.wait();
                while !stop.load(Ordering::Relaxed) {
                    let published = &board.0[random.below(board.0.len())];
                    let address = published.load(Ordering::Acquire);
                    let holder = holders[random.below(holders.len())];
                    if holder.hold(Part::Contents, address) {
                        marked.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let workers: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (board, stop, start) = (&board, &stop, &start);
                scope.spawn(move || {
                    start.wait();
                    churn(board, thread, stop)
                })
            })
            .collect();
        start.wait();
        let mut before = Tally::default();
        let mut round = 0;
        while round < 200 || marked.load(Ordering::Relaxed) < 10_000 {
            round += 1;
            let seen = snapshot();
            for site in &seen.sites {
                // At interval 1 every figure is a whole number of its samples.
                let Tally {
                    samples,
                    sampled_bytes,
                    objects,
                    bytes,
                    ..
                } = site.inuse;
                assert_eq!((objects, bytes), (samples as f64, sampled_bytes as f64));
                assert!(site.labels == 0 || site.alloc == Tally::default());
            }
            let totals = seen.totals();
            assert!(totals.inuse.samples <= (THREADS * PLACES) as u64);
            assert!(totals.alloc.samples >= before.samples);
            before = totals.alloc;
        }
        stop.store(true, Ordering::Relaxed);
        let ended = workers.into_iter().map(|it| it.join().expect("no panic"));
        ended.flatten().collect()
    });
    for block in &left {
        assert!(holders[0].hold(Part::Contents, block.ptr.addr()));
    }
    let truth: usize = left.iter().map(|block| block.layout.size()).sum();
    let now = held_by(holders[0]).contents;
    assert_eq!((now.samples, now.bytes), (left.len() as u64, truth as f64));
    for other in &holders[1..] {
        assert_eq!(held_by(*other).contents, Tally::default());
    }
    release_all(&SYSTEM, left);
    assert_eq!(held_by(holders[0]).contents, Tally::default());
    assert_nothing_is_in_use();
}
