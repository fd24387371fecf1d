//! How often a thread samples: seldom enough that sampling takes no more than a
//! stated share of its time.
//!
//! A thread that allocates `a` bytes a second and samples every `R` bytes takes
//! `a/R` samples a second. Where one costs `c` seconds, that is the share `c·a/R`
//! of its time. So `R` must not be below `c·a/share`, and that is the interval
//! which a thread draws its gaps at when the one that was set is smaller.
//!
//! Estimates stay unbiased: each sample bears the interval that its own gap was
//! drawn at, and what that interval was chosen from is known before the gap
//! begins.

use std::cell::Cell;

/// How much of what was known each new figure replaces.
const FRESH: f64 = 1.0 / 8.0;

/// The time between two looks counts for at most this many times what was
/// expected: a pause between two bursts is not a slow burst.
const OUTLIER: f64 = 4.0;

/// How far each sample moves the median of what they cost, up or down. The mean
/// counts a sample for at most [`OUTLIER`] medians: one that lost the processor
/// midway is not a costly one.
const STEP: f64 = 1.0 / 16.0;

/// The first samples of a thread fill caches: they do not tell what the next
/// ones will cost.
const WARM_UP: u32 = 8;

/// No interval is raised beyond this: 128 MiB.
const HIGHEST: u64 = 128 << 20;

/// What a thread knows of its own pace. Times in nanoseconds.
pub(crate) struct Pace {
    /// When it was looked at last; 0 = never.
    seen: Cell<u64>,
    /// Bytes allocated and the time that this took, of late.
    bytes: Cell<f64>,
    nanos: Cell<f64>,
    /// What a sample costs of late: the median, and the mean without outliers.
    median: Cell<f64>,
    mean: Cell<f64>,
    samples: Cell<u32>,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Pace {
            seen: Cell::new(0),
            bytes: Cell::new(0.0),
            nanos: Cell::new(0.0),
            median: Cell::new(0.0),
            mean: Cell::new(0.0),
            samples: Cell::new(0),
        }
    }

    /// Notes that this many bytes were allocated since the last call of this or
    /// of [`Pace::sampled`].
    pub(crate) fn allocated(&self, bytes: i64, now: u64) {
        let before = self.seen.replace(now);
        if before == 0 || bytes <= 0 {
            return;
        }
        let bytes = bytes as f64;
        // A clock that stands still says as little as one that jumps.
        let mut nanos = (now.saturating_sub(before) as f64).max(1.0);
        if self.bytes.get() > 0.0 {
            nanos = nanos.min(OUTLIER * bytes * self.nanos.get() / self.bytes.get());
        }
        self.bytes.set(self.bytes.get() * (1.0 - FRESH) + bytes);
        self.nanos.set(self.nanos.get() * (1.0 - FRESH) + nanos);
    }

    /// Forgets when it was looked at last: what follows is not measured.
    pub(crate) fn pause(&self) {
        self.seen.set(0);
    }

    /// Notes that a sample was taken since [`Pace::allocated`]. Returns what it
    /// took; 0 if that was not measured.
    pub(crate) fn sampled(&self, now: u64) -> u64 {
        if self.seen.get() == 0 {
            return 0;
        }
        let taken = now.saturating_sub(self.seen.replace(now));
        // Not 0, from which no step leads up again: the clock may be coarse.
        let new = (taken as f64).max(1.0);
        let samples = self.samples.get();
        let median = match self.median.get() {
            _ if samples == 0 => new,
            known if samples < WARM_UP => known.min(new),
            known if new > known => known * (1.0 + STEP),
            known => known / (1.0 + STEP),
        };
        self.median.set(median);
        let mean = self.mean.get();
        self.mean.set(if samples < WARM_UP {
            median
        } else {
            mean + FRESH * (new.min(OUTLIER * median) - mean)
        });
        self.samples.set(samples.saturating_add(1));
        taken
    }

    /// The interval to draw the next gap at, where `set` is the one that was
    /// asked for and `share` the largest share of time that sampling may take.
    pub(crate) fn interval(&self, set: u64, share: f64) -> u64 {
        if self.samples.get() < WARM_UP || self.nanos.get() <= 0.0 {
            return set;
        }
        let least = self.mean.get() * self.bytes.get() / self.nanos.get() / share;
        // In steps of a quarter, so that what is in force does not change with
        // each breath of the clock.
        let mut interval = set;
        while (interval as f64) < least && interval < HIGHEST {
            interval += interval.div_ceil(4);
        }
        interval.min(HIGHEST.max(set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::{Random, draw_gap};
    use crate::tally::Tally;

    const SET: u64 = 512 << 10;
    const SHARE: f64 = 0.01;

    /// A thread whose allocations and samples take the time that they are said to.
    struct Thread {
        pace: Pace,
        now: u64,
        sampling: u64,
    }

    impl Thread {
        fn new() -> Self {
            Thread {
                pace: Pace::new(),
                now: 1,
                sampling: 0,
            }
        }

        /// Allocates one gap after another at this many bytes a nanosecond, until
        /// so many bytes are through. Gaps are as long as their mean. Returns the
        /// share of time that samples of `cost` nanoseconds took.
        fn run(&mut self, bytes: u64, rate: f64, cost: u64) -> f64 {
            let (began, sampling) = (self.now, self.sampling);
            let mut left = bytes;
            while left > 0 {
                let gap = self.pace.interval(SET, SHARE).min(left);
                left -= gap;
                // Looked at on the way, as the countdown's stretches are.
                let mut way = gap;
                while way > 0 {
                    let stretch = way.min(4 << 20);
                    way -= stretch;
                    self.now += (stretch as f64 / rate) as u64;
                    self.pace.allocated(stretch as i64, self.now);
                }
                self.now += cost;
                self.sampling += self.pace.sampled(self.now);
            }
            (self.sampling - sampling) as f64 / (self.now - began) as f64
        }
    }

    #[test]
    fn a_moderate_thread_keeps_the_interval() {
        let mut thread = Thread::new();
        // 1 GB/s and 2 µs a sample are 0.4 % of the time.
        thread.run(1 << 30, 1.0, 2_000);
        assert_eq!(thread.pace.interval(SET, SHARE), SET);
    }

    #[test]
    fn a_furious_thread_keeps_the_share() {
        for rate in [4.0, 20.0, 100.0, 400.0] {
            for cost in [300, 2_000, 8_000] {
                let mut thread = Thread::new();
                thread.run(1 << 30, rate, cost);
                let needed = cost as f64 * rate / SHARE;
                let share = thread.run(16 << 30, rate, cost);
                if needed <= HIGHEST as f64 {
                    assert!(share <= SHARE, "{share} at {rate} B/ns, {cost} ns");
                    assert!(
                        share > SHARE / 1.6 || needed < SET as f64,
                        "{share} at {rate} B/ns, {cost} ns: too seldom"
                    );
                } else {
                    assert_eq!(thread.pace.interval(SET, SHARE), HIGHEST);
                }
            }
        }
    }

    #[test]
    fn a_thread_that_calms_down_samples_as_before() {
        let mut thread = Thread::new();
        thread.run(16 << 30, 400.0, 2_000);
        assert!(thread.pace.interval(SET, SHARE) > 100 * SET);
        thread.run(256 << 20, 0.5, 2_000);
        assert_eq!(thread.pace.interval(SET, SHARE), SET);
    }

    #[test]
    fn a_pause_between_bursts_is_not_calm() {
        let mut thread = Thread::new();
        for _ in 0..50 {
            let share = thread.run(1 << 30, 40.0, 2_000);
            assert!(share < 1.5 * SHARE || thread.now < 100_000_000, "{share}");
            thread.now += 1_000_000_000;
        }
    }

    #[test]
    fn a_sample_that_lost_the_processor_is_not_costly() {
        let mut thread = Thread::new();
        thread.run(1 << 30, 1.0, 2_000);
        for _ in 0..20 {
            thread.run(1, 1.0, 50_000_000);
            thread.run(2 * SET, 1.0, 2_000);
        }
        assert_eq!(thread.pace.interval(SET, SHARE), SET);
    }

    #[test]
    fn the_first_samples_do_not_count() {
        let mut thread = Thread::new();
        thread.run(4 * SET, 1.0, 5_000_000);
        assert_eq!(thread.pace.interval(SET, SHARE), SET);
        thread.run(64 * SET, 1.0, 2_000);
        assert_eq!(thread.pace.interval(SET, SHARE), SET);
    }

    /// Interval and sizes depend on each other here: a calm phase allocates large
    /// blocks, a furious one small ones. Nothing of that may show in the sum: with
    /// hundreds of thousands of samples, a bias of half a percent would.
    #[test]
    fn a_raised_interval_does_not_bias() {
        const SEEDS: u64 = 2_000;
        let (mut sum, mut square, mut raised) = (0.0, 0.0, 0u64);
        for seed in 0..SEEDS {
            let mut random = Random::stream(seed, 1);
            let (mut thread, mut tally) = (Thread::new(), Tally::default());
            let (mut truth, mut looked, mut interval) = (0.0, 0i64, SET);
            let mut gap = draw_gap(interval, &mut random);
            for step in 0..12_000u64 {
                let furious = step % 600 >= 100;
                let size = if furious { 20_000 } else { 100_000 } + random.next() % 10_000;
                thread.now += if furious { 50 } else { 400_000 };
                truth += size as f64;
                gap -= size as i64;
                looked += size as i64;
                if gap >= 0 {
                    continue;
                }
                thread.pace.allocated(looked, thread.now);
                looked = 0;
                thread.now += 100 << (random.next() % 8);
                thread.pace.sampled(thread.now);
                tally.record(size, interval);
                interval = thread.pace.interval(SET, SHARE);
                raised += u64::from(interval > SET);
                gap = draw_gap(interval, &mut random);
            }
            let off = tally.bytes - truth;
            sum += off;
            square += off * off;
        }
        assert!(raised > SEEDS, "{raised} gaps were longer than usual");
        let z = sum / square.sqrt();
        assert!(z.abs() < 4.0, "biased by {z} standard errors");
    }

    /// Where samples cost different things the share is that of all of them.
    #[test]
    fn two_kinds_of_samples_keep_the_share() {
        let mut thread = Thread::new();
        let mut time = 0.0;
        let mut random = Random::stream(3, 4);
        for round in 0..20_000 {
            let cost = if random.next() % 5 < 3 { 5_000 } else { 40_000 };
            let before = thread.now;
            let gap = thread.pace.interval(SET, SHARE);
            thread.run(gap, 20.0, cost);
            if round > 100 {
                time += (thread.now - before) as f64;
            } else {
                thread.sampling = 0;
            }
        }
        let share = thread.sampling as f64 / time;
        assert!(share < 2.0 * SHARE, "{share}");
    }

    #[test]
    fn what_is_not_measured_does_not_count() {
        let pace = Pace::new();
        pace.allocated(SET as i64, 1_000);
        assert_eq!(pace.sampled(3_000), 2_000);
        pace.pause();
        assert_eq!(pace.sampled(3_600_000_000_000), 0);
        pace.allocated(SET as i64, 3_600_000_001_000);
        assert_eq!(pace.sampled(3_600_000_003_000), 2_000);
    }

    #[test]
    fn a_clock_that_jumps_or_stands_does_no_harm() {
        let pace = Pace::new();
        for step in 0..100u64 {
            let now = [1, u64::MAX, 5, 5, 0, 1 << 63][(step % 6) as usize];
            pace.allocated(i64::MAX, now);
            pace.sampled(now ^ 7);
            let interval = pace.interval(SET, SHARE);
            assert!((SET..=HIGHEST).contains(&interval), "{interval}");
        }
    }
}
