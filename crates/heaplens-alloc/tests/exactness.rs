//! What is exact: figures at interval 1, zero after everything is freed, and
//! in use never above allocated.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::blocks::{Block, Blocks, layout, obtain, release, release_all};
use common::estimate::Meter;
use common::fake::Fake;
use common::random::Random;
use common::{alone, assert_nothing_is_in_use, drops};
use heaplens_alloc::testing::reseed_thread;
use heaplens_alloc::{Alloc, Snapshot, Tally, set_sample_interval, snapshot};

static ALLOC: Alloc<Fake> = Alloc::with(Fake).max_overhead_ppm(0);

/// What a tally must be if nothing was left to chance.
fn exactly(sizes: impl Iterator<Item = usize>) -> Tally {
    let mut tally = Tally::default();
    for size in sizes {
        tally.samples += 1;
        tally.sampled_bytes += size as u64;
        tally.objects += 1.0;
        tally.bytes += size as f64;
    }
    tally
}

#[test]
fn interval_one_counts_everything() {
    let _turn = alone();
    Fake::reset();
    set_sample_interval(1);
    let lost = drops();
    let meter = Meter::start();
    let mut random = Random::new(1);
    let mut blocks = Blocks::new(&ALLOC);
    let mut allocated = Vec::new();
    for round in 0..200 {
        let size = random.size(20);
        let count = random.below(200);
        if round % 3 == 0 {
            blocks.add_zeroed(count, size);
        } else {
            blocks.add(count, size);
        }
        allocated.extend(std::iter::repeat_n(size, count));
        if round % 10 == 9 {
            blocks.free_half(&mut random);
        }
        if round % 50 == 49 {
            let size = random.size(16);
            allocated.extend(std::iter::repeat_n(size, blocks.list.len()));
            blocks.resize(size);
        }
    }
    let totals = meter.stop().totals();
    assert_eq!(totals.alloc, exactly(allocated.into_iter()));
    let alive = blocks.list.iter().map(|block| block.layout.size());
    assert_eq!(totals.inuse, exactly(alive));
    assert_eq!(drops(), lost);
    blocks.free_all();
    assert_nothing_is_in_use();
}

/// Whatever weights went in, what is left is nothing, not a rounding error.
#[test]
fn everything_freed_is_exactly_nothing() {
    let _turn = alone();
    let mut random = Random::new(2);
    let mut blocks = Blocks::new(&ALLOC);
    for round in 0..50 {
        Fake::reset();
        reseed_thread(round);
        for _ in 0..40 {
            set_sample_interval([1, 7, 100, 4096, 300_000][random.below(5)]);
            blocks.add(random.below(100), random.size(17));
            blocks.free_half(&mut random);
        }
        assert!(snapshot().totals().inuse.samples > 0);
        blocks.free_all();
        assert_nothing_is_in_use();
    }
}

fn assert_consistent(snapshot: &Snapshot) {
    let check = |inuse: &Tally, alloc: &Tally| {
        assert!(
            inuse.samples <= alloc.samples
                && inuse.sampled_bytes <= alloc.sampled_bytes
                && inuse.objects <= alloc.objects
                && inuse.bytes <= alloc.bytes
                && inuse.bytes >= 0.0
                && inuse.bytes_variance >= 0.0,
            "{inuse:?} of {alloc:?}"
        );
    };
    for site in &snapshot.sites {
        check(&site.inuse, &site.alloc);
    }
    let totals = snapshot.totals();
    check(&totals.inuse, &totals.alloc);
}

fn churn(seed: u64, until: &AtomicBool) {
    let mut random = Random::new(seed);
    let mut held: Vec<Block> = Vec::new();
    while !until.load(Ordering::Relaxed) {
        if held.len() < 200 && random.coin() {
            held.push(obtain(&ALLOC, layout(random.size(13)), random.coin()));
        } else if !held.is_empty() {
            let block = held.swap_remove(random.below(held.len()));
            release(&ALLOC, block);
        }
    }
    release_all(&ALLOC, held);
}

/// Four threads allocate and free, this one changes the interval and looks.
#[test]
fn in_use_never_exceeds_allocated() {
    let _turn = alone();
    for intervals in [&[1][..], &[0, 1, 64, 512 << 10]] {
        Fake::reset();
        set_sample_interval(intervals[0]);
        let stop = AtomicBool::new(false);
        let mut before = Tally::default();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let stop = &stop;
                scope.spawn(move || churn(thread, stop));
            }
            for round in 0..400 {
                set_sample_interval(intervals[round % intervals.len()]);
                let seen = snapshot();
                assert_consistent(&seen);
                let now = seen.totals().alloc;
                assert!(now.samples >= before.samples && now.sampled_bytes >= before.sampled_bytes);
                before = now;
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_nothing_is_in_use();
    }
}
