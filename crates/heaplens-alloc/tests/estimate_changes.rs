//! Estimates while things change: blocks grow and shrink, and the interval is
//! set to another value in the middle of a run.

mod common;

use std::sync::mpsc;

use common::blocks::Blocks;
use common::estimate::{Meter, Scores, Truth};
use common::fake::Fake;
use common::random::Random;
use common::{alone, assert_nothing_is_in_use};
use heaplens_alloc::testing::reseed_thread;
use heaplens_alloc::watch::Watch;
use heaplens_alloc::{Alloc, set_sample_interval};

static ALLOC: Alloc<Fake> = Alloc::with(Fake).max_overhead_ppm(0);

const INTERVAL: u64 = 16 << 10;
const SEEDS: u64 = 200;
const ALLOC_SCORES: [&str; 2] = ["objects allocated", "bytes allocated"];
const INUSE_SCORES: [&str; 2] = ["objects in use", "bytes in use"];

/// A realloc counts as a free of the old block and an allocation of the whole
/// new one, whether it moves the block or not.
#[test]
fn a_realloc_is_a_free_and_an_allocation() {
    let _turn = alone();
    set_sample_interval(INTERVAL);
    // Counts for which each size yields a dozen samples or more.
    for (count, steps) in [
        (16_000, &[16, 64, 200][..]),
        (1000, &[200, 65_536]),
        (4000, &[64, 4096, 48, 4097]),
        // Within 64 KiB the inner allocator resizes in place.
        (400, &[40_000, 50_000, 60_000]),
        (200, &[10_000, 20_000, 40_000, 80_000]),
        (400, &[65_536, 1024]),
        (1000, &[512, 1024, 2048, 4096, 8192, 16_384, 32_768]),
    ] {
        let mut scores = Scores::new(format!("{steps:?}"));
        let mut blocks = Blocks::new(&ALLOC);
        let mut allocated = Truth::default();
        for size in steps {
            allocated.add(count, *size, INTERVAL);
        }
        for seed in 0..SEEDS {
            Fake::reset();
            reseed_thread(seed);
            let meter = Meter::start();
            blocks.add(count, steps[0]);
            for size in &steps[1..] {
                blocks.resize(*size);
            }
            let seen = meter.stop().totals();
            scores.add(ALLOC_SCORES, &seen.alloc, &allocated);
            blocks.free_half(&mut Random::new(seed));
            let last = steps[steps.len() - 1];
            let left = Truth::of(blocks.list.len(), last, INTERVAL);
            scores.add(INUSE_SCORES, &meter.stop().totals().inuse, &left);
            blocks.free_all();
            assert_nothing_is_in_use();
        }
        scores.check();
    }
}

/// Each sample keeps the weight that it was drawn with. The interval also goes
/// to 0 and back, when nothing is allocated.
#[test]
fn the_interval_changes_in_mid_run() {
    let _turn = alone();
    let intervals = [INTERVAL, 4 * INTERVAL, 2048, 0, INTERVAL];
    for (count, size) in [(40_000, 16), (4_000, 200), (1_000, 1024), (500, 20_000)] {
        let mut scores = Scores::new(format!("{size} bytes at {intervals:?}"));
        let mut blocks = Blocks::new(&ALLOC);
        for seed in 0..SEEDS {
            Fake::reset();
            reseed_thread(seed);
            let meter = Meter::start();
            let (mut allocated, mut inuse) = (Truth::default(), Truth::default());
            let mut random = Random::new(seed);
            let mut live_before = Vec::new();
            for interval in intervals {
                set_sample_interval(interval);
                if interval == 0 {
                    continue;
                }
                blocks.add(count, size);
                allocated.add(count, size, interval);
                live_before.push((count, interval));
            }
            // Blocks lie in the order of their allocation: half of each run.
            let mut left = Vec::new();
            for (number, block) in blocks.list.drain(..).enumerate() {
                if random.coin() {
                    common::blocks::release(&ALLOC, block);
                } else {
                    inuse.add(1, size, live_before[number / count].1);
                    left.push(block);
                }
            }
            blocks.list = left;
            let seen = meter.stop().totals();
            scores.add(ALLOC_SCORES, &seen.alloc, &allocated);
            scores.add(INUSE_SCORES, &seen.inuse, &inuse);
            blocks.free_all();
            assert_nothing_is_in_use();
        }
        scores.check();
    }
}

/// Another thread than the one that allocates changes the interval, 50 times
/// in the course of a run. When the change is noticed is up to chance, but what
/// was allocated by then must not be lost for it.
///
/// The spread is estimated from the runs themselves, since it depends on when
/// changes are noticed: Student's t of 200 runs beyond 4 has probability 9·10⁻⁵.
#[test]
fn another_thread_changes_the_interval() {
    const CHANGES: u64 = 50;
    let _turn = alone();
    let (ask, asked) = mpsc::sync_channel::<u64>(0);
    let (done, is_done) = mpsc::sync_channel::<()>(0);
    let setter = std::thread::spawn(move || {
        for interval in asked {
            set_sample_interval(interval);
            done.send(()).expect("the test waits");
        }
    });
    for size in [64, 1024, 20_000] {
        let each = (2 * INTERVAL as usize).div_ceil(size);
        let mut blocks = Blocks::new(&ALLOC);
        let mut errors = Vec::new();
        for seed in 0..SEEDS {
            Fake::reset();
            set_sample_interval(INTERVAL);
            reseed_thread(seed);
            let meter = Meter::start();
            for change in 0..CHANGES {
                ask.send(INTERVAL << (change % 3))
                    .expect("the setter waits");
                is_done.recv().expect("the setter answers");
                blocks.add(each, size);
            }
            let truth = (blocks.list.len() * size) as f64;
            errors.push(meter.stop().totals().inuse.bytes / truth - 1.0);
            blocks.free_all();
            assert_nothing_is_in_use();
        }
        let n = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / n;
        let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let t = mean / (variance / n).sqrt();
        assert!(
            t.abs() <= 4.0,
            "{size} bytes: {:.1} % off, t = {t:.1}",
            100.0 * mean
        );
    }
    drop(ask);
    setter.join().expect("no panic");
}

/// What a watch makes a sample for certain counts for itself alone, and what comes
/// before and after it is sampled as ever.
#[test]
fn watches_begin_and_end_in_mid_run() {
    let _turn = alone();
    set_sample_interval(INTERVAL);
    for (count, size) in [(1600, 16), (400, 200), (40, 5000), (20, 65_536)] {
        let mut scores = Scores::new(format!("{size} B"));
        let mut blocks = Blocks::new(&ALLOC);
        let mut allocated = Truth::default();
        allocated.add(10 * count, size, INTERVAL);
        allocated.add(10 * count / 4, size, 1);
        for seed in 0..SEEDS {
            Fake::reset();
            reseed_thread(seed);
            let meter = Meter::start();
            for _ in 0..10 {
                blocks.add(count, size);
                let watch = Watch::of_thread().expect("room");
                blocks.add(count / 4, size);
                assert_eq!(watch.figures().bytes, (count / 4 * size) as u64);
            }
            scores.add(ALLOC_SCORES, &meter.stop().totals().alloc, &allocated);
            blocks.free_all();
            assert_nothing_is_in_use();
        }
        scores.check();
    }
}
