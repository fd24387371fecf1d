//! What the heap was like before: snapshots that are compared with each other and with now.

mod common;

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::pprof::{comments, decode, has_negative, under};
use common::{PATIENCE, Response, get, post};
use heaplens::Agent;
use heaplens::profile::proto::Profile;
use serde_json::Value;

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

const HELD: usize = 32 << 20;

#[inline(never)]
fn hold_early() -> Vec<u8> {
    black_box(vec![1; HELD])
}

#[inline(never)]
fn hold_late() -> Vec<u8> {
    black_box(vec![2; 2 * HELD])
}

fn document(address: SocketAddr, query: &str) -> Value {
    let answer = get(address, &format!("/debug/history{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// The newest snapshot.
fn newest(address: SocketAddr) -> u64 {
    if get(address, "/debug/history").status == 404 {
        return 0;
    }
    let document = document(address, "");
    let last = document["snapshots"].as_array().unwrap().last();
    last.map_or(0, |of| of["id"].as_u64().unwrap())
}

/// A snapshot that was begun after now.
fn next_snapshot(address: SocketAddr) -> u64 {
    let before = newest(address);
    let begun = Instant::now();
    loop {
        // The next one may have been under way.
        let now = newest(address);
        if now >= before + 2 {
            return now;
        }
        assert!(begun.elapsed() < PATIENCE, "no snapshot after {before}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn ok(answer: Response) -> Response {
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer
}

fn refused(address: SocketAddr, target: &str, status: u16) -> String {
    let answer = get(address, target);
    assert_eq!(answer.status, status, "{target}: {}", answer.text());
    assert_eq!(answer.header("x-go-pprof"), Some("1"), "{target}");
    answer.text().to_owned()
}

const BYTES: i64 = HELD as i64;

fn profile(address: SocketAddr, target: &str) -> Profile {
    decode(&ok(get(address, target)).body)
}

/// A past moment, in any form.
fn check_past(address: SocketAddr, first: u64, second: u64) {
    let held = BYTES;
    let profile = |target: &str| profile(address, target);
    let at_first = profile(&format!("/debug/heap?at={first}"));
    assert_eq!(under(&at_first, "hold_early", 3), held);
    assert_eq!(under(&at_first, "hold_late", 3), 0);
    assert!(comments(&at_first).contains("as it was at 20"));
    let at_second = profile(&format!("/debug/heap?at={second}"));
    assert_eq!(under(&at_second, "hold_early", 3), held);
    assert_eq!(under(&at_second, "hold_late", 3), 2 * held);
    for format in ["text", "folded", "json", "svg"] {
        let target = format!("/debug/heap?at={second}&format={format}");
        assert!(
            ok(get(address, &target)).text().contains("hold_early"),
            "{format}"
        );
    }
    let drawn = ok(get(address, &format!("/debug/flamegraph?at={first}")));
    assert!(drawn.text().contains("hold_early") && !drawn.text().contains("hold_late"));
}

/// Between two moments, and between one and now.
fn check_changes(address: SocketAddr, [first, second, third]: [u64; 3]) {
    let held = BYTES;
    let profile = |target: &str| profile(address, target);
    for (target, freed, gained) in [
        (format!("?base={first}&at={second}"), 0, 2 * held),
        (format!("?base={second}&at={third}"), -held, 0),
        (format!("?base={first}&at={third}"), -held, 2 * held),
        (format!("?base={first}"), -held, 2 * held),
    ] {
        let change = profile(&format!("/debug/heap{target}"));
        assert_eq!(under(&change, "hold_early", 3), freed, "{target}");
        assert_eq!(under(&change, "hold_late", 3), gained, "{target}");
        assert!(change.duration_nanos > 0, "{target}");
        let graph = ok(get(address, &format!("/debug/flamegraph{target}")));
        assert!(graph.text().contains("<svg "), "{target}");
        // Frames are as wide as what they have at the end.
        let grew = gained > 0;
        assert_eq!(
            graph.text().contains("hold_late"),
            grew || freed < 0,
            "{target}"
        );
        for format in ["folded", "json", "svg"] {
            let answer = ok(get(
                address,
                &format!("/debug/heap{target}&format={format}"),
            ));
            assert!(answer.text().contains("hold_"), "{target} {format}");
        }
    }
    let last = profile(&format!("/debug/heap?base={first}&inuse=last"));
    assert!(!has_negative(&last));
    assert_eq!(under(&last, "hold_late", 3), 2 * held);
    // An uploaded profile against the past.
    let upload = ok(get(address, &format!("/debug/heap?at={first}"))).body;
    let graph = post(address, &format!("/debug/flamegraph?at={second}"), &upload);
    assert!(ok(graph).text().contains("hold_late"));
}

/// Moments in other words, and those that there are not.
fn check_moments(address: SocketAddr, [first, third]: [u64; 2]) {
    let held = BYTES;
    let profile = |target: &str| profile(address, target);
    let ago = profile("/debug/heap?at=-0s");
    assert_eq!(under(&ago, "hold_late", 3), 2 * held);
    let far = profile("/debug/heap?at=2100-01-01T00:00:00Z");
    assert_eq!(under(&far, "hold_late", 3), 2 * held);
    for (target, status, part) in [
        ("/debug/heap?at=-1d", 404, "see /debug/history"),
        (
            "/debug/heap?at=999999999",
            404,
            "no snapshot for number 999999999: there are ",
        ),
        (
            "/debug/flamegraph?base=1000000000",
            404,
            "for 2001-09-09T01:46:40Z: there are ",
        ),
        (
            "/debug/heap?at=soon",
            400,
            "must be the number of a snapshot or a moment",
        ),
        (
            "/debug/heap?at=1&seconds=1",
            400,
            "give the one or the other",
        ),
        ("/debug/heap/peak?at=1", 400, "do not apply"),
        ("/debug/history?x=1", 400, "unknown parameter"),
    ] {
        let said = refused(address, target, status);
        assert!(said.contains(part), "{target}: {said}");
    }
    let exchanged = refused(
        address,
        &format!("/debug/heap?base={third}&at={first}"),
        400,
    );
    assert!(exchanged.contains("exchange at and base"), "{exchanged}");
}

/// The list, and the process's figures.
fn check_lists(address: SocketAddr, second: u64) {
    let whole = document(address, "");
    let column = |name: &str| whole["process"][name].as_array().unwrap().clone();
    let times = column("times");
    assert!(!times.is_empty(), "{whole:#}");
    for name in ["allocated", "active", "resident", "retained"] {
        assert_eq!(column(name).len(), times.len(), "{name}");
        assert!(
            column(name)
                .iter()
                .all(|of| of.as_u64() > Some(0) || name == "retained")
        );
    }
    let snapshots = whole["snapshots"].as_array().unwrap();
    let of = |id| snapshots.iter().find(|of| of["id"] == id).unwrap();
    assert!(of(second)["inuse_bytes"].as_f64().unwrap() >= (3 * HELD) as f64);
    assert!(of(second)["live_samples"].as_u64().unwrap() >= 2);
    assert_eq!(
        document(address, "?points=1")["process"]["times"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let bytes = |name: &str| whole["memory"][name].as_u64().unwrap();
    assert_eq!(bytes("limit_bytes"), 8 << 20);
    assert!(bytes("series_bytes") > 0 && bytes("snapshots_bytes") > 0);
    assert!(bytes("series_bytes") + bytes("snapshots_bytes") <= bytes("limit_bytes"));
    let none = document(address, "?to=-1h");
    assert_eq!(none["snapshots"].as_array().unwrap().len(), 0);
}

/// One test: the history is the process's.
#[test]
fn any_two_moments_are_compared() {
    let plain = Agent::builder()
        .listen("127.0.0.1:0")
        .history_bytes(0)
        .start()
        .unwrap();
    let without = plain.local_addr().unwrap();
    let reason = refused(without, "/debug/history", 404);
    assert!(reason.contains("no history is kept"), "{reason}");
    assert!(refused(without, "/debug/heap?at=-1m", 404).contains("no history is kept"));

    let beat = Duration::from_millis(20);
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .history_bytes(8 << 20)
        .history_beat(beat, beat)
        .start()
        .unwrap();
    let address = agent.local_addr().unwrap();
    let early = hold_early();
    let first = next_snapshot(address);
    let late = hold_late();
    let second = next_snapshot(address);
    drop(early);
    let third = next_snapshot(address);

    check_past(address, first, second);
    check_changes(address, [first, second, third]);
    check_moments(address, [first, third]);
    check_lists(address, second);
    // Any agent of the process shows it.
    assert_eq!(get(without, "/debug/history").status, 200);
    drop((late, agent, plain));
}
