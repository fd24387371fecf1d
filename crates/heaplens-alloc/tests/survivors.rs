//! Survivors: by the moment at which each block was allocated, which the test
//! notes for itself from the same clock.

mod common;

use std::alloc::System;
use std::collections::HashMap;
use std::time::Duration;

use common::blocks::{Blocks, layout, obtain, release_all};
use common::fake::Fake;
use common::random::Random;
use common::{alone, assert_nothing_is_in_use};
use heaplens_alloc::testing::reseed_thread;
use heaplens_alloc::{Alloc, Snapshot, Tally, set_sample_interval, snapshot, survivors};

static SYSTEM: Alloc<System> = Alloc::with(System).max_overhead_ppm(0);
static FAKE: Alloc<Fake> = Alloc::with(Fake).max_overhead_ppm(0);

/// What the profiler dates blocks by, in nanoseconds.
fn clock() -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: valid for writing; the clock exists on every Linux.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Waits until the clock has moved, and returns what it says then.
fn tick() -> u64 {
    let before = clock();
    while clock() == before {
        std::hint::spin_loop();
    }
    clock()
}

/// A moment that is a tenth of a second after another one, when it is there.
fn later(moment: u64) -> u64 {
    while clock() < moment + 100_000_000 {
        std::hint::spin_loop();
    }
    clock()
}

/// In use by size class.
fn by_class(snapshot: &Snapshot) -> HashMap<u64, Tally> {
    let mut sums: HashMap<u64, Tally> = HashMap::new();
    for site in &snapshot.sites {
        assert_eq!(
            site.alloc, site.inuse,
            "as if nothing else had been allocated"
        );
        assert!(site.inuse.samples > 0);
        sums.entry(site.size_class).or_default().add(&site.inuse);
    }
    sums
}

/// Blocks of one size, and when they were allocated: not before and not after.
struct Cohort {
    size: usize,
    count: usize,
    born: (u64, u64),
}

/// Each cohort is there whole if its last block is old enough, and not at all if its
/// first is too young.
#[test]
fn the_boundary_is_exact() {
    // A size class each.
    const SIZES: [usize; 12] = [8, 16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224];
    let _turn = alone();
    set_sample_interval(1);
    let mut random = Random::new(7);
    for round in 0..20 {
        let mut blocks = Blocks::new(&SYSTEM);
        let mut cohorts: Vec<Cohort> = Vec::new();
        for size in SIZES {
            if random.coin() {
                tick();
            }
            let (count, from) = (1 + random.below(50), clock());
            blocks.add(count, size);
            let born = (from, clock());
            cohorts.push(Cohort { size, count, born });
        }
        for _ in 0..200 {
            // At the edge of a cohort, give or take a nanosecond.
            let edge = &cohorts[random.below(cohorts.len())].born;
            let edge = if random.coin() { edge.0 } else { edge.1 };
            let older = (clock() - edge + random.below(3) as u64).saturating_sub(1);
            let before = clock();
            let found = by_class(&survivors(Duration::from_nanos(older)));
            let after = clock();
            for Cohort { size, count, born } in &cohorts {
                let seen = found.get(&(*size as u64)).map_or(0, |tally| tally.samples);
                let what = format!("round {round}, {size} bytes: {seen} of {count}");
                if born.1 + older <= before {
                    assert_eq!(seen, *count as u64, "{what}");
                } else if born.0 + older > after {
                    assert_eq!(seen, 0, "{what}");
                }
            }
            assert!(found.keys().all(|class| SIZES.contains(&(*class as usize))));
        }
        drop(blocks);
        assert_nothing_is_in_use();
    }
}

/// Old and young together are all that is alive, with the weights that the samples
/// have: bit for bit where a row's blocks are of one age.
#[test]
fn weights_are_those_of_the_samples() {
    let _turn = alone();
    let (mut old, mut young) = (Blocks::new(&FAKE), Blocks::new(&FAKE));
    Fake::reset();
    for (seed, interval) in [(1, 4096u64), (2, 65_536), (3, 1)] {
        reseed_thread(seed);
        set_sample_interval(interval);
        old.add(2000, 100);
        old.add(300, 5000);
    }
    let moment = tick();
    let young_from = later(moment);
    for (seed, interval) in [(4, 16_384), (5, 1)] {
        reseed_thread(seed);
        set_sample_interval(interval);
        young.add(1500, 700);
    }
    let set = heaplens_alloc::sample_interval();
    let all = snapshot();
    let survivors = loop {
        let before = clock();
        let survivors = survivors(Duration::from_nanos(before - moment));
        // The line that it draws is between the moment and this one.
        if moment + (clock() - before) < young_from {
            break survivors;
        }
    };
    assert_eq!(survivors.counters.sample_interval, set);
    assert_eq!(survivors.since, all.since);
    let found = by_class(&survivors);
    let classes: HashMap<u64, Tally> = {
        let mut sums: HashMap<u64, Tally> = HashMap::new();
        for site in &all.sites {
            sums.entry(site.size_class).or_default().add(&site.inuse);
        }
        sums
    };
    for class in [112, 5120] {
        assert_eq!(found[&class], classes[&class], "{class}");
        assert!(
            found[&class].bytes_variance > 0.0,
            "not all samples weigh one"
        );
    }
    assert!(!found.contains_key(&768), "those are young");
    assert!(classes[&768].samples > 1500);
    old.free_all();
    young.free_all();
    assert_nothing_is_in_use();
}

#[test]
fn extremes() {
    let _turn = alone();
    set_sample_interval(1);
    let block = obtain(&SYSTEM, layout(100), false);
    let all = survivors(Duration::ZERO);
    assert_eq!(all.totals().inuse, snapshot().totals().inuse);
    assert_eq!(all.totals().alloc, all.totals().inuse);
    for long in [Duration::from_secs(100 * 365 * 86_400), Duration::MAX] {
        assert!(survivors(long).sites.is_empty());
    }
    release_all(&SYSTEM, [block]);
    assert!(survivors(Duration::ZERO).sites.is_empty());
}
