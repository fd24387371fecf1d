//! What the readings behind the series cost: the figures below the table of metrics.
//!
//! ```sh
//! HEAPLENS_MAX_OVERHEAD=0 cargo test --release -p heaplens --test dashboards -- --ignored --nocapture costs
//! ```
//!
//! Without a bound on the cost of sampling, or most of the blocks would not be sampled.

use std::hint::black_box;
use std::time::{Duration, Instant};

use heaplens::TrackedHashMap;
use heaplens::maps;
use prometheus::core::Collector as _;
use prometheus::process_collector::ProcessCollector;

use crate::common::{agent, get};

const ROUNDS: u32 = 301;

/// The shortest of many, in microseconds.
fn shortest<T>(mut work: impl FnMut() -> T) -> f64 {
    let one = |_| {
        let start = Instant::now();
        let done = black_box(work());
        let took = start.elapsed();
        drop(done);
        took
    };
    let shortest = (0..ROUNDS).map(one).min().unwrap_or(Duration::ZERO);
    shortest.as_secs_f64() * 1e6
}

fn line(what: &str, micros: f64) {
    println!("{what:<44}{micros:>9.1} µs");
}

#[test]
#[ignore = "prints figures: run it by itself, in release mode"]
fn costs_of_the_readings() {
    let (agent, address) = agent();
    line("allocator", shortest(heaplens::allocator_stats));
    line("samples, next to none", shortest(heaplens::snapshot));
    line("maps and held, next to none", shortest(maps::report));
    let process = ProcessCollector::for_self();
    line("files of the process", shortest(|| process.collect()));
    line(
        "/metrics, nothing held",
        shortest(|| get(address, "/metrics")),
    );
    // Two intervals long each, and never written to. All in one map.
    let mut held: TrackedHashMap<u32, Vec<u8>> = TrackedHashMap::named("held");
    held.extend((0..2_000).map(|key| (key, vec![0; 1 << 20])));
    let live = heaplens::counters().live_samples;
    line(&format!("samples, {live}"), shortest(heaplens::snapshot));
    line(&format!("held, {live} samples"), shortest(maps::report));
    drop(held);
    let many: Vec<TrackedHashMap<u32, u32>> = (0..100_000)
        .map(|key| {
            let mut map = TrackedHashMap::named("many");
            map.insert(key, key);
            map
        })
        .collect();
    line("maps, 100,000", shortest(maps::report));
    drop((many, agent));
}
