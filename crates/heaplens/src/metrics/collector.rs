//! The collector for a Prometheus registry.

use std::collections::HashMap;
use std::fmt;

use prometheus::core::{Collector as _, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{CounterVec, GaugeVec, Opts};

use super::reading::Reading;
use super::series::{self, Kind, Series};

/// Publishes the allocator's and the profiler's figures in a
/// [`prometheus::Registry`] that the program has anyway.
///
/// ```
/// let registry = prometheus::Registry::new();
/// registry.register(Box::new(heaplens::Collector::new()))?;
/// # Ok::<(), prometheus::Error>(())
/// ```
///
/// A scrape refreshes jemalloc's statistics, which walks its arenas, walks the
/// live samples twice, about 100 ns each, and the tracked maps, about 4 ns each.
/// What is not known is left out, never 0. The series are `rust_memstats_*` in
/// the shape of Go's `go_memstats_*` and `jemalloc_*` (both with jemalloc inside
/// only), `heaplens_*`, `map_*` and `cache_*` for [tracked maps](crate::maps), and
/// `process_memory_limit_bytes`; the process's other figures are
/// `prometheus::process_collector`'s.
///
/// Without an [`Agent`](crate::Agent) growth is reckoned from one scrape to the
/// next, and dates of maps are as fine as scrapes are frequent.
#[derive(Clone)]
pub struct Collector {
    descriptions: Vec<Desc>,
}

impl Collector {
    /// A collector; any number of them show the same figures.
    pub fn new() -> Self {
        let describe = |series: &Series| {
            let labels = series.labels().iter().map(|&label| label.to_owned());
            let (name, help) = (series.name.to_owned(), series.help.to_owned());
            // Fails only for a malformed name; a test counts them.
            Desc::new(name, help, labels.collect(), HashMap::new()).ok()
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
    let samples = series.samples(reading);
    if samples.is_empty() {
        return Ok(Vec::new());
    }
    let options = Opts::new(series.name, series.help);
    if series.kind == Kind::Counter {
        let counters = CounterVec::new(options, series.labels())?;
        for sample in samples {
            let counter = counters.get_metric_with_label_values(&sample.labels)?;
            counter.inc_by(sample.value);
        }
        return Ok(counters.collect());
    }
    let gauges = GaugeVec::new(options, series.labels())?;
    for sample in samples {
        let gauge = gauges.get_metric_with_label_values(&sample.labels)?;
        gauge.set(sample.value);
    }
    Ok(gauges.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::SystemTime;

    use heaplens_alloc::{AllocatorStats, Counters, Site, Snapshot, Stack, StackKind, Tally};
    use heaplens_maps::{CacheReport, GroupReport};

    use super::*;
    use crate::memory::Memory;
    use crate::survey::Survey;

    fn names(families: &[MetricFamily]) -> BTreeSet<String> {
        families.iter().map(|of| of.name().to_owned()).collect()
    }

    fn reading(stats: AllocatorStats, installed: bool) -> Reading {
        with_maps(stats, installed, Vec::new())
    }

    fn with_maps(stats: AllocatorStats, installed: bool, maps: Vec<GroupReport>) -> Reading {
        let now = SystemTime::now();
        let mut counters = Counters::default();
        counters.installed = installed;
        counters.sample_interval = 1;
        let mut tally = Tally::default();
        tally.record(100, 1);
        let stack = Stack::new(vec![0x1001], StackKind::Captured);
        let site = Site::new(0, 112, tally, tally);
        let snapshot = Snapshot::from_parts(now, now, counters, vec![stack], vec![site]);
        Reading::of(stats, &snapshot, Survey::with(maps, Memory::default()))
    }

    /// What concerns maps in general is known to be 0 where there are none.
    const COUNTED_FROM_THE_START: [&str; 4] = [
        "map_groups_overflowed_total",
        "map_instances_refused_total",
        "map_probes_refused_total",
        "map_probes_panicked_total",
    ];

    /// The series of these groups as text.
    fn text(maps: Vec<GroupReport>) -> String {
        let reading = with_maps(AllocatorStats::default(), true, maps);
        prometheus::TextEncoder::new()
            .encode_to_string(&families(&reading))
            .unwrap()
    }

    fn group(name: &str) -> GroupReport {
        let mut group = GroupReport::default();
        group.name = name.to_owned();
        group.instances = 1;
        group
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
            let always = name.starts_with("heaplens_")
                || name.contains("buck_hash")
                || COUNTED_FROM_THE_START.contains(&name.as_str());
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
    fn a_group_has_each_series_that_is_known_and_no_other() {
        let mut plain = group("plain");
        (plain.entries, plain.inserts, plain.removes) = (3, 5, 2);
        plain.growth_per_second = Some(-1.5);
        let mut probed = group("probed");
        (probed.probed, probed.entries_unknown, probed.tables_unknown) = (1, 1, 1);
        let text = text(vec![plain, probed]);
        for line in [
            "map_entries{map=\"plain\"} 3",
            "map_inserts_total{map=\"plain\"} 5",
            "map_growth_entries_per_second{map=\"plain\"} -1.5",
            "map_capacity_waste_bytes{map=\"plain\"} 0",
            "map_instances{map=\"probed\"} 1",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
        }
        let of_probed: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.split_once("{map=\"probed\"")?.0.into())
            .collect();
        let known = ["map_heap_bytes", "map_heap_bytes_stderr", "map_instances"];
        assert_eq!(of_probed, BTreeSet::from(known));
        for absent in [
            "map_max_entries{",
            "map_evictions_total{",
            "cache_",
            "map_seconds_to",
        ] {
            assert!(!text.contains(&format!("\n{absent}")), "{absent} in {text}");
        }
    }

    #[test]
    fn caches_have_micrometers_series_too() {
        let mut cached = group("cached");
        let mut counts = CacheReport::default();
        (counts.size, counts.hits, counts.misses) = (Some(9), Some(4), None);
        counts.evictions = [Some(1), None, None, Some(2)];
        counts.evictions_uncaused = Some(3);
        cached.cache = Some(counts);
        let text = text(vec![cached]);
        let found: BTreeSet<&str> = text
            .lines()
            .filter(|line| line.starts_with("cache_") || line.starts_with("map_evictions"))
            .collect();
        let expected = [
            "cache_evictions_total{cache=\"cached\"} 6",
            "cache_gets_total{cache=\"cached\",result=\"hit\"} 4",
            "cache_size{cache=\"cached\"} 9",
            "map_evictions_total{cause=\"expired\",map=\"cached\"} 1",
            "map_evictions_total{cause=\"size\",map=\"cached\"} 2",
            "map_evictions_total{cause=\"unknown\",map=\"cached\"} 3",
        ];
        assert_eq!(found, BTreeSet::from(expected));
    }

    /// What a running agent does not show at once, or not on every machine.
    #[test]
    fn growth_and_limits_are_shown_as_soon_as_they_are_known() {
        let mut growing = group("growing");
        (growing.entries, growing.growth_per_second) = (10, Some(2.0));
        growing.sized_bytes = Some(1_000);
        let memory = Memory {
            resident: Some(1_000),
            limit: Some(5_000),
        };
        let now = SystemTime::now();
        let snapshot = Snapshot::from_parts(now, now, Counters::default(), vec![], vec![]);
        let survey = Survey::with(vec![growing], memory);
        let reading = Reading::of(AllocatorStats::default(), &snapshot, survey);
        let text = prometheus::TextEncoder::new()
            .encode_to_string(&families(&reading))
            .unwrap();
        for line in [
            "map_growth_entries_per_second{map=\"growing\"} 2",
            // 4,000 bytes are left, and 200 are taken each second.
            "map_seconds_to_limit{map=\"growing\"} 20",
            "process_memory_limit_bytes 5000",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line} in {text}");
        }
    }

    #[test]
    fn what_is_no_number_is_left_out() {
        let mut odd = group("odd");
        odd.growth_per_second = Some(f64::NAN);
        odd.sized_bytes = Some(u64::MAX);
        let text = text(vec![odd]);
        assert!(!text.contains("NaN") && !text.contains("Inf"), "{text}");
        assert!(!text.contains("map_growth"), "{text}");
        assert!(text.contains("map_heap_bytes{"), "{text}");
    }

    #[test]
    fn names_follow_the_conventions() {
        for series in series::all() {
            let (name, is_counter) = (series.name, series.kind == Kind::Counter);
            assert_eq!(name.ends_with("_total"), is_counter, "{name}");
            assert!(series.help.ends_with('.'), "{name}");
            let known = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
            assert!(name.bytes().all(known), "{name}");
            let labels = series.labels();
            let about_maps = name.starts_with("map_") && !labels.is_empty();
            assert_eq!(about_maps, labels.contains(&"map"), "{name}");
            let about_caches = name.starts_with("cache_");
            assert_eq!(about_caches, labels.contains(&"cache"), "{name}");
        }
    }
}
