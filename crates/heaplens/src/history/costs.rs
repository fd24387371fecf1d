//! What the history takes: a day of a program in minutes. `scripts/measure-history` runs it, in
//! release mode.

use std::time::{Duration, Instant, UNIX_EPOCH};

use heaplens_alloc::{Counters, Site, Snapshot, Stack, StackKind, Tally};
use heaplens_profile::{Mapping, Mappings};

use super::{DEFAULT_HISTORY_BYTES, History, Process, file};

const MINUTES: usize = 26 * 60;
const INTERVAL: u64 = 512 << 10;
/// Frames of a stack, of which the innermost tell the sites apart.
const DEPTH: u64 = 24;
const BASE: u64 = 0x5555_0000_0000;

/// Numbers that look drawn and are the same each time.
struct Drawn(u64);

impl Drawn {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Evenly between 0 and 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// A program whose sites allocate as unevenly as sites do: the busiest one half as often again
/// as the next, by Zipf's law. Most of its blocks are soon freed.
struct Program {
    drawn: Drawn,
    stacks: Vec<Stack>,
    /// Bytes of the largest block of each site.
    most: Vec<u64>,
    /// Sums of the shares of the sites.
    shares: Vec<f64>,
    alloc: Vec<Tally>,
    live: Vec<Vec<u64>>,
    samples: u64,
}

impl Program {
    fn new(sites: usize) -> Self {
        let mut drawn = Drawn(0x1234_5678_9abc_def1);
        let frame = |level: u64, path: u64| BASE + level * 0x1_0000 + (path % 4096) * 16 + 5;
        let stacks = (0..sites as u64).map(|site| {
            let frames = (0..DEPTH).map(|level| {
                // From the leaf outwards fewer and fewer callers.
                let path = site >> (level.min(16) * 3 / 4);
                frame(level, path)
            });
            Stack::new(frames.collect(), StackKind::Captured)
        });
        let stacks = stacks.collect();
        let most = (0..sites).map(|_| 16 << (drawn.next() % 10)).collect();
        let mut sum = 0.0;
        let shares = (1..=sites)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        Program {
            drawn,
            stacks,
            most,
            shares,
            alloc: vec![Tally::default(); sites],
            live: vec![Vec::new(); sites],
            samples: 0,
        }
    }

    /// So many samples, of which one in `stays` replaces a live one and the others are freed at
    /// once; up to `room` are alive.
    fn run(&mut self, samples: usize, room: usize, stays: u64) {
        let whole = self.shares.last().copied().unwrap_or_default();
        let mut alive: usize = self.live.iter().map(Vec::len).sum();
        for _ in 0..samples {
            let at = self.drawn.unit() * whole;
            let site = self.shares.partition_point(|sum| *sum < at);
            let bytes = self.most[site] - self.drawn.next() % 16;
            self.alloc[site].record(bytes, INTERVAL);
            self.samples += 1;
            if alive < room {
                self.live[site].push(bytes);
                alive += 1;
            } else if self.drawn.next().is_multiple_of(stays) && !self.live[site].is_empty() {
                self.live[site].remove(0);
                self.live[site].push(bytes);
            }
        }
    }

    fn snapshot(&self, minute: usize) -> Snapshot {
        let begin = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let taken_at = begin + Duration::from_secs(60 * minute as u64);
        let sites = self.alloc.iter().zip(&self.live).enumerate();
        let sites: Vec<Site> = sites
            .filter(|(_, (alloc, _))| alloc.samples > 0)
            .map(|(site, (alloc, live))| {
                let mut inuse = Tally::default();
                for size in live {
                    inuse.record(*size, INTERVAL);
                }
                Site::new(site, self.most[site], *alloc, inuse)
            })
            .collect();
        let mut counters = Counters::default();
        counters.installed = true;
        counters.live_samples = self.live.iter().map(|of| of.len() as u64).sum();
        counters.samples = self.samples;
        Snapshot::from_parts(taken_at, begin, counters, self.stacks.clone(), sites)
    }
}

fn mappings() -> Mappings {
    let range = BASE..BASE + (1 << 30);
    let mut mapping = Mapping::of_the_past(range, 0, "/svc", Some("ab".to_owned()));
    (mapping.loaded, mapping.main) = (true, true);
    let mut mappings = Mappings::default();
    mappings.add_past([&mapping]);
    mappings
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let done = work();
    (done, begun.elapsed().as_secs_f64() * 1e3)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// One line of the table.
fn day(sites: usize, live: usize, samples_a_minute: usize, bytes: usize) {
    let mut program = Program::new(sites);
    // All that it has is there when it is first looked at.
    program.run(live * 2, live, 4);
    let mut history = History {
        bytes,
        ..History::default()
    };
    let mut kept = Vec::new();
    for minute in 0..MINUTES {
        program.run(samples_a_minute, live, 4);
        let snapshot = program.snapshot(minute);
        history.note(snapshot.taken_at, Process::default());
        let ((), time) = timed(|| history.keep(&snapshot));
        kept.push(time);
    }
    let moments: Vec<_> = history.moments().collect();
    let first = moments.first().map_or(UNIX_EPOCH, |of| of.taken_at);
    let last = moments.last().map_or(UNIX_EPOCH, |of| of.taken_at);
    let reach = last.duration_since(first).unwrap_or_default();
    let newest = moments.last().map_or(0, |of| of.id);
    let oldest = moments.first().map_or(0, |of| of.id);
    let (restored, restore) = timed(|| history.chain.restore(newest));
    assert!(restored.is_some() && history.chain.restore(oldest).is_some());
    let mappings = mappings();
    let (written, write) = timed(|| file::encode(&history, &mappings));
    let (read, read_time) = timed(|| file::decode(&written, &mappings, 0));
    assert!(read.is_ok());
    let (whole, a_snapshot) = (history.chain.bytes(), history.chain.bytes_of_changes());
    let snapshots = moments.len();
    println!(
        "{sites:>6} {live:>7} {samples_a_minute:>8} {:>5.1} {snapshots:>5} {:>5.1} {:>8.1} {:>6.2} \
         {:>6.1} {:>6.1} {restore:>7.1} {:>6.2} {write:>6.1} {read_time:>6.1}",
        bytes as f64 / f64::from(1 << 20),
        reach.as_secs_f64() / 3600.0,
        a_snapshot as f64 / snapshots as f64 / 1024.0,
        whole as f64 / f64::from(1 << 20),
        median(kept.split_off(kept.len() / 2)),
        kept.iter().fold(0.0, |most, time| f64::max(most, *time)),
        written.len() as f64 / f64::from(1 << 20),
    );
}

#[test]
#[ignore = "minutes: scripts/measure-history runs it"]
fn a_day() {
    println!(
        "{:>6} {:>7} {:>8} {:>5} {:>5} {:>5} {:>8} {:>6} {:>6} {:>6} {:>7} {:>6} {:>6} {:>6}",
        "sites",
        "live",
        "samples",
        "MiB",
        "snap-",
        "reach",
        "KiB a",
        "MiB in",
        "keep",
        "most",
        "restore",
        "file",
        "write",
        "read"
    );
    println!(
        "{:>6} {:>7} {:>8} {:>5} {:>5} {:>5} {:>8} {:>6} {:>6} {:>6} {:>7} {:>6} {:>6} {:>6}",
        "",
        "",
        "a min",
        "room",
        "shots",
        "h",
        "snapshot",
        "all",
        "ms",
        "ms",
        "ms",
        "MiB",
        "ms",
        "ms"
    );
    let all: &[(usize, usize, usize)] = &[
        (100, 1000, 1200),
        (1000, 2000, 1200),
        (1000, 2000, 12_000),
        (1000, 10_000, 120_000),
        (10_000, 100_000, 1200),
        (10_000, 100_000, 12_000),
        (10_000, 100_000, 120_000),
    ];
    for (sites, live, samples) in all {
        day(*sites, *live, *samples, DEFAULT_HISTORY_BYTES);
    }
}
