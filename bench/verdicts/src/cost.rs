//! What it takes to judge.

use std::hint::black_box;
use std::time::{Duration, Instant};

use heaplens::leaks::{Cohorts, Facts, Judge, Kind, Point, Series, Windows};

/// Groups of maps.
const GROUPS: u32 = 200;
/// Sites with a series, though none needs one that holds less than a megabyte.
pub(crate) const SITES: u32 = 10_000;
/// Those of them that are large enough to grow in all windows at once.
pub(crate) const LARGEST: u32 = 256;

/// Measured on this machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Seconds to push a point.
    pub(crate) push: f64,
    /// Seconds of a look at a subject that stands still.
    pub(crate) still: f64,
    /// Seconds of a look at one that grows in all windows.
    pub(crate) growing: f64,
    /// Seconds to count the age of one live sample.
    pub(crate) age: f64,
    /// Bytes of a full series.
    pub(crate) bytes: usize,
}

impl Cost {
    /// Measures it, the least of some rounds.
    pub(crate) fn measure() -> Self {
        let mut cost = Cost {
            push: f64::INFINITY,
            still: f64::INFINITY,
            growing: f64::INFINITY,
            age: f64::INFINITY,
            bytes: 0,
        };
        for _ in 0..5 {
            let (still, bytes) = filled(0);
            let (growing, _) = filled(300);
            cost.push = cost.push.min(still.push);
            cost.still = cost.still.min(still.look);
            cost.growing = cost.growing.min(growing.look);
            cost.age = cost.age.min(counted());
            cost.bytes = bytes;
        }
        cost
    }

    /// Share of a core for all groups and sites, so many of which grow in all windows, while
    /// the others stand still. 200 samples are alive for each that grows.
    pub(crate) fn share(&self, growing: u32) -> f64 {
        let windows = Windows::standard();
        let all = GROUPS + SITES;
        let pushes = f64::from(all) * self.push / windows.tick().as_secs_f64();
        let still = f64::from(all.saturating_sub(growing)) * self.still;
        let growing = f64::from(growing) * (self.growing + 200.0 * self.age);
        pushes + (still + growing) / windows.look_every().as_secs_f64()
    }
}

/// Seconds each.
struct Times {
    push: f64,
    look: f64,
}

/// A day of pushes, each with so many entries more, and looks at the end of it; and the bytes
/// of the series.
fn filled(each: u64) -> (Times, usize) {
    let windows = Windows::standard();
    let mut series = Series::new(&windows);
    let ticks = 5800_u32;
    let start = Instant::now();
    for tick in 0..ticks {
        let entries = 100_000 + u64::from(tick) * each;
        let point = Point {
            entries,
            bytes: entries * 500,
            births: entries,
            deaths: 0,
        };
        series.push(windows.tick() * tick, black_box(point));
    }
    let push = start.elapsed().as_secs_f64() / f64::from(ticks);
    let mut judges = vec![Judge::new(Kind::Map, &windows); 100];
    let start = Instant::now();
    for judge in &mut judges {
        black_box(judge.look(&series, &Facts::default()));
    }
    let look = start.elapsed().as_secs_f64() / judges.len() as f64;
    (Times { push, look }, series.heap_bytes())
}

/// Seconds for each of many samples of all ages.
fn counted() -> f64 {
    let mut cohorts = Cohorts::new(&Windows::standard());
    let samples = 100_000_u32;
    let start = Instant::now();
    for sample in 0..samples {
        cohorts.add(black_box(Duration::from_secs(u64::from(sample))), 1.0);
    }
    black_box(&cohorts);
    start.elapsed().as_secs_f64() / f64::from(samples)
}

/// As it is written.
pub(crate) fn micros(seconds: f64) -> String {
    if seconds < 1e-6 {
        format!("{:.0} ns", 1e9 * seconds)
    } else {
        format!("{:.1} µs", 1e6 * seconds)
    }
}
