//! Estimates of threads that allocate so fast that they sample at larger
//! intervals than was set.

mod common;

use std::alloc::System;

use common::blocks::{layout, obtain, release_all};
use common::estimate::Meter;
use common::random::Random;
use common::{alone, assert_nothing_is_in_use};
use heaplens_alloc::{Alloc, counters, set_sample_interval};

static ALLOC: Alloc<System> = Alloc::with(System);

/// So small that the default bound of 1 % holds on any machine: a sample would
/// have to take less than the time of three allocations in a hundred.
const INTERVAL: u64 = 512;

/// Blocks that are alive while others come and go, in bursts of other sizes.
fn churn(random: &mut Random) -> (u64, u64) {
    let (mut allocated, mut left) = (0, 0);
    let mut held = Vec::new();
    for burst in 0..40 {
        let sizes: Vec<usize> = (0..2_000)
            .map(|_| 8 + random.size(if burst % 2 == 0 { 6 } else { 10 }))
            .collect();
        allocated += sizes.iter().sum::<usize>() as u64;
        let blocks: Vec<_> = sizes
            .iter()
            .map(|size| obtain(&ALLOC, layout(*size), false))
            .collect();
        let (kept, freed): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|_| random.coin());
        release_all(&ALLOC, freed);
        held.extend(kept);
        if burst % 10 == 9 {
            release_all(&ALLOC, std::mem::take(&mut held));
        }
        left = held.iter().map(|block| block.layout.size() as u64).sum();
    }
    release_all(&ALLOC, held);
    (allocated, left)
}

/// Seeds and times differ from run to run: by more than six standard errors an
/// unbiased estimate is off in two of 10⁹ runs.
#[test]
fn a_thread_above_its_pace_is_estimated_without_bias() {
    const ROUNDS: u64 = 30;
    let _turn = alone();
    set_sample_interval(INTERVAL);
    let (mut off, mut variance) = (0.0, 0.0);
    let before = counters();
    for round in 0..ROUNDS {
        let meter = Meter::start();
        let (allocated, left) = churn(&mut Random::new(round));
        assert_eq!(left, 0);
        let seen = meter.stop().totals().alloc;
        off += seen.bytes - allocated as f64;
        variance += seen.bytes_variance;
        assert_nothing_is_in_use();
    }
    let after = counters();
    let samples = after.samples - before.samples;
    let mean = (after.sample_intervals - before.sample_intervals) / samples;
    let z = off / variance.sqrt();
    println!("{samples} samples at {mean} bytes on average, z = {z:.2}");
    assert!(mean > 2 * INTERVAL, "sampled every {mean} bytes");
    assert!(z.abs() <= 6.0, "off by {z} standard errors");
    assert!(after.sampling_nanos > before.sampling_nanos);
}
