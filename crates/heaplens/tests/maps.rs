//! Tracked maps on the pages of the agent.

mod common;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use common::{agent, get, request};
use heaplens::TrackedHashMap;
use heaplens::maps::{self, CacheMetrics, Figures, Group, MapMetrics};
use serde_json::Value;

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

const OPEN_METRICS: &str = "Accept: application/openmetrics-text\r\n";

fn json(address: SocketAddr, target: &str) -> Value {
    let answer = get(address, target);
    assert_eq!(answer.status, 200, "{target}: {answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// The names on a list, in its order, of those that begin so.
fn listed<'a>(list: &'a Value, prefix: &str) -> Vec<&'a str> {
    let maps = list["maps"].as_array().unwrap().iter();
    maps.map(|map| map["name"].as_str().unwrap())
        .filter(|name| name.starts_with(prefix))
        .collect()
}

fn filled(name: &'static str, entries: u64) -> TrackedHashMap<u64, u64> {
    let mut map = TrackedHashMap::named(name);
    map.extend((0..entries).map(|key| (key, key)));
    map
}

#[test]
fn a_group_is_shown_with_its_figures() {
    let (agent, address) = agent();
    let mut map: TrackedHashMap<u64, Vec<u8>> = TrackedHashMap::named("shown").max_entries(5000);
    map.extend((0..1000).map(|key| (key, Vec::new())));
    // 16 intervals long: sampled for certain, and it weighs what it is.
    map.insert(1000, vec![1; 8 << 20]);
    // A removed entry may leave a tombstone, which hides room from capacity().
    let capacity = map.capacity();
    map.remove(&0);
    for document in [
        json(address, "/debug/maps/shown"),
        json(address, "/debug/maps?sort=bytes")["maps"]
            .as_array()
            .unwrap()
            .iter()
            .find(|map| map["name"] == "shown")
            .unwrap()
            .clone(),
    ] {
        for (name, value) in [
            ("path", Value::from("/debug/maps/shown")),
            ("instances_count", 1.into()),
            ("entries_count", 1000.into()),
            ("entries_max_instance_count", 1000.into()),
            ("capacity_entries_count", capacity.into()),
            ("inserts_count", 1001.into()),
            ("removes_count", 1.into()),
            ("max_entries_count", 5000.into()),
            ("expected_ttl_seconds", Value::Null),
            ("cache", Value::Null),
        ] {
            assert_eq!(document[name], value, "{name} in {document:#}");
        }
        let table = document["table_bytes"].as_u64().unwrap();
        let heap = document["heap_bytes"].as_f64().unwrap();
        assert!(heap >= (table + (8 << 20)) as f64, "{document:#}");
        assert!(document["oldest_entry_age_seconds"].is_number());
        assert!(document["last_insert_at_seconds"].is_number());
    }
    let text = get(address, "/debug/maps?format=text");
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    let line = text.text().lines().find(|line| line.starts_with("shown "));
    assert!(line.unwrap().contains(" 1,001 "), "{}", text.text());
    let text = get(address, "/debug/maps/shown?format=text");
    assert!(text.text().contains("\nMAX ENTRIES  "), "{}", text.text());
    assert!(text.text().contains("\nALIVE, BY AGE  "), "{}", text.text());
    drop((map, agent));
}

#[test]
fn what_a_group_holds_by_age() {
    let (agent, address) = agent();
    let mut map: TrackedHashMap<u64, Vec<u8>> = TrackedHashMap::named("aged");
    let mut other: TrackedHashMap<u64, Vec<u8>> = TrackedHashMap::named("aged too");
    for key in 0..3 {
        map.insert(key, vec![1; 8 << 20]);
    }
    other.insert(0, vec![1; 8 << 20]);
    map.remove(&0);
    // In nobody's hands.
    let loose = vec![1_u8; 8 << 20];
    let sums = |name: &str| {
        let document = json(address, &format!("/debug/maps/{name}"));
        let ages = document["ages"].as_array().unwrap().clone();
        assert_eq!(ages.len(), 10);
        let sum = |of: &str| -> f64 { ages.iter().map(|age| age[of].as_f64().unwrap()).sum() };
        // None is as old as that.
        assert!(
            ages[7..].iter().all(|age| age["samples_count"] == 0),
            "{ages:#?}"
        );
        let mebibytes = sum("bytes") / f64::from(1 << 20);
        [sum("samples_count") as u64, mebibytes.round() as u64]
    };
    assert_eq!(sums("aged"), [2, 16]);
    assert_eq!(sums("aged%20too"), [1, 8]);
    drop((map, other, loose, agent));
}

#[test]
fn metrics_show_the_same() {
    let (agent, address) = agent();
    let map = filled("measured", 100).max_entries(300);
    let answer = get(address, "/metrics");
    for (name, value) in [
        ("map_entries", 100),
        ("map_entries_max_instance", 100),
        ("map_instances", 1),
        ("map_capacity_entries", map.capacity()),
        ("map_max_entries", 300),
        ("map_inserts_total", 100),
        ("map_removes_total", 0),
        ("map_capacity_waste_bytes", 0),
    ] {
        let line = format!("\n{name}{{map=\"measured\"}} {value}\n");
        assert!(answer.text().contains(&line), "{line} in {}", answer.text());
    }
    for name in [
        "map_table_bytes",
        "map_heap_bytes",
        "map_heap_bytes_stderr",
        "map_resizes_total",
    ] {
        let line = format!("\n{name}{{map=\"measured\"}} ");
        assert!(answer.text().contains(&line), "{line}");
    }
    for name in ["map_expected_ttl_seconds", "map_evictions_total", "cache_"] {
        assert!(!answer.text().contains(&format!("\n{name}")), "{name}");
    }
    drop((map, agent));
}

#[test]
fn ranked_as_asked() {
    let (agent, address) = agent();
    let (_large, _small) = (filled("ranked-b", 10_000), filled("ranked-a", 10));
    let _bytes: TrackedHashMap<u64, [u64; 1000]> = {
        let mut map = TrackedHashMap::named("ranked-c");
        map.extend((0..1000).map(|key| (key, [key; 1000])));
        map
    };
    for (query, order) in [
        ("", ["ranked-c", "ranked-b", "ranked-a"]),
        ("?sort=bytes", ["ranked-c", "ranked-b", "ranked-a"]),
        ("?sort=table", ["ranked-c", "ranked-b", "ranked-a"]),
        ("?sort=entries", ["ranked-b", "ranked-c", "ranked-a"]),
        ("?sort=inserts", ["ranked-b", "ranked-c", "ranked-a"]),
        ("?sort=name", ["ranked-a", "ranked-b", "ranked-c"]),
    ] {
        let list = json(address, &format!("/debug/maps{query}"));
        assert_eq!(listed(&list, "ranked-"), order, "{query}");
    }
    let one = json(address, "/debug/maps/?limit=1&sort=bytes");
    assert_eq!(one["maps"].as_array().unwrap().len(), 1);
    assert!(one["groups_count"].as_u64().unwrap() >= 3);
    drop(agent);
}

#[test]
fn parameters_are_strict_and_methods_few() {
    let (agent, address) = agent();
    let _map = filled("strict", 1);
    for (target, status, part) in [
        (
            "/debug/maps?sort=size",
            400,
            "must be one of bytes, entries, growth",
        ),
        ("/debug/maps?limit=0", 400, "positive integer"),
        ("/debug/maps?format=csv", 400, "must be json or text"),
        ("/debug/maps?x=1", 400, "known are sort, limit, format"),
        ("/debug/maps/strict?sort=name", 400, "known are format"),
        (
            "/debug/maps/%zz",
            400,
            "bad escape in the name of the map \"%zz\"",
        ),
        (
            "/debug/maps/no%20such%0Amap",
            404,
            "no map named \"no such\\nmap\"",
        ),
        ("/debug/maps/strict/", 404, "no map named \"strict/\""),
    ] {
        let answer = get(address, target);
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert_eq!(answer.text().lines().count(), 1, "{answer:?}");
        assert!(answer.text().contains(part), "{target}: {answer:?}");
        assert_eq!(answer.header("x-go-pprof"), Some("1"));
    }
    for path in ["/debug/maps", "/debug/maps/strict"] {
        assert_eq!(request(address, "HEAD", path, "").status, 200);
        let posted = request(address, "POST", path, "Content-Length: 0\r\n");
        assert_eq!(
            (posted.status, posted.header("allow")),
            (405, Some("GET, HEAD"))
        );
    }
    drop(agent);
}

#[test]
fn a_map_without_a_name_is_found_by_its_place() {
    let (agent, address) = agent();
    let mut map: TrackedHashMap<u8, u8> = TrackedHashMap::new();
    let line = line!() - 1;
    map.insert(1, 1);
    let list = json(address, "/debug/maps");
    let place = format!("tests/maps.rs:{line}:");
    let names = listed(&list, "");
    let name = names.iter().find(|name| name.contains(&place)).unwrap();
    // As it is, and as the list links to it.
    let linked = list["maps"].as_array().unwrap().iter();
    let linked = linked.filter(|map| map["name"] == **name);
    let path = linked
        .map(|map| map["path"].as_str().unwrap())
        .next()
        .unwrap();
    assert!(path.contains("maps.rs%3A"), "{path}");
    for target in [format!("/debug/maps/{name}"), path.to_owned()] {
        let document = json(address, &target);
        assert_eq!(document["name"], **name, "{target}");
        assert_eq!(document["site"], **name, "{target}");
        assert_eq!(document["links"]["self"], path);
    }
    drop((map, agent));
}

/// The label of a line of metrics, as a parser of the format reads it.
fn label(line: &str) -> String {
    let quoted = line.split_once("map=\"").unwrap().1;
    let (mut value, mut rest) = (String::new(), quoted.chars());
    loop {
        match rest.next().unwrap() {
            '"' => return value,
            '\\' => value.push(match rest.next().unwrap() {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

#[test]
fn a_hostile_name_stays_a_name() {
    const NAME: &str = "a\"} 1\nmap_entries{map=\"b\\\n# EOF\\n\r\u{1b}[2Jü/../x?y#z%20<b>";
    let (agent, address) = agent();
    let mut map: TrackedHashMap<u8, u8> = TrackedHashMap::in_group(Group::named(NAME));
    map.insert(1, 1);
    for more in ["", OPEN_METRICS] {
        let answer = request(address, "GET", "/metrics", more);
        let lines: Vec<&str> = answer
            .text()
            .split('\n')
            .filter(|line| line.starts_with("map_entries{"))
            .collect();
        assert!(lines.iter().any(|line| label(line) == NAME), "{lines:?}");
        assert!(lines.iter().all(|line| label(line) != "b\\"), "{lines:?}");
        let ends = answer.text().split('\n').filter(|line| *line == "# EOF");
        assert_eq!(ends.count(), usize::from(!more.is_empty()));
    }
    let list = json(address, "/debug/maps");
    let found = list["maps"].as_array().unwrap().iter();
    let found = found.filter(|map| map["name"] == NAME).collect::<Vec<_>>();
    let path = found[0]["path"].as_str().unwrap();
    assert_eq!(json(address, path)["name"], NAME);
    for target in ["/debug/maps?format=text", &format!("{path}?format=text")] {
        let answer = get(address, target);
        let is_control = |character: char| character.is_control() && character != '\n';
        assert!(!answer.text().contains(is_control), "{:?}", answer.text());
        assert!(
            answer.text().contains("ü/../x?y#z%20<b>"),
            "{}",
            answer.text()
        );
    }
    drop((map, agent));
}

#[test]
fn no_key_and_no_value_is_ever_shown() {
    const KEY: &str = "canary-of-a-key-5f1c";
    const VALUE: &str = "canary-of-a-value-9d2e";
    let (agent, address) = agent();
    let mut map: TrackedHashMap<String, String> = TrackedHashMap::named("cage");
    for number in 0..1000 {
        map.insert(
            format!("{KEY}{number}"),
            format!("{VALUE}{number}").repeat(100),
        );
    }
    let shared = Arc::new(vec![KEY.to_owned(), VALUE.to_owned()]);
    maps::probe_with("probed-cage", &shared, |list| {
        Some(Figures::of_entries(list.len() as u64))
    });
    for path in [
        "/metrics",
        "/debug/",
        "/debug/maps",
        "/debug/maps?format=text",
        "/debug/maps/cage",
        "/debug/maps/cage?format=text",
        "/debug/maps/probed-cage",
        "/debug/memstats",
        "/debug/heap?format=text",
        "/debug/heap",
        "/healthz",
    ] {
        let answer = get(address, path);
        assert_eq!(answer.status, 200, "{path}");
        let body = if answer.body.starts_with(&[0x1f, 0x8b]) {
            let mut plain = Vec::new();
            let mut reader = flate2::read::GzDecoder::new(answer.body.as_slice());
            std::io::Read::read_to_end(&mut reader, &mut plain).unwrap();
            plain
        } else {
            answer.body
        };
        let text = String::from_utf8_lossy(&body);
        assert!(!text.contains("canary"), "{path}");
    }
    assert!(
        get(address, "/debug/maps").text().contains("cage"),
        "it was looked at"
    );
    drop((map, shared, agent));
}

/// A container that tells all that can be told.
struct Everything;

impl MapMetrics for Everything {
    fn entries(&self) -> Option<u64> {
        Some(7)
    }

    fn capacity(&self) -> Option<u64> {
        Some(8)
    }

    fn table_bytes(&self) -> Option<u64> {
        Some(800)
    }

    fn max_entries(&self) -> Option<u64> {
        Some(8)
    }

    fn expected_ttl(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }

    fn cache(&self) -> Option<CacheMetrics> {
        let mut counts = CacheMetrics::default();
        (counts.hits, counts.misses, counts.puts) = (Some(3), Some(2), Some(9));
        counts.evictions = [Some(1); 4];
        (counts.evictions_uncaused, counts.eviction_weight) = (Some(1), Some(5));
        Some(counts)
    }
}

#[test]
fn a_cache_has_micrometers_series() {
    let (agent, address) = agent();
    let cache = Arc::new(Everything);
    assert!(maps::probe("everything", &cache));
    let answer = get(address, "/metrics");
    for line in [
        "cache_size{cache=\"everything\"} 7",
        "cache_gets_total{cache=\"everything\",result=\"hit\"} 3",
        "cache_gets_total{cache=\"everything\",result=\"miss\"} 2",
        "cache_puts_total{cache=\"everything\"} 9",
        "cache_evictions_total{cache=\"everything\"} 3",
        "cache_eviction_weight_total{cache=\"everything\"} 5",
        "map_evictions_total{cause=\"replaced\",map=\"everything\"} 1",
        "map_max_entries{map=\"everything\"} 8",
        "map_expected_ttl_seconds{map=\"everything\"} 60",
        "map_table_bytes{map=\"everything\"} 800",
    ] {
        assert!(answer.text().contains(&format!("\n{line}\n")), "{line}");
    }
    let inserts = "map_inserts_total{map=\"everything\"}";
    assert!(!answer.text().contains(inserts), "nobody has counted them");
    let document = json(address, "/debug/maps/everything");
    assert_eq!(document["cache"]["hits_count"], 3);
    assert_eq!(document["inserts_count"], Value::Null);
    assert!(document["missing"]["inserts_count"].is_string());
    drop((cache, agent));
}

/// Run by `scripts/test`, which sets `HEAPLENS_PROMTOOL`.
#[test]
fn promtool_finds_nothing_to_improve() {
    let Some(promtool) = std::env::var_os("HEAPLENS_PROMTOOL") else {
        eprintln!("not checked: HEAPLENS_PROMTOOL is not set");
        return;
    };
    let (agent, address) = agent();
    let cache = Arc::new(Everything);
    maps::probe("everything \"quoted\"\n", &cache);
    let map = filled("linted", 100);
    let metrics = get(address, "/metrics");
    assert!(metrics.text().contains("cache_eviction_weight_total"));
    let check = |metrics: &[u8]| {
        let mut child = Command::new(&promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Taken, so that the pipe is closed and promtool sees the end.
        child.stdin.take().unwrap().write_all(metrics).unwrap();
        let output = child.wait_with_output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    assert_eq!(check(&metrics.body), (true, String::new()));
    // It does find something where there is something.
    assert!(!check(b"# TYPE bad_counter counter\nbad_counter 1\n").0);
    drop((cache, map, agent));
}

#[inline(never)]
fn a_session() -> Vec<u8> {
    std::hint::black_box(vec![1; 8 << 20])
}

#[test]
fn the_heap_profile_of_one_map() {
    let (agent, address) = agent();
    let mut map: TrackedHashMap<u64, Vec<u8>> = TrackedHashMap::named("profiled");
    map.insert(1, a_session());
    let not_in_it = a_session();
    let link = json(address, "/debug/maps/profiled")["links"]["heap"].clone();
    assert_eq!(link, "/debug/heap?map=profiled");
    let text = get(address, "/debug/heap?map=profiled&format=text");
    assert_eq!(text.status, 200, "{text:?}");
    assert!(text.text().contains("a_session"), "{}", text.text());
    let head = format!("heap profile: 1: {}", 8 << 20);
    assert!(text.text().starts_with(&head), "{}", text.text());
    let file = get(address, "/debug/heap?map=profiled");
    assert_eq!(
        file.header("content-disposition"),
        Some("attachment; filename=\"heap\"")
    );
    assert_eq!(file.body[..2], [0x1f, 0x8b]);
    // A group that holds nothing has an empty profile; one that is none has not.
    let empty = filled("profiled-empty", 1);
    assert_eq!(get(address, "/debug/heap?map=profiled-empty").status, 200);
    let unknown = get(address, "/debug/heap?map=nosuch");
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.text().contains("no map named \"nosuch\""),
        "{unknown:?}"
    );
    drop((map, not_in_it, empty, agent));
}

/// Slots serve other groups afterwards; what was counted stays.
#[test]
fn a_group_stays_when_its_maps_are_gone() {
    let (agent, address) = agent();
    let gone = ["gone-a", "gone-b", "gone-c"];
    drop(gone.map(|name| filled(name, 5)));
    let others: Vec<_> = (0..1000).map(|_| filled("others", 1)).collect();
    let metrics = get(address, "/metrics");
    for name in gone {
        let document = json(address, &format!("/debug/maps/{name}"));
        assert_eq!(document["instances_count"], 0, "{document:#}");
        assert_eq!(document["inserts_count"], 5, "{document:#}");
        assert_eq!(document["removes_count"], 5, "{document:#}");
        let line = format!("\nmap_removes_total{{map=\"{name}\"}} 5\n");
        assert!(metrics.text().contains(&line), "{name}");
    }
    drop((others, agent));
}

#[test]
fn names_of_the_list_lead_nowhere_else() {
    let (agent, address) = agent();
    let mut up: TrackedHashMap<u8, u8> = TrackedHashMap::named("../heap");
    up.insert(1, 1);
    let list = json(address, "/debug/maps");
    let paths: BTreeSet<&str> = list["maps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|map| map["path"].as_str().unwrap())
        .collect();
    for path in paths {
        let name = path.strip_prefix("/debug/maps/").unwrap();
        assert!(!name.contains('/'), "{path}");
        assert_eq!(json(address, path)["path"], path);
    }
    assert_eq!(json(address, "/debug/maps/../heap")["name"], "../heap");
    drop((up, agent));
}
