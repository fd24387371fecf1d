//! A program that has an agent, and another global allocator.

mod common;

use common::{agent, get, request};

#[test]
fn profiles_say_which_line_to_add() {
    let (agent, address) = agent();
    for path in [
        "/debug/pprof/heap",
        "/debug/pprof/allocs?debug=1",
        "/debug/pprof/heap?seconds=1",
        "/debug/heap",
        "/debug/heap/peak",
        "/debug/heap/lifetimes",
        "/debug/pprof/delta_heap",
    ] {
        let answer = get(address, path);
        assert_eq!(answer.status, 501, "{path}");
        assert_eq!(answer.header("x-go-pprof"), Some("1"));
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(answer.text().contains("#[global_allocator]"), "{answer:?}");
        assert_eq!(answer.text().lines().count(), 1);
    }
    // Parameters are checked all the same.
    assert_eq!(get(address, "/debug/pprof/heap?seconds=0").status, 400);
    assert_eq!(
        get(address, "/debug/pprof/delta_heap?seconds=1").status,
        400
    );
    assert_eq!(get(address, "/debug/heap/peak?x=1").status, 400);
    let health = get(address, "/healthz");
    assert_eq!(health.status, 200);
    assert!(health.text().contains("\"installed\":false"), "{health:?}");
    assert!(health.text().contains("\"sampling\":false"), "{health:?}");
    drop(agent);
}

#[test]
fn maps_are_shown_but_for_what_samples_tell() {
    let (agent, address) = agent();
    let mut map = heaplens::TrackedHashMap::named("untagged");
    map.insert(1, "one".to_owned());
    let answer = get(address, "/debug/maps/untagged");
    let shown: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(shown["entries_count"], 1);
    assert!(shown["table_bytes"].is_u64(), "{shown:#}");
    for name in [
        "heap_bytes",
        "heap_stderr_bytes",
        "contents",
        "growth_bytes_per_second",
    ] {
        assert!(shown[name].is_null(), "{name} in {shown:#}");
    }
    let reason = shown["missing"]["heap_bytes"].as_str().unwrap();
    assert!(reason.contains("#[global_allocator]"), "{reason}");
    let metrics = get(address, "/metrics");
    assert!(
        metrics
            .text()
            .contains("\nmap_table_bytes{map=\"untagged\"} ")
    );
    assert!(!metrics.text().contains("map_heap_bytes"), "{metrics:?}");
    assert_eq!(get(address, "/debug/heap?map=untagged").status, 501);
    drop((map, agent));
}

#[test]
fn what_is_not_known_is_not_published() {
    let (agent, address) = agent();
    let metrics = get(address, "/metrics");
    assert!(metrics.text().contains("\nheaplens_sampling_active 0\n"));
    assert!(!metrics.text().contains("heaplens_inuse_space_bytes"));
    let open = request(
        address,
        "GET",
        "/metrics",
        "Accept: application/openmetrics-text\r\n",
    );
    assert!(open.text().ends_with("# EOF\n"));
    assert_eq!(get(address, "/debug/memstats").status, 200);
    drop(agent);
}
