//! The published standard errors: ±1.96 of them hold the truth in 95 % of runs.

mod common;

use common::blocks::{Block, layout, obtain, release_all};
use common::estimate::Meter;
use common::fake::Fake;
use common::{alone, assert_nothing_is_in_use, symbols};
use heaplens_alloc::testing::reseed_thread;
use heaplens_alloc::{Alloc, Tally, set_sample_interval};

static ALLOC: Alloc<Fake> = Alloc::with(Fake).max_overhead_ppm(0);

const INTERVAL: u64 = 16 << 10;
const RUNS: u64 = 2000;

/// Sizes and counts of each site, for some 60 samples.
const BUFFERS: [(usize, usize); 3] = [(100, 3000), (3000, 150), (16_384, 30)];
const NODES: [(usize, usize); 2] = [(48, 15_000), (640, 600)];

#[inline(never)]
fn buffers_site(held: &mut Vec<Block>) {
    fill(held, &BUFFERS);
}

#[inline(never)]
fn nodes_site(held: &mut Vec<Block>) {
    fill(held, &NODES);
    std::hint::black_box(held);
}

fn fill(held: &mut Vec<Block>, kinds: &[(usize, usize)]) {
    for (size, count) in kinds {
        held.extend((0..*count).map(|_| obtain(&ALLOC, layout(*size), false)));
    }
}

/// How often an interval held the truth.
struct Coverage {
    objects: u32,
    bytes: u32,
}

impl Coverage {
    fn add(&mut self, seen: &Tally, kinds: &[(usize, usize)]) {
        assert!(
            seen.samples >= 20,
            "too few samples to judge an interval by"
        );
        let objects: usize = kinds.iter().map(|(_, count)| count).sum();
        let bytes: usize = kinds.iter().map(|(size, count)| size * count).sum();
        let holds = |estimate: f64, error: f64, truth: usize| {
            u32::from((estimate - truth as f64).abs() <= 1.96 * error)
        };
        self.objects += holds(seen.objects, seen.objects_error(), objects);
        self.bytes += holds(seen.bytes, seen.bytes_error(), bytes);
    }

    /// 2000 runs at 95 % have a standard deviation of 0.5 %; three per cent
    /// leave room for the skew of some 60 samples.
    fn check(&self, name: &str) {
        for (what, held) in [("objects", self.objects), ("bytes", self.bytes)] {
            let share = 100.0 * f64::from(held) / RUNS as f64;
            assert!(
                (share - 95.0).abs() <= 3.0,
                "{name}: the interval of {what} held the truth in {share:.1} % of runs"
            );
        }
    }
}

#[test]
fn intervals_hold_the_truth() {
    let _turn = alone();
    set_sample_interval(INTERVAL);
    let all: Vec<_> = BUFFERS.into_iter().chain(NODES).collect();
    let sites = [
        ("buffers_site", &BUFFERS[..]),
        ("nodes_site", &NODES),
        ("", &all),
    ];
    let mut inuse = [const {
        Coverage {
            objects: 0,
            bytes: 0,
        }
    }; 3];
    let mut allocated = [const {
        Coverage {
            objects: 0,
            bytes: 0,
        }
    }; 3];
    for seed in 0..RUNS {
        Fake::reset();
        reseed_thread(seed);
        let meter = Meter::start();
        let mut held = Vec::with_capacity(20_000);
        buffers_site(&mut held);
        nodes_site(&mut held);
        let snapshot = meter.stop();
        for (index, (name, kinds)) in sites.iter().enumerate() {
            let mut of_site = snapshot.clone();
            of_site
                .sites
                .retain(|site| symbols::passes_through(&snapshot.stacks[site.stack].frames, name));
            inuse[index].add(&of_site.totals().inuse, kinds);
            allocated[index].add(&of_site.totals().alloc, kinds);
        }
        release_all(&ALLOC, held);
        assert_nothing_is_in_use();
    }
    for (index, (name, _)) in sites.iter().enumerate() {
        inuse[index].check(&format!("in use, {name}"));
        allocated[index].check(&format!("allocated, {name}"));
    }
}
