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
    let health = get(address, "/healthz");
    assert_eq!(health.status, 200);
    assert!(health.text().contains("\"installed\":false"), "{health:?}");
    assert!(health.text().contains("\"sampling\":false"), "{health:?}");
    drop(agent);
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
