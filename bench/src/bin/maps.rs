//! What tracking costs a map: the tracked map against the bare one, interleaved
//! in one process.
//!
//! Prints minima and medians of the time an operation takes on both sides, and
//! their difference, in nanoseconds. An argument selects rows by a part of their
//! name.

use std::alloc::System;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use foldhash::fast::FixedState;
use heaplens_alloc::Alloc;
use heaplens_maps::TrackedHashMap;

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System).sample_interval(0);

/// Rounds of each side.
const ROUNDS: usize = 301;
/// Entries of a map in which one is changed or looked up at a time.
const WINDOW: u32 = 1024;
/// Entries that are moved into a map.
const ENTRIES: u32 = 1000;

type Bare<K, V> = HashMap<K, V, FixedState>;
type Tracked<K, V> = TrackedHashMap<K, V, FixedState>;

fn bare<K, V>() -> Bare<K, V> {
    HashMap::with_hasher(FixedState::with_seed(1))
}

fn tracked<K, V>() -> Tracked<K, V> {
    TrackedHashMap::named_with_hasher("bench", FixedState::with_seed(1))
}

/// Nanoseconds an operation of one run of `work`, which does `operations`.
fn time(operations: u32, work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64() * 1e9 / f64::from(operations)
}

/// Whether a name has the program's argument in it, if there is one.
fn is_wanted(name: &str) -> bool {
    std::env::args()
        .nth(1)
        .is_none_or(|part| name.contains(&part))
}

/// Runs the two sides in turn and prints what each operation takes.
fn compare(name: &str, mut a: impl FnMut() -> f64, mut b: impl FnMut() -> f64) {
    if !is_wanted(name) {
        return;
    }
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Whoever comes second finds warmer caches.
        if round % 2 == 0 {
            of_a.push(a());
            of_b.push(b());
        } else {
            of_b.push(b());
            of_a.push(a());
        }
    }
    let (a, b) = (Summary::of(of_a), Summary::of(of_b));
    println!(
        "{name:<28} {:>9.2} {:>9.2} {:>+8.2} {:>9.2} {:>9.2} {:>+8.2} {:>7.3}",
        a.minimum,
        b.minimum,
        b.minimum - a.minimum,
        a.median,
        b.median,
        b.median - a.median,
        b.median / a.median,
    );
}

struct Summary {
    minimum: f64,
    median: f64,
}

impl Summary {
    fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Summary {
            minimum: times.first().copied().unwrap_or(f64::NAN),
            median: times.get(times.len() / 2).copied().unwrap_or(f64::NAN),
        }
    }
}

/// One insert and one remove, in a map of `WINDOW` entries.
macro_rules! churn {
    ($map:expr) => {{
        let mut map = $map;
        let window = u64::from(WINDOW);
        for key in 0..window {
            map.insert(key, key);
        }
        let mut next = window;
        move || {
            time(2 * 20_000, || {
                for key in next..next + 20_000 {
                    map.insert(black_box(key), key);
                    map.remove(&black_box(key - window));
                }
                next += 20_000;
            })
        }
    }};
}

macro_rules! get {
    ($map:expr) => {{
        let mut map = $map;
        for key in 0..u64::from(WINDOW) {
            map.insert(key, key);
        }
        move || {
            time(40 * WINDOW, || {
                for _ in 0..40 {
                    for key in 0..u64::from(WINDOW) {
                        black_box(map.get(&black_box(key)));
                    }
                }
            })
        }
    }};
}

macro_rules! short_lived {
    ($make:expr) => {{
        move || {
            time(5_000, || {
                for key in 0..5_000u64 {
                    let mut map = $make;
                    map.insert(key, key);
                    black_box(&map);
                }
            })
        }
    }};
}

type Entry = (String, Vec<u8>);

// Out of line on both sides, as where a program inserts in more than one place.
#[inline(never)]
fn insert_bare(map: &mut Bare<String, Vec<u8>>, (key, value): Entry) {
    map.insert(key, value);
}

#[inline(never)]
fn insert_tracked(map: &mut Tracked<String, Vec<u8>>, (key, value): Entry) {
    map.insert(key, value);
}

/// Entries of 48 bytes that own two blocks, moved into a map that has room.
macro_rules! owned {
    ($make:expr, $insert:expr) => {{
        let mut entries: Vec<Entry> = (0..ENTRIES)
            .map(|number| (format!("key {number}"), vec![0; 100]))
            .collect();
        move || {
            let mut map = $make;
            map.reserve(entries.len());
            let taken = std::mem::take(&mut entries);
            let spent = time(ENTRIES, || {
                for entry in taken {
                    $insert(&mut map, entry);
                }
            });
            entries = map.into_iter().collect();
            spent
        }
    }};
}

/// Keeps about `count` sampled blocks alive, and takes no more samples.
fn live_samples(count: usize) -> Vec<Vec<u8>> {
    heaplens_alloc::set_sample_interval(1);
    let blocks = (0..count).map(|_| vec![1u8; 100]).collect();
    heaplens_alloc::set_sample_interval(0);
    black_box(vec![0u8; 16]);
    blocks
}

fn scrape() {
    if !is_wanted("report") {
        return;
    }
    for count in [1_000, 1_000_000] {
        let maps: Vec<Tracked<u8, u8>> = (0..count)
            .map(|_| {
                let mut map = tracked();
                map.insert(1, 1);
                map
            })
            .collect();
        let times: Vec<f64> = (0..21)
            .map(|_| time(1, || drop(black_box(heaplens_maps::report()))))
            .collect();
        let times = Summary::of(times);
        println!(
            "report of {count} live maps: minimum {:.3} ms, median {:.3} ms",
            times.minimum / 1e6,
            times.median / 1e6
        );
        drop(maps);
    }
}

fn main() {
    println!(
        "{:<28} {:>9} {:>9} {:>8} {:>9} {:>9} {:>8} {:>7}",
        "ns an operation", "min bare", "tracked", "diff", "med bare", "tracked", "diff", "ratio"
    );
    compare("insert or remove", churn!(bare()), churn!(tracked()));
    compare("get", get!(bare()), get!(tracked()));
    compare(
        "create, insert, drop",
        short_lived!(bare::<u64, u64>()),
        short_lived!(tracked::<u64, u64>()),
    );
    compare(
        "the same, std's hasher",
        short_lived!(HashMap::<u64, u64>::new()),
        short_lived!(TrackedHashMap::<u64, u64>::named("bench")),
    );
    compare(
        "insert owned, no sample",
        owned!(bare(), insert_bare),
        owned!(tracked(), insert_tracked),
    );
    let kept = live_samples(8_000);
    let live = heaplens_alloc::counters().live_samples;
    compare(
        &format!("insert owned, {live} samples"),
        owned!(bare(), insert_bare),
        owned!(tracked(), insert_tracked),
    );
    scrape();
    drop(kept);
}
