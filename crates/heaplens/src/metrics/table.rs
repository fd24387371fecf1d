//! The table of all series in `dashboards/README.md`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use prometheus::core::Collector as _;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricType;

use super::cost::Cost;
use super::series::{Kind, TABLES};

const BEGIN: &str = "<!-- metrics: begin; made from the code -->\n";
const END: &str = "<!-- metrics: end -->\n";

impl Cost {
    /// The word for it in the table.
    fn word(self) -> &'static str {
        match self {
            Cost::Counters => "nothing",
            Cost::Allocator => "allocator",
            Cost::Samples => "samples",
            Cost::Maps => "maps",
            Cost::Held => "held",
            Cost::Files => "files",
        }
    }
}

/// What a value counts, by the series' name.
fn unit(name: &str) -> Option<&'static str> {
    const BY_WORDS: [(&str, &str); 29] = [
        ("_timestamp_seconds", "seconds since 1970"),
        ("_start_time_seconds", "seconds since 1970"),
        ("_entries_per_second", "entries/second"),
        ("_seconds", "seconds"),
        ("_bytes", "bytes"),
        ("_pages", "pages"),
        ("_ratio", "0 to 1"),
        ("_info", "always 1"),
        ("_active", "1 or 0"),
        ("_verdict", "1 or 0"),
        ("_mallocs", "blocks"),
        ("_frees", "blocks"),
        ("_objects", "blocks"),
        ("_arenas", "arenas"),
        ("_samples", "samples"),
        ("_drops", "samples"),
        ("_sites", "sites"),
        ("_stacks", "stacks"),
        ("_instances", "maps"),
        ("_entries", "entries"),
        ("_inserts", "entries"),
        ("_removes", "entries"),
        ("_evictions", "entries"),
        ("_puts", "entries"),
        ("cache_size", "entries"),
        ("_gets", "lookups"),
        ("_resizes", "changes"),
        ("_shrinks", "changes"),
        ("_fds", "descriptors"),
    ];
    const BY_NAME: [(&str, &str); 8] = [
        ("map_seconds_to_limit", "seconds"),
        ("map_entries_max_instance", "entries"),
        ("map_instances_refused_total", "maps"),
        ("map_groups_overflowed_total", "requests"),
        ("map_probes_refused_total", "containers"),
        ("map_probes_panicked_total", "containers"),
        ("cache_eviction_weight_total", "the cache's own"),
        ("process_threads", "threads"),
    ];
    let declared = BY_NAME.iter().find(|(whole, _)| *whole == name);
    let bare = name.strip_suffix("_total").unwrap_or(name);
    let bare = bare.strip_suffix("_stderr").unwrap_or(bare);
    let by_words = || BY_WORDS.iter().find(|(end, _)| bare.ends_with(end));
    declared.or_else(by_words).map(|(_, unit)| *unit)
}

/// A line of the table.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    kind: &'static str,
    labels: Vec<String>,
    help: String,
    cost: Cost,
}

impl Row {
    fn write(&self, table: &mut String) {
        let labels: Vec<String> = self.labels.iter().map(|name| format!("`{name}`")).collect();
        let Row {
            name, kind, help, ..
        } = self;
        let unit = unit(name).unwrap_or_else(|| panic!("no unit is known for {name}"));
        let (labels, help) = (labels.join(", "), help.replace('|', "\\|"));
        let cost = self.cost.word();
        writeln!(
            table,
            "| `{name}` | {kind} | {unit} | {labels} | {help} | {cost} |"
        )
        .unwrap();
    }
}

fn own() -> impl Iterator<Item = Row> {
    TABLES.iter().flat_map(|(cost, series)| {
        series.iter().map(|series| Row {
            name: series.name.to_owned(),
            kind: match series.kind {
                Kind::Counter => "counter",
                Kind::Gauge | Kind::Trend => "gauge",
            },
            labels: series.labels().iter().map(|&name| name.into()).collect(),
            help: series.help.to_owned(),
            cost: *cost,
        })
    })
}

/// Those of the library, which come with the agent and the router.
fn library() -> impl Iterator<Item = Row> {
    let families = ProcessCollector::for_self().collect();
    families.into_iter().map(|family| Row {
        name: family.name().to_owned(),
        kind: match family.get_field_type() {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            other => panic!("{}: {other:?}", family.name()),
        },
        labels: Vec::new(),
        help: family.help().to_owned(),
        cost: Cost::Files,
    })
}

fn table() -> String {
    let mut table = String::from(
        "| Series | Type | Unit | Labels | Meaning | Cost |\n|---|---|---|---|---|---|\n",
    );
    for row in own().chain(library()) {
        row.write(&mut table);
    }
    table
}

/// Beside the crate in the repository; not there in a published crate.
fn page() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../dashboards/README.md"]
        .iter()
        .collect()
}

#[test]
fn metrics_table_of_the_dashboards_is_up_to_date() {
    let Ok(text) = fs::read_to_string(page()) else {
        eprintln!("not checked: {} is not there", page().display());
        return;
    };
    let (before, rest) = text.split_once(BEGIN).expect("the mark of the beginning");
    let (found, after) = rest.split_once(END).expect("the mark of the end");
    let table = table();
    if env::var_os("HEAPLENS_UPDATE_DOCS").is_some() {
        fs::write(page(), [before, BEGIN, &table, END, after].concat()).unwrap();
        return;
    }
    let changed: Vec<&str> = table
        .lines()
        .filter(|line| !found.lines().any(|known| known == *line))
        .chain(found.lines().filter(|line| !table.contains(line)))
        .collect();
    assert!(
        found == table,
        "dashboards/README.md is not what the code says; run\n\
         HEAPLENS_UPDATE_DOCS=1 cargo test -p heaplens --lib metrics_table\n{changed:#?}"
    );
}

#[test]
fn each_series_has_a_unit_that_fits_its_name() {
    for (name, expected) in [
        ("process_cpu_seconds_total", "seconds"),
        ("process_start_time_seconds", "seconds since 1970"),
        ("map_heap_bytes_stderr", "bytes"),
        ("heaplens_inuse_objects_stderr", "blocks"),
        ("map_instances_refused_total", "maps"),
        ("map_capacity_entries", "entries"),
    ] {
        assert_eq!(unit(name), Some(expected), "{name}");
    }
    for row in own().chain(library()) {
        let unit = unit(&row.name);
        assert!(unit.is_some(), "no unit is known for {}", row.name);
        // Prometheus' own convention: the unit stands in the name.
        let named = row.name.contains("_bytes") || row.help.starts_with("Bytes");
        assert_eq!(named, unit == Some("bytes"), "{}: {unit:?}", row.name);
    }
}
