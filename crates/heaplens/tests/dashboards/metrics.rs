//! `/metrics` against the table in `dashboards/README.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use heaplens::TrackedHashMap;
use heaplens::maps::{self, CacheMetrics, Figures, MapMetrics};

use crate::common::{agent, get};
use crate::shipped;

/// A line of the table.
#[derive(Debug, PartialEq)]
struct Row {
    kind: String,
    labels: BTreeSet<String>,
}

/// The lines of the table by name of the series.
fn table() -> Option<BTreeMap<String, Row>> {
    let text = shipped::text("dashboards/README.md")?;
    let mut rows = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, kind, _, labels, ..] = cells.as_slice() else {
            continue;
        };
        if !["gauge", "counter"].contains(kind) {
            continue;
        }
        let words = labels.split(", ").filter(|word| !word.is_empty());
        let row = Row {
            kind: (*kind).to_owned(),
            labels: words
                .map(|word| word.trim_matches('`').to_owned())
                .collect(),
        };
        let before = rows.insert(name.trim_matches('`').to_owned(), row);
        assert_eq!(before, None, "{name} is there twice");
    }
    assert!(rows.len() > 60, "{rows:#?}");
    Some(rows)
}

/// The series of an answer, with their types and the labels of each value.
fn shown(metrics: &str) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for line in metrics.lines() {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            let (name, kind) = told.split_once(' ').unwrap();
            let row = Row {
                kind: kind.to_owned(),
                labels: BTreeSet::new(),
            };
            rows.insert(name.to_owned(), row);
        } else if !line.starts_with('#') {
            let (name, labels) = line.split_once('{').unwrap_or((line, ""));
            let name = name.split(' ').next().unwrap();
            let row = rows
                .get_mut(name)
                .unwrap_or_else(|| panic!("no type of {line}"));
            let names = labels
                .split("=\"")
                .filter_map(|part| part.rsplit([',', '"']).next());
            let names =
                names.filter(|name| name.bytes().all(|at| at.is_ascii_lowercase() || at == b'_'));
            row.labels
                .extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        }
    }
    rows
}

/// A cache that counts all that can be counted.
struct Everything;

impl MapMetrics for Everything {
    fn entries(&self) -> Option<u64> {
        Some(4)
    }

    fn figures(&self) -> Option<Figures> {
        let mut cache = CacheMetrics::default();
        (cache.hits, cache.misses, cache.puts) = (Some(3), Some(2), Some(7));
        cache.evictions = [Some(1), None, None, Some(2)];
        cache.eviction_weight = Some(30);
        let mut figures = Figures::of_entries(4);
        figures.capacity = Some(8);
        figures.table_bytes = Some(1024);
        figures.max_entries = Some(10);
        figures.expected_ttl = Some(Duration::from_secs(60));
        figures.cache = Some(cache);
        Some(figures)
    }
}

#[test]
fn every_series_is_in_the_table_and_the_other_way_round() {
    let Some(table) = table() else { return };
    let (agent, address) = agent();
    let cache = Arc::new(Everything);
    maps::probe("everything", &cache);
    let mut map: TrackedHashMap<u64, Vec<u8>> = TrackedHashMap::named("tabled").max_entries(5);
    // 16 intervals long: sampled for certain, so that there is an oldest block.
    map.insert(1, vec![1; 8 << 20]);
    let answer = get(address, "/metrics");
    let shown = shown(answer.text());
    for (name, row) in &shown {
        assert_eq!(table.get(name), Some(row), "{name}");
    }
    // A rate takes two reports, and what follows from it too; what is retained takes a
    // measurement; a verdict takes a beat of the recorder, and on a call site its name; a limit
    // takes a control group.
    let mut later = BTreeSet::from([
        "heap_site_leak_verdict",
        "map_growth_entries_per_second",
        "map_leak_verdict",
        "map_retained_bytes",
        "map_retained_timestamp_seconds",
        "map_seconds_to_limit",
        "process_memory_limit_bytes",
    ]);
    if !cfg!(feature = "jemalloc-stats") {
        let of_jemalloc = |name: &&str| {
            let own = name.starts_with("rust_memstats_") && !name.contains("buck_hash");
            own || name.starts_with("jemalloc_")
        };
        later.extend(table.keys().map(String::as_str).filter(of_jemalloc));
    }
    for name in table.keys() {
        let is_there = shown.contains_key(name);
        assert!(is_there || later.contains(name.as_str()), "{name}");
    }
    drop((cache, map, agent));
}
