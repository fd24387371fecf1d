//! How long blocks lived: with every allocation sampled, what was freed and what is
//! alive is what was allocated, in each site.

mod common;

use std::alloc::{GlobalAlloc, System};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::blocks::{Block, layout, obtain, release, release_all};
use common::labels::{Set, exactly};
use common::random::Random;
use common::{alone, assert_nothing_is_in_use, drops};
use heaplens_alloc::testing::reseed_thread;
use heaplens_alloc::{Alloc, ByAge, Lifetimes, Tally, age_class, label, lifetimes};
use heaplens_alloc::{set_sample_interval, snapshot};

static ALLOC: Alloc<System> = Alloc::with(System).sample_interval(1).max_overhead_ppm(0);

fn sum<'a>(tallies: impl IntoIterator<Item = &'a Tally>) -> Tally {
    tallies
        .into_iter()
        .fold(Tally::default(), |mut sum, tally| {
            sum.add(tally);
            sum
        })
}

/// Counts are equal, and estimates but for the order in which they were added up.
fn assert_same(seen: &Tally, expected: &Tally) {
    assert_eq!(
        (seen.samples, seen.sampled_bytes),
        (expected.samples, expected.sampled_bytes)
    );
    for (seen, expected) in [
        (seen.objects, expected.objects),
        (seen.bytes, expected.bytes),
        (seen.bytes_variance, expected.bytes_variance),
    ] {
        assert!(
            (seen - expected).abs() <= 1e-9 * expected.abs(),
            "{seen} for {expected}"
        );
    }
}

fn assert_complete(seen: &Lifetimes) {
    for site in &seen.sites {
        assert_same(&sum(site.freed.iter().chain(&site.alive)), &site.alloc);
    }
}

/// Freed and alive of each set of labels, by age.
fn by_labels(seen: &Lifetimes) -> BTreeMap<Set, (ByAge, ByAge)> {
    let mut sums = BTreeMap::new();
    for site in &seen.sites {
        let labels: Set = seen.labels[site.labels].iter().cloned().collect();
        let entry: &mut (ByAge, ByAge) = sums.entry(labels).or_default();
        for (sums, tallies) in [(&mut entry.0, &site.freed), (&mut entry.1, &site.alive)] {
            for (sum, tally) in sums.iter_mut().zip(tallies) {
                sum.add(tally);
            }
        }
    }
    sums
}

/// Random blocks under random labels, allocated, resized and freed.
fn turn_over(random: &mut Random, blocks: &mut Vec<Block>, steps: usize) {
    for _ in 0..steps {
        let _scope = label("tenant", ["a", "b", "c"][random.below(3)]).enter();
        let size = random.size(14);
        match random.below(6) {
            0..=2 => blocks.push(obtain(&ALLOC, layout(size), random.coin())),
            _ if blocks.is_empty() => {}
            3 => {
                let at = random.below(blocks.len());
                let block = &mut blocks[at];
                // SAFETY: a live block with its layout, and a size above zero.
                block.ptr = unsafe { ALLOC.realloc(block.ptr, block.layout, size) };
                assert!(!block.ptr.is_null());
                block.layout = layout(size);
            }
            _ => release(&ALLOC, blocks.swap_remove(random.below(blocks.len()))),
        }
    }
}

#[test]
fn freed_and_alive_is_allocated() {
    let _turn = alone();
    let lost = drops();
    for interval in [1, 700, 20_000] {
        for seed in 0..20 {
            set_sample_interval(interval);
            reseed_thread(seed);
            let mut blocks = Vec::new();
            turn_over(&mut Random::new(seed), &mut blocks, 400);
            let seen = lifetimes();
            assert_complete(&seen);
            let alive = sum(seen.sites.iter().flat_map(|site| &site.alive));
            assert_same(&alive, &snapshot().totals().inuse);
            if interval == 1 {
                let bytes = blocks.iter().map(|block| block.layout.size()).sum();
                assert_eq!(alive, exactly(blocks.len(), bytes));
            }
            release_all(&ALLOC, blocks);
            assert_nothing_is_in_use();
            let seen = lifetimes();
            assert_complete(&seen);
            assert!(seen.sites.iter().all(|site| sum(&site.alive).samples == 0));
        }
    }
    set_sample_interval(1);
    assert_eq!(drops(), lost);
}

/// The class of each block, as far as a clock of this side can tell: its age lies
/// between the two spans that were measured around it.
#[test]
fn ages_are_those_of_the_clock() {
    let _turn = alone();
    set_sample_interval(1);
    for class in 0..4 {
        let name = format!("clock {class}");
        let _scope = label("age", &name).enter();
        let before = Instant::now();
        let block = obtain(&ALLOC, layout(100), false);
        let after = Instant::now();
        // Until it is of the class, or older.
        while age_class(after.elapsed()) < class {
            std::hint::spin_loop();
        }
        let young = age_class(after.elapsed());
        let alive = lifetimes();
        release(&ALLOC, block);
        let old = age_class(before.elapsed());
        let freed = lifetimes();
        let of = |seen: &Lifetimes| by_labels(seen)[&common::labels::set(&[("age", &name)])];
        let place = |ages: &ByAge| ages.iter().position(|of| *of == exactly(1, 100));
        assert_eq!(of(&alive).0, ByAge::default());
        assert_eq!(of(&freed).1, ByAge::default());
        for seen in [place(&of(&alive).1), place(&of(&freed).0)] {
            let seen = seen.expect("one block");
            assert!((young..=old).contains(&seen), "{seen}: {young} to {old}");
        }
    }
    assert_nothing_is_in_use();
}

/// A block that could not be resized lives on: it is not freed.
#[test]
fn a_refused_resize_is_no_end() {
    static LEDGER: common::ledger::Ledger<System> = common::ledger::Ledger::new(System);
    static REFUSED: Alloc<&common::ledger::Ledger<System>> =
        Alloc::with(&LEDGER).max_overhead_ppm(0);
    let _turn = alone();
    set_sample_interval(1);
    let _scope = label("age", "refused").enter();
    for size in [8, 100, 4000, 10_000] {
        let block = obtain(&REFUSED, layout(size), false);
        // SAFETY: a live block with its layout, and a size above zero.
        let resized = common::ledger::refusing(|| unsafe {
            REFUSED.realloc(block.ptr, block.layout, 2 * size)
        });
        assert!(resized.is_null());
        let of = |seen: &Lifetimes| by_labels(seen)[&common::labels::set(&[("age", "refused")])];
        assert_eq!(sum(&of(&lifetimes()).1), exactly(1, size));
        release(&REFUSED, block);
        assert_eq!(sum(&of(&lifetimes()).1), Tally::default());
    }
    assert_nothing_is_in_use();
}

/// While threads allocate and free each other's blocks, no site has more freed and
/// alive than was allocated; at rest it is the same.
#[test]
fn never_more_than_was_allocated() {
    struct Stop<'a>(&'a AtomicBool);
    impl Drop for Stop<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let _turn = alone();
    set_sample_interval(1);
    let (stop, pile) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (stop, pile) = (&stop, &pile);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                while !stop.load(Ordering::Relaxed) {
                    let mut blocks = std::mem::take(&mut *pile.lock().expect("no panic"));
                    turn_over(&mut random, &mut blocks, 50);
                    pile.lock().expect("no panic").extend(blocks);
                }
            });
        }
        let _stop = Stop(&stop);
        for _ in 0..100 {
            for site in &lifetimes().sites {
                let known = sum(site.freed.iter().chain(&site.alive));
                assert!(
                    known.samples <= site.alloc.samples
                        && known.sampled_bytes <= site.alloc.sampled_bytes,
                    "{site:?}"
                );
            }
        }
    });
    assert_complete(&lifetimes());
    release_all(&ALLOC, pile.into_inner().expect("no panic"));
    assert_complete(&lifetimes());
    assert_nothing_is_in_use();
    assert!(lifetimes().taken_at.elapsed().unwrap_or_default() < Duration::from_secs(3600));
}
