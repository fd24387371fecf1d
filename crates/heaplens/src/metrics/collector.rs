//! The collector for a Prometheus registry.

use std::collections::HashMap;
use std::fmt;

use prometheus::core::Desc;
use prometheus::proto::MetricFamily;
use prometheus::{Counter, CounterVec, Gauge, GaugeVec, Opts};

use super::series::{self, Kind, Reading, Series, Values};

/// Publishes the allocator's and the profiler's figures in a
/// [`prometheus::Registry`] that the program has anyway.
///
/// ```
/// let registry = prometheus::Registry::new();
/// registry.register(Box::new(heaplens::Collector::new()))?;
/// # Ok::<(), prometheus::Error>(())
/// ```
///
/// A scrape refreshes jemalloc's statistics, which walks its arenas, and walks
/// the live samples: about 100 ns each. What the inner allocator does not tell
/// is left out, never 0. The series are `rust_memstats_*` in the shape of Go's
/// `go_memstats_*` and `jemalloc_*` (both with jemalloc inside only), and
/// `heaplens_*`; the process's own are `prometheus::process_collector`'s.
#[derive(Clone)]
pub struct Collector {
    descriptions: Vec<Desc>,
}

impl Collector {
    /// A collector; any number of them show the same figures.
    pub fn new() -> Self {
        let describe = |series: &Series| {
            let labels = match series.values {
                Values::One(_) => Vec::new(),
                Values::By(label, _) => vec![label.to_owned()],
            };
            let (name, help) = (series.name.to_owned(), series.help.to_owned());
            // Fails only for a malformed name; a test counts them.
            Desc::new(name, help, labels, HashMap::new()).ok()
        };
        Collector {
            descriptions: series::all().filter_map(describe).collect(),
        }
    }
}

impl Default for Collector {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

impl prometheus::core::Collector for Collector {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        heaplens_alloc::untracked(|| families(&Reading::take()))
    }
}

fn families(reading: &Reading) -> Vec<MetricFamily> {
    series::all()
        .filter_map(|series| family(series, reading).ok())
        .flatten()
        .collect()
}

/// The series as the library writes it. Going through its own metric types
/// keeps this independent of whether the program builds it with protobuf.
fn family(series: &Series, reading: &Reading) -> prometheus::Result<Vec<MetricFamily>> {
    use prometheus::core::Collector as _;
    let options = Opts::new(series.name, series.help);
    Ok(match (series.values, series.kind) {
        (Values::One(read), kind) => match (read(reading).map(clamped), kind) {
            (None, _) => Vec::new(),
            (Some(value), Kind::Gauge) => {
                let gauge = Gauge::with_opts(options)?;
                gauge.set(value);
                gauge.collect()
            }
            (Some(value), Kind::Counter) => {
                let counter = Counter::with_opts(options)?;
                counter.inc_by(value);
                counter.collect()
            }
        },
        (Values::By(label, read), Kind::Gauge) => {
            let gauges = GaugeVec::new(options, &[label])?;
            for (of, value) in read(reading) {
                gauges.with_label_values(&[of]).set(clamped(value));
            }
            gauges.collect()
        }
        (Values::By(label, read), Kind::Counter) => {
            let counters = CounterVec::new(options, &[label])?;
            for (of, value) in read(reading) {
                counters.with_label_values(&[of]).inc_by(clamped(value));
            }
            counters.collect()
        }
    })
}

/// Neither negative nor NaN.
fn clamped(value: f64) -> f64 {
    value.max(0.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::SystemTime;

    use heaplens_alloc::{AllocatorStats, Counters, Site, Snapshot, Stack, StackKind, Tally};

    use super::*;

    fn names(families: &[MetricFamily]) -> BTreeSet<String> {
        families.iter().map(|of| of.name().to_owned()).collect()
    }

    fn reading(stats: AllocatorStats, installed: bool) -> Reading {
        let now = SystemTime::now();
        let mut counters = Counters::default();
        counters.installed = installed;
        counters.sample_interval = 1;
        let mut tally = Tally::default();
        tally.record(100, 1);
        let stack = Stack::new(vec![0x1001], StackKind::Captured);
        let site = Site::new(0, 112, tally, tally);
        let snapshot = Snapshot::from_parts(now, now, counters, vec![stack], vec![site]);
        Reading::of(stats, &snapshot)
    }

    #[test]
    fn every_series_is_described_once() {
        let collector = Collector::new();
        assert_eq!(collector.descriptions.len(), series::all().count());
        let registry = prometheus::Registry::new();
        registry.register(Box::new(collector)).unwrap();
        assert!(registry.register(Box::new(Collector::new())).is_err());
        assert_eq!(
            super::super::registry().gather().len(),
            registry.gather().len() + 7,
            "seven series of the process"
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let nothing = families(&reading(AllocatorStats::default(), false));
        for name in names(&nothing) {
            let always = name.starts_with("heaplens_") || name.contains("buck_hash");
            assert!(always && !name.contains("inuse"), "{name}");
        }
        let mut stats = AllocatorStats::default();
        stats.allocated = Some(5);
        let some = names(&families(&reading(stats, true)));
        for name in [
            "rust_memstats_alloc_bytes",
            "rust_memstats_heap_alloc_bytes",
            "jemalloc_allocated_bytes",
            "heaplens_inuse_space_bytes",
        ] {
            assert!(some.contains(name), "{name}");
        }
        assert!(!some.contains("jemalloc_active_bytes"));
    }

    #[test]
    fn estimates_come_from_the_snapshot() {
        let families = families(&reading(AllocatorStats::default(), true));
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&families)
            .unwrap();
        assert!(
            text.contains("\nheaplens_inuse_space_bytes 100\n"),
            "{text}"
        );
        assert!(
            text.contains("\nheaplens_inuse_space_stderr_bytes 0\n"),
            "{text}"
        );
        let drops = text
            .lines()
            .filter(|line| line.starts_with("heaplens_drops_total{"));
        assert_eq!(drops.count(), heaplens_alloc::DropReason::ALL.len());
    }

    #[test]
    fn names_follow_the_conventions() {
        for series in series::all() {
            let (name, is_counter) = (series.name, series.kind == Kind::Counter);
            assert_eq!(name.ends_with("_total"), is_counter, "{name}");
            assert!(series.help.ends_with('.'), "{name}");
            let known = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.bytes().all(known), "{name}");
        }
    }
}
