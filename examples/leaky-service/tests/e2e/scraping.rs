//! `/metrics` as Prometheus sees it.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::curl;
use crate::process::tool;
use crate::prometheus::Prometheus;
use crate::service::{Service, Setup};

const TEXT: &str = "text/plain;version=0.0.4";
const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0";
const TOKEN: &str = "e2e-4f0c9d1b7a6e5d3c2b1a0f9e8d7c6b5a";

/// One of each family that the agent publishes.
const SERIES: [&str; 20] = [
    "rust_memstats_heap_inuse_bytes",
    "rust_memstats_sys_bytes",
    "jemalloc_resident_bytes",
    "jemalloc_allocated_bytes",
    "heaplens_sample_interval_bytes",
    "heaplens_live_samples",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "map_entries",
    "map_instances",
    "map_capacity_entries",
    "map_table_bytes",
    "map_heap_bytes",
    "map_heap_bytes_stderr",
    "map_inserts_total",
    "map_removes_total",
    "map_resizes_total",
    "map_oldest_entry_age_seconds",
    "map_last_insert_timestamp_seconds",
    "map_last_access_timestamp_seconds",
];

fn service() -> Service {
    let service = Service::start(&Setup {
        rate: 2000,
        ..Setup::default()
    });
    service.wait_for_bytes("sessions", 2 << 20);
    service
}

#[test]
#[ignore = "needs Prometheus: run scripts/test"]
fn prometheus_2_scrapes() {
    scrapes("HEAPLENS_PROMETHEUS2");
}

#[test]
#[ignore = "needs Prometheus: run scripts/test"]
fn prometheus_3_scrapes() {
    scrapes("HEAPLENS_PROMETHEUS3");
}

fn scrapes(variable: &'static str) {
    let service = service();
    let prometheus = Prometheus::start(variable, &service.agent, "");
    prometheus.wait_until_up();
    let series = prometheus.series();
    let missing: Vec<&str> = SERIES
        .into_iter()
        .filter(|name| !series.contains(*name))
        .collect();
    assert!(
        missing.is_empty(),
        "not there: {missing:?}, there: {series:#?}"
    );
    for name in [
        "rust_memstats_heap_inuse_bytes",
        "jemalloc_resident_bytes",
        "process_resident_memory_bytes",
    ] {
        let value = prometheus.value(name);
        assert!(value > 1e6 && value < 1e10, "{name} = {value}");
    }
    maps_are_told_apart(&service, &prometheus);
    // OpenMetrics describes a counter without the `_total` of its series, the
    // text format with it: so this tells which of the two was negotiated.
    let described = prometheus.described();
    assert!(
        described.contains("process_cpu_seconds"),
        "not scraped as OpenMetrics: {described:#?}"
    );
}

/// One value a map, by its name; as high as the service's own count was or has
/// become since.
fn maps_are_told_apart(service: &Service, prometheus: &Prometheus) {
    for case in ["sessions", "metrics", "closures", "field", "callbacks"] {
        let after = service.retained(case).entries as f64;
        for name in ["map_entries", "map_inserts_total"] {
            let value = prometheus.value(&format!("{name}%7Bmap=%22{case}%22%7D"));
            assert!((1.0..=after).contains(&value), "{name} of {case}: {value}");
        }
    }
    let leaks = "map_entries%7Bmap=~%22sessions|metrics|closures|field|callbacks%22%7D";
    let entries = prometheus.value(&format!("sum({leaks})"));
    let all = prometheus.value("sum(map_entries)");
    assert!(all > entries, "{all} entries, {entries} of the leaks");
}

#[test]
#[ignore = "needs Prometheus: run scripts/test"]
fn a_token_is_taken_in_both_forms() {
    let service = Service::start(&Setup {
        rate: 0,
        environment: vec![("HEAPLENS_TOKEN", TOKEN.to_owned())],
        ..Setup::default()
    });
    assert_eq!(curl::get(&service.at("/metrics"), &[]).status, 401);
    for more in [
        format!("    authorization:\n      credentials: {TOKEN}\n"),
        format!("    basic_auth:\n      username: prometheus\n      password: {TOKEN}\n"),
    ] {
        Prometheus::start("HEAPLENS_PROMETHEUS3", &service.agent, &more).wait_until_up();
    }
}

#[test]
#[ignore = "needs promtool: run scripts/test"]
fn promtool_finds_nothing_to_improve() {
    let service = service();
    // promtool reads the text format only; OpenMetrics is read by the servers.
    let metrics = metrics(&service, TEXT);
    let (good, said) = check(metrics.as_bytes());
    assert!(good && said.is_empty(), "{said}\n{metrics}");
    // It does find something where there is something.
    let (good, said) = check(b"# TYPE bad_counter counter\nbad_counter 1\n");
    assert!(!good && said.contains("bad_counter"), "{said}");
}

#[test]
#[ignore = "needs the release build: run scripts/test"]
fn both_formats_have_the_same_series() {
    let service = service();
    let text = metrics(&service, TEXT);
    let open = metrics(&service, OPEN_METRICS);
    assert!(!text.contains("# EOF"), "{text}");
    assert!(open.ends_with("\n# EOF\n"), "{open}");
    assert_eq!(names(&text), names(&open));
}

/// The metrics in a format that was asked for and given.
fn metrics(service: &Service, format: &str) -> String {
    let accept = format!("Accept: {format}");
    let answer = curl::get_ok(&service.at("/metrics"), &["--header", &accept]);
    let kind = format.split(';').next().unwrap_or_default();
    assert!(
        answer.content_type.starts_with(kind),
        "{format}: {}",
        answer.content_type
    );
    answer.text().to_owned()
}

fn names(metrics: &str) -> BTreeSet<&str> {
    metrics
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect()
}

/// `promtool check metrics`: whether it was content, and what it said.
fn check(metrics: &[u8]) -> (bool, String) {
    let mut promtool = Command::new(tool("HEAPLENS_PROMTOOL"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Taken, so that the pipe is closed and promtool sees the end.
    promtool.stdin.take().unwrap().write_all(metrics).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).trim().to_owned(),
    )
}
