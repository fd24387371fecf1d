//! How long operations took.

use std::fmt;
use std::time::Duration;

/// Times that are kept. When there are more, every second one is dropped, and from
/// then on every second one is not taken.
const KEPT: usize = 1 << 20;

/// Times as they come.
#[derive(Debug)]
pub(super) struct Latencies {
    /// Nanoseconds of every `stride`-th operation.
    kept: Vec<u64>,
    most: usize,
    stride: u64,
    seen: u64,
    max: u64,
}

impl Latencies {
    pub(super) fn new() -> Self {
        Latencies::keeping(KEPT)
    }

    fn keeping(most: usize) -> Self {
        Latencies {
            kept: Vec::new(),
            most,
            stride: 1,
            seen: 0,
            max: 0,
        }
    }

    pub(super) fn add(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.max = self.max.max(nanos);
        if self.seen.is_multiple_of(self.stride) {
            if self.kept.len() == self.most {
                self.thin_out();
            }
            if self.seen.is_multiple_of(self.stride) {
                self.kept.push(nanos);
            }
        }
        self.seen += 1;
    }

    /// Keeps every second one.
    fn thin_out(&mut self) {
        let mut index = 0u64;
        self.kept.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.stride *= 2;
    }

    pub(super) fn summary(mut self) -> Latency {
        self.kept.sort_unstable();
        let at = |share: f64| {
            // The smallest time that this share of all is not above.
            let rank = (share * self.kept.len() as f64).ceil() as usize;
            let nanos = self.kept.get(rank.saturating_sub(1)).copied();
            Duration::from_nanos(nanos.unwrap_or(0))
        };
        Latency {
            p50: at(0.5),
            p99: at(0.99),
            max: Duration::from_nanos(self.max),
        }
    }
}

/// How long operations took. Exact up to 1,048,576 operations; beyond that the
/// percentiles are those of every second, fourth … one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Latency {
    /// Half of them took no longer.
    pub p50: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// The longest.
    pub max: Duration,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p99, max } = self;
        write!(f, "p50 {p50:.1?}, p99 {p99:.1?}, max {max:.1?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: impl Iterator<Item = u64>, most: usize) -> Latency {
        let mut latencies = Latencies::keeping(most);
        times.for_each(|nanos| latencies.add(Duration::from_nanos(nanos)));
        assert!(latencies.kept.len() <= most);
        latencies.summary()
    }

    #[test]
    fn percentiles_are_those_of_the_sorted_times() {
        let nanos = Duration::from_nanos;
        let all = of((1..=1000).rev(), 1000);
        assert_eq!(
            (all.p50, all.p99, all.max),
            (nanos(500), nanos(990), nanos(1000))
        );
        let one = of([7].into_iter(), 10);
        assert_eq!((one.p50, one.p99, one.max), (nanos(7), nanos(7), nanos(7)));
        assert_eq!(of(std::iter::empty(), 10), Latency::default());
    }

    #[test]
    fn more_than_are_kept_are_thinned_out_evenly() {
        // 0, 1, 2 … in turn: whatever is kept is spread over all.
        let thinned = of(0..100_000, 1 << 10);
        let near = |time: Duration, nanos: u64| time.as_nanos().abs_diff(u128::from(nanos)) < 300;
        assert!(
            near(thinned.p50, 50_000) && near(thinned.p99, 99_000),
            "{thinned:?}"
        );
        assert_eq!(thinned.max, Duration::from_nanos(99_999));
    }
}
