//! `/metrics` and `/debug/memstats`: format, identities, agreement.

#![expect(clippy::float_cmp, reason = "bytes and counts are whole numbers")]

mod common;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::{Over, Response, agent, get, request};

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_1: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const OPEN_0: &str = "application/openmetrics-text; version=0.0.1; charset=utf-8";

fn scrape(address: SocketAddr, accept: &str) -> Response {
    let header = if accept.is_empty() {
        String::new()
    } else {
        format!("Accept: {accept}\r\n")
    };
    request(address, "GET", "/metrics", &header)
}

/// Value of each sample line.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name, value.parse().unwrap())
        })
        .collect()
}

#[test]
fn the_format_that_the_scraper_asks_for() {
    let (agent, address) = agent();
    let cases = [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        ("nonsense", TEXT),
        ("application/json", TEXT),
        ("application/openmetrics-text", OPEN_1),
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            OPEN_1,
        ),
        ("application/openmetrics-text; version=0.0.1", OPEN_0),
        ("application/openmetrics-text;q=0.3,text/plain;q=0.7", TEXT),
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            OPEN_1,
        ),
        (
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2",
            OPEN_1,
        ),
    ];
    for (accept, content_type) in cases {
        let answer = scrape(address, accept);
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.header("content-type"),
            Some(content_type),
            "{accept}"
        );
        assert_eq!(answer.header("vary"), Some("Accept"));
        let is_open = content_type != TEXT;
        assert_eq!(answer.text().ends_with("\n# EOF\n"), is_open, "{accept}");
        assert_eq!(answer.text().matches("# EOF").count(), usize::from(is_open));
    }
    drop(agent);
}

#[test]
fn every_sample_has_its_type_and_help_just_before() {
    let (agent, address) = agent();
    for accept in ["", "application/openmetrics-text"] {
        let answer = scrape(address, accept);
        let (mut typed, mut helped, mut seen) = ("", "", Vec::new());
        for line in answer.text().lines() {
            let mut words = line.split([' ', '{']);
            match (words.next(), words.next()) {
                (Some("#"), Some("TYPE")) => {
                    typed = words.next().unwrap();
                    assert!(!seen.contains(&typed), "{typed} twice");
                    seen.push(typed);
                }
                (Some("#"), Some("HELP")) => {
                    helped = words.next().unwrap();
                    assert!(words.next().is_some(), "{helped} has no help");
                }
                (Some("#"), Some("EOF")) => {}
                (Some(name), _) => {
                    let family = if typed == name {
                        name
                    } else {
                        name.trim_end_matches("_total")
                    };
                    assert_eq!((typed, helped), (family, family), "{line}");
                }
                (None, _) => panic!("an empty line"),
            }
        }
        assert!(seen.len() > 20, "{seen:?}");
    }
    drop(agent);
}

#[test]
fn both_formats_show_the_same_series() {
    let (agent, address) = agent();
    // How stacks are walked is a label, and is not decided before a sample.
    let held = black_box(vec![1u8; 32 << 20]);
    let (text, open) = (
        scrape(address, ""),
        scrape(address, "application/openmetrics-text"),
    );
    let names = |answer: &Response| -> Vec<String> {
        samples(answer.text())
            .into_keys()
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(names(&text), names(&open));
    drop((agent, held));
}

#[test]
fn identities_hold() {
    let (agent, address) = agent();
    let held = black_box(vec![1u8; 32 << 20]);
    let answer = get(address, "/metrics");
    let values = samples(answer.text());
    let of = |name: &str| *values.get(name).unwrap_or_else(|| panic!("no {name}"));
    assert_eq!(of("heaplens_sampling_active"), 1.0);
    assert_eq!(of("heaplens_sample_interval_bytes"), 524_288.0);
    assert!(of("heaplens_samples_total") >= of("heaplens_live_samples"));
    assert!(of("heaplens_live_samples") >= 1.0);
    assert!(of("heaplens_memory_used_bytes") <= of("heaplens_memory_budget_bytes"));
    assert!(of("process_resident_memory_bytes") >= held.len() as f64);
    // A block of 64 intervals is sampled for certain, and weighs what it is.
    let inuse = of("heaplens_inuse_space_bytes");
    assert!(inuse >= held.len() as f64);
    assert!(of("heaplens_alloc_space_bytes_total") >= inuse);
    assert!(of("heaplens_inuse_space_stderr_bytes") >= 0.0);
    if cfg!(feature = "jemalloc-stats") {
        let [idle, inuse, sys, alloc] = ["heap_idle", "heap_inuse", "heap_sys", "heap_alloc"]
            .map(|name| of(&format!("rust_memstats_{name}_bytes")));
        assert_eq!(idle + inuse, sys);
        assert!(
            held.len() as f64 <= alloc && alloc <= inuse,
            "{alloc} {inuse}"
        );
        assert_eq!(alloc, of("jemalloc_allocated_bytes"));
        assert_eq!(inuse, of("jemalloc_active_bytes"));
        let blocks = of("rust_memstats_mallocs_total") - of("rust_memstats_frees_total");
        assert_eq!(blocks, of("rust_memstats_heap_objects"));
    }
    drop((held, agent));
}

#[test]
fn counters_never_decrease() {
    let (agent, address) = agent();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // Many sizes from two threads keep filling and flushing thread caches.
        for _ in 0..2 {
            scope.spawn(|| {
                let mut kept = Vec::new();
                for round in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    kept.push(black_box(vec![0u8; round * 37 % 3000 + 1]));
                    if kept.len() == 5000 {
                        kept.clear();
                    }
                }
            });
        }
        let _over = Over(&done);
        let mut before = get(address, "/metrics");
        for _ in 0..100 {
            let after = get(address, "/metrics");
            let now = samples(after.text());
            for (name, value) in samples(before.text()) {
                let is_counter = name.contains("_total");
                assert!(
                    !is_counter || now[name] >= value,
                    "{name}: {value} {}",
                    now[name]
                );
            }
            before = after;
        }
    });
    drop(agent);
}

#[test]
fn memstats_have_gos_names_or_a_reason() {
    let (agent, address) = agent();
    let answer = get(address, "/debug/memstats");
    let stats: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    for name in [
        "Alloc",
        "TotalAlloc",
        "Sys",
        "Mallocs",
        "Frees",
        "HeapSys",
        "HeapObjects",
    ] {
        let (value, reason) = (&stats[name], &stats["missing"][name]);
        assert_ne!(
            value.is_u64(),
            reason.is_string(),
            "{name}: {value} {reason}"
        );
        assert_eq!(value.is_u64(), cfg!(feature = "jemalloc-stats"), "{name}");
    }
    assert!(stats["missing"]["NumGC"].is_string());
    assert_eq!(stats["heaplens"]["sampling_active"], true);
    assert_eq!(stats["heaplens"]["drops"]["live_table_full"], 0);
    for total in ["inuse", "alloc"] {
        assert!(stats["heaplens"][total]["space_bytes"].is_number());
        assert!(stats["heaplens"][total]["space_stderr_bytes"].is_number());
    }
    drop(agent);
}

#[test]
fn a_hostile_request_adds_no_series() {
    let (agent, address) = agent();
    let count = |answer: &Response| samples(answer.text()).len();
    let before = count(&get(address, "/metrics"));
    for number in 0..50 {
        request(address, &format!("METHOD{number}"), "/metrics", "");
        get(address, &format!("/debug/pprof/{number}%22%7D"));
        get(address, &format!("/metrics?x={number}"));
    }
    assert_eq!(count(&get(address, "/metrics")), before);
    drop(agent);
}
