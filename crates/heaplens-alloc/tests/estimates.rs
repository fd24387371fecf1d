//! Estimates of the real allocator against the truth: unbiased, and as precise
//! as the theory says, for sizes far below and far above the interval.
//!
//! The inner allocator is [`Fake`], so that a block costs a few nanoseconds
//! whatever its size. All seeds are fixed.

mod common;

use common::blocks::{Block, Blocks, layout, obtain, release_all};
use common::estimate::{Meter, Scores, Truth};
use common::fake::Fake;
use common::labels::{by_labels, set};
use common::random::Random;
use common::{alone, assert_nothing_is_in_use};
use heaplens_alloc::testing::reseed_thread;
use heaplens_alloc::{Alloc, Tally, label, set_sample_interval};

static ALLOC: Alloc<Fake> = Alloc::with(Fake).max_overhead_ppm(0);

/// 16 KiB: the smallest power of two for which all of [`SIZES`] differ, so
/// that the expected number of samples costs as little as possible.
const INTERVAL: u64 = 16 << 10;
const R: usize = INTERVAL as usize;

/// From far below the interval to eight times it.
const SIZES: [usize; 11] = [
    8,
    16,
    64,
    200,
    1 << 10,
    4 << 10,
    R / 2,
    R,
    2 * R,
    4 * R,
    8 * R,
];
const SEEDS: u64 = 200;

const ALLOC_SCORES: [&str; 2] = ["objects allocated", "bytes allocated"];
const INUSE_SCORES: [&str; 2] = ["objects in use", "bytes in use"];

/// Objects of one size for which an estimate is close to normal: 32 samples,
/// and eight misses where nearly all are sampled.
fn count(size: usize) -> usize {
    let p = -(-(size as f64) / R as f64).exp_m1();
    (32.0 / p).max(8.0 / (1.0 - p)).ceil() as usize
}

/// Runs `work` with each seed on sizes with a spread worth testing (at 8 R
/// every object but one in 2981 is sampled), and compares what it says is the
/// truth (cumulative, in use) with the estimates.
fn score<'a>(name: &str, work: impl Fn(&mut Blocks<'a, Alloc<Fake>>, usize, u64) -> [Truth; 2]) {
    let _turn = alone();
    set_sample_interval(INTERVAL);
    for size in SIZES.into_iter().filter(|size| *size < 8 * R) {
        let mut scores = Scores::new(format!("{name}, {size} bytes"));
        let mut blocks = Blocks::new(&ALLOC);
        for seed in 0..SEEDS {
            Fake::reset();
            reseed_thread(seed * 1000 + size as u64);
            let meter = Meter::start();
            let [allocated, inuse] = work(&mut blocks, size, seed);
            let totals = meter.stop().totals();
            scores.add(ALLOC_SCORES, &totals.alloc, &allocated);
            scores.add(INUSE_SCORES, &totals.inuse, &inuse);
            blocks.free_all();
            assert_nothing_is_in_use();
        }
        scores.check();
    }
}

#[test]
fn of_one_size() {
    score("all kept", |blocks, size, _| {
        let n = count(size);
        blocks.add(n, size);
        [Truth::of(n, size, INTERVAL); 2]
    });
}

#[test]
fn of_zeroed_blocks() {
    score("zeroed", |blocks, size, _| {
        let n = count(size);
        blocks.add_zeroed(n, size);
        [Truth::of(n, size, INTERVAL); 2]
    });
}

#[test]
fn after_freeing_a_random_half() {
    score("half freed", |blocks, size, seed| {
        let n = 2 * count(size);
        blocks.add(n, size);
        blocks.free_half(&mut Random::new(seed));
        let inuse = Truth::of(blocks.list.len(), size, INTERVAL);
        [Truth::of(n, size, INTERVAL), inuse]
    });
}

/// At eight intervals the spread is nearly nothing, so the laws themselves are
/// checked: each sample weighs 1/p, and the misses are binomial.
#[test]
fn of_blocks_that_are_nearly_always_sampled() {
    const COUNT: usize = 200;
    let _turn = alone();
    set_sample_interval(INTERVAL);
    let p = -(-8.0f64).exp_m1();
    let mut misses = 0;
    let mut blocks = Blocks::new(&ALLOC);
    for seed in 0..SEEDS {
        Fake::reset();
        reseed_thread(seed);
        let meter = Meter::start();
        blocks.add(COUNT, 8 * R);
        let snapshot = meter.stop();
        let totals = snapshot.totals();
        assert_eq!(totals.alloc.samples, totals.inuse.samples);
        let expected = totals.inuse.samples as f64 / p;
        assert!((totals.inuse.objects / expected - 1.0).abs() < 1e-12);
        let bytes = expected * (8 * R) as f64;
        assert!((totals.inuse.bytes / bytes - 1.0).abs() < 1e-12);
        misses += COUNT as u64 - totals.inuse.samples;
        blocks.free_all();
        assert_nothing_is_in_use();
    }
    // 40 000 trials at e⁻⁸: 13.4 expected. Outside of this range with
    // probability 2·10⁻⁶.
    assert!((1..=36).contains(&misses), "{misses} misses");
}

/// Two sizes through one call site: each sample must bear the weight of its
/// own size, never that of an average.
#[test]
fn of_two_sizes_on_one_stack() {
    let _turn = alone();
    set_sample_interval(INTERVAL);
    // The second pair shares a size class as well.
    for (small, large) in [(64, 4 * R), (1032, 1280)] {
        let mut scores = Scores::new(format!("{small} and {large} bytes"));
        let mut blocks = Blocks::new(&ALLOC);
        let (few, many) = (count(large), count(small));
        let mut truth = Truth::of(few, large, INTERVAL);
        truth.add(many, small, INTERVAL);
        for seed in 0..SEEDS {
            Fake::reset();
            reseed_thread(seed);
            let meter = Meter::start();
            let mut larges = 0;
            for index in 0..many + few {
                let is_large = index * few / (many + few) >= larges && larges < few;
                larges += usize::from(is_large);
                let size = if is_large { large } else { small };
                blocks.list.push(obtain(&ALLOC, layout(size), false));
            }
            let snapshot = meter.stop();
            let stack = snapshot.sites[0].stack;
            assert!(snapshot.sites.iter().all(|site| site.stack == stack));
            assert_eq!((blocks.list.len(), larges), (many + few, few));
            scores.add(ALLOC_SCORES, &snapshot.totals().alloc, &truth);
            scores.add(INUSE_SCORES, &snapshot.totals().inuse, &truth);
            blocks.free_all();
            assert_nothing_is_in_use();
        }
        scores.check();
    }
}

/// Eight threads, each with a seed of its own, share one stack's work; another
/// thread frees half of it.
#[test]
fn from_eight_threads() {
    const THREADS: usize = 8;
    score("eight threads", |blocks, size, seed| {
        let each = count(size).div_ceil(THREADS);
        let work = move |thread: usize| {
            reseed_thread(seed * 1_000_003 + (size * THREADS + thread) as u64);
            let layout = layout(size);
            let one = |_| obtain(&ALLOC, layout, false);
            (0..each).map(one).collect::<Vec<Block>>()
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..THREADS)
                .map(|thread| scope.spawn(move || work(thread)))
                .collect();
            for worker in workers {
                blocks.list.extend(worker.join().expect("no panic"));
            }
        });
        let all = blocks.list.len();
        blocks.free_half(&mut Random::new(seed));
        let inuse = Truth::of(blocks.list.len(), size, INTERVAL);
        [Truth::of(all, size, INTERVAL), inuse]
    });
}

#[inline(never)]
fn cache_site(count: usize) -> Vec<Block> {
    let one = |_| obtain(&ALLOC, layout(200), false);
    // Not a tail call.
    std::hint::black_box((0..count).map(one).collect())
}

#[inline(never)]
fn queue_site(count: usize) -> Vec<Block> {
    let one = |_| obtain(&ALLOC, layout(224), false);
    // Not a tail call.
    std::hint::black_box((0..count).map(one).collect())
}

/// Two functions are two stacks, each with its own share. (Their sizes differ
/// so that the linker does not make one function of them.)
#[test]
fn of_two_call_sites() {
    let _turn = alone();
    set_sample_interval(INTERVAL);
    let shares = [
        ("cache_site", count(200), 200),
        ("queue_site", 3 * count(224), 224),
    ];
    let mut scores = shares.map(|(name, ..)| Scores::new(name.to_owned()));
    for seed in 0..SEEDS {
        Fake::reset();
        reseed_thread(seed);
        let meter = Meter::start();
        let mut held = cache_site(shares[0].1);
        held.extend(queue_site(shares[1].1));
        let snapshot = meter.stop();
        for ((name, count, size), scores) in shares.iter().zip(&mut scores) {
            let mut of_site = snapshot.clone();
            of_site.sites.retain(|site| {
                let frames = &snapshot.stacks[site.stack].frames;
                common::symbols::passes_through(frames, name)
            });
            let truth = Truth::of(*count, *size, INTERVAL);
            scores.add(INUSE_SCORES, &of_site.totals().inuse, &truth);
            scores.add(ALLOC_SCORES, &of_site.totals().alloc, &truth);
        }
        release_all(&ALLOC, held);
        assert_nothing_is_in_use();
    }
    for scores in scores {
        scores.check();
    }
}

/// Labels divide a sum and change nothing in it: each label's share is unbiased,
/// and the shares add up to what there is without labels.
#[test]
fn of_labelled_blocks() {
    let _turn = alone();
    set_sample_interval(INTERVAL);
    for size in [64, 4 << 10, R] {
        let few = count(size);
        let shares = [("acme", few), ("umbrella", 3 * few), ("initech", 2 * few)];
        let mut scores = shares.map(|(name, _)| Scores::new(format!("{name}, {size} bytes")));
        let mut blocks = Blocks::new(&ALLOC);
        for seed in 0..SEEDS {
            Fake::reset();
            reseed_thread(seed);
            let meter = Meter::start();
            // By turns, so that gaps run on from one label to the next.
            for number in 0..6 * few {
                let turn = [0, 1, 2, 1, 2, 1][number % 6];
                let _scope = label("tenant", shares[turn].0).enter();
                blocks.add(1, size);
            }
            let snapshot = meter.stop();
            let seen = by_labels(&snapshot);
            let mut sum = Tally::default();
            for ((name, count), scores) in shares.iter().zip(&mut scores) {
                let (alloc, inuse) = seen
                    .get(&set(&[("tenant", name)]))
                    .copied()
                    .unwrap_or_default();
                let truth = Truth::of(*count, size, INTERVAL);
                scores.add(ALLOC_SCORES, &alloc, &truth);
                scores.add(INUSE_SCORES, &inuse, &truth);
                sum.add(&inuse);
            }
            let total = snapshot.totals().inuse;
            assert_eq!(
                (sum.samples, sum.sampled_bytes),
                (total.samples, total.sampled_bytes)
            );
            assert!((sum.bytes / total.bytes - 1.0).abs() < 1e-9);
            assert!((sum.bytes_variance / total.bytes_variance - 1.0).abs() < 1e-9);
            blocks.free_all();
            assert_nothing_is_in_use();
        }
        for scores in scores {
            scores.check();
        }
    }
}
