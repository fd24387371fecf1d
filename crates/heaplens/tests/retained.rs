//! What maps retain, asked over HTTP, in a program that allows it.

mod common;

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use common::{get, request};
use heaplens::{Agent, TrackedHashMap};
use serde_json::Value;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new()
    .sample_interval(4096)
    .max_overhead_ppm(0);

const HEADER: &str = "X-Heaplens: 1\r\nContent-Length: 0\r\n";

/// One measurement at a time in a process: tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn agent() -> (Agent, SocketAddr) {
    let builder = Agent::builder().listen("127.0.0.1:0").what_if_drop(true);
    let agent = builder.start().unwrap();
    let address = agent.local_addr().unwrap();
    assert!(agent.config().allows_what_if_drop());
    (agent, address)
}

fn path(name: &str) -> String {
    format!("/debug/maps/{name}/retained")
}

fn state(address: SocketAddr, path: &str) -> Value {
    let answer = get(address, path);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

/// Starts one, and uses the map until it is over.
fn measure(address: SocketAddr, path: &str, mut uses: impl FnMut()) -> Value {
    let started = request(address, "POST", &format!("{path}?timeout=60s"), HEADER);
    assert_eq!(started.status, 202, "{started:?}");
    loop {
        uses();
        let now = state(address, path);
        if now["state"] != "running" {
            return now;
        }
    }
}

#[inline(never)]
fn fill_the_sessions(map: &mut TrackedHashMap<u64, Vec<u8>>) {
    map.extend((0..2000).map(|key| (key, vec![7; 1000 + key as usize])));
}

#[test]
fn figures_profiles_and_series() {
    let _turn = turn();
    let (agent, address) = agent();
    let mut map = TrackedHashMap::named("asked/sessions");
    fill_the_sessions(&mut map);
    let path = path("asked/sessions");
    let before = state(address, &path);
    assert_eq!(
        (&before["state"], &before["bytes"]),
        (&"none".into(), &Value::Null)
    );
    assert_eq!(get(address, &format!("{path}?format=svg")).status, 404);

    let done = measure(address, &path, || assert!(map.get(&7).is_some()));
    assert_eq!(done["state"], "done", "{done:#}");
    assert_eq!(done["map"], "asked/sessions");
    let truth = heaplens::retained(&*map).unwrap();
    assert_eq!(truth.blocks, 2001);
    for (name, value) in [
        ("bytes", truth.bytes.into()),
        ("blocks", truth.blocks.into()),
        ("is_lower_bound", false.into()),
        ("maps_count", 1.into()),
        ("measured_count", 1.into()),
        ("unmeasured_count", 0.into()),
        ("error", Value::Null),
    ] {
        assert_eq!(done[name], value, "{name} in {done:#}");
    }
    let classes = done["classes"].as_array().unwrap().iter();
    let sum: u64 = classes.map(|class| class["bytes"].as_u64().unwrap()).sum();
    assert_eq!(sum, truth.bytes);
    for name in [
        "pause_seconds",
        "duration_seconds",
        "child_cpu_seconds",
        "age_seconds",
    ] {
        assert!(done[name].as_f64().unwrap() >= 0.0, "{name} in {done:#}");
    }
    assert!(done["taken_at"].as_str().unwrap().ends_with('Z'));

    profiles(address, &path, &done);
    let text = get(address, &format!("{path}?format=text"));
    let digits: String = text.text().replace(',', "");
    let free = format!("dropping it would free {} bytes (", truth.bytes);
    assert!(
        digits.starts_with(&format!("map asked/sessions: done\n{free}")),
        "{text:?}"
    );

    let one = state(address, "/debug/maps/asked/sessions");
    assert_eq!(one["retained_bytes"].as_u64(), Some(truth.bytes));
    assert_eq!(
        one["links"]["retained"],
        "/debug/maps/asked%2Fsessions/retained"
    );
    let metrics = get(address, "/metrics");
    let line = format!(
        "map_retained_bytes{{map=\"asked/sessions\"}} {}\n",
        truth.bytes
    );
    assert!(metrics.text().contains(&line), "{line}");
    assert!(
        metrics
            .text()
            .contains("map_retained_timestamp_seconds{map=\"asked/sessions\"} ")
    );
    drop(agent);
}

/// Profiles say where it was allocated, and sum to the exact bytes within their error.
fn profiles(address: SocketAddr, path: &str, done: &Value) {
    let bytes = done["bytes"].as_u64().unwrap();
    let folded = get(address, &format!("{path}?format=folded"));
    let mut sum = 0;
    for line in folded.text().lines() {
        let (stack, value) = line.rsplit_once(' ').unwrap();
        assert!(stack.starts_with("map=asked/sessions;"), "{line}");
        assert!(stack.contains("fill_the_sessions"), "{line}");
        sum += value.parse::<u64>().unwrap();
    }
    let error = done["sampled_bytes_stderr"].as_f64().unwrap();
    assert!(error > 0.0 && error < bytes as f64 / 10.0, "{error}");
    assert!(
        (sum as f64 - bytes as f64).abs() < 5.0 * error,
        "{sum} of {bytes} ± {error}"
    );

    let profile = get(address, &format!("{path}?format=pprof"));
    assert_eq!(profile.status, 200);
    let profile = heaplens::profile::pprof::decode(&profile.body).unwrap();
    let types: Vec<_> = profile
        .types
        .iter()
        .map(|of| (&*of.kind, &*of.unit))
        .collect();
    assert_eq!(
        types,
        [("retained_objects", "count"), ("retained_space", "bytes")]
    );
    assert_eq!(profile.total(1), i128::from(sum));
    let label = [("map".to_owned(), "asked/sessions".to_owned())];
    assert!(profile.samples.iter().all(|sample| *sample.labels == label));
    let exact = format!("retained by map=asked/sessions: exactly {bytes} bytes in 2001 blocks");
    assert!(profile.comments.contains(&exact), "{:?}", profile.comments);

    let svg = get(address, &format!("{path}?format=svg&type=retained_objects"));
    assert!(svg.text().contains("map=asked/sessions") && svg.text().contains("retained_objects"));
    let none = get(
        address,
        &format!("{path}?format=folded&focus=no_such_function"),
    );
    assert_eq!((none.status, none.text()), (200, ""));
    for (query, status) in [
        ("format=html", 400),
        ("type=inuse_space&format=svg", 400),
        ("focus=x", 400),
        ("seconds=3", 400),
        ("format=json", 200),
    ] {
        assert_eq!(
            get(address, &format!("{path}?{query}")).status,
            status,
            "{query}"
        );
    }
}

/// One at a time; who gets no answer hears why, and the next one may ask.
#[test]
fn one_at_a_time() {
    let _turn = turn();
    let (agent, address) = agent();
    let mut idle: TrackedHashMap<u64, u64> = TrackedHashMap::named("asked-idle");
    let mut other: TrackedHashMap<u64, u64> = TrackedHashMap::named("asked-other");
    idle.insert(1, 1);
    other.insert(1, 1);
    let (idle_path, other_path) = (path("asked-idle"), path("asked-other"));
    let started = request(address, "POST", &format!("{idle_path}?timeout=60s"), HEADER);
    assert_eq!(started.status, 202);
    let started: Value = serde_json::from_slice(&started.body).unwrap();
    assert_eq!(started["state"], "running");
    for path in [&idle_path, &other_path] {
        let refused = request(address, "POST", path, HEADER);
        assert_eq!(refused.status, 409, "{refused:?}");
        assert!(
            refused
                .text()
                .contains("what \"asked-idle\" retains is being measured")
        );
    }
    assert_eq!(state(address, &idle_path)["state"], "running");
    while state(address, &idle_path)["state"] == "running" {
        assert!(idle.get(&1).is_some());
    }
    assert_eq!(state(address, &idle_path)["state"], "done");

    let started = request(
        address,
        "POST",
        &format!("{other_path}?timeout=20ms"),
        HEADER,
    );
    assert_eq!(started.status, 202, "{started:?}");
    while state(address, &other_path)["state"] == "running" {}
    let failed = state(address, &other_path);
    assert_eq!(failed["state"], "failed");
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("at its next operation"), "{error}");
    let profile = get(address, &format!("{other_path}?format=pprof"));
    assert_eq!(profile.status, 404);
    assert!(profile.text().contains(error));
    let again = measure(address, &other_path, || assert!(other.get(&1).is_some()));
    assert_eq!(
        (&again["state"], &again["error"]),
        (&"done".into(), &Value::Null)
    );
    drop(agent);
}

/// A page of another site cannot start one, nor can who asks for what is not there.
#[test]
fn who_may_start_one() {
    let _turn = turn();
    let (agent, address) = agent();
    let mut map: TrackedHashMap<u64, u64> = TrackedHashMap::named("asked-guard");
    map.insert(1, 1);
    let path = path("asked-guard");
    for (more, part) in [
        ("Content-Length: 0\r\n", "X-Heaplens: 1"),
        (
            "X-Heaplens: 1\r\nOrigin: http://evil.example\r\nContent-Length: 0\r\n",
            "Origin",
        ),
    ] {
        let refused = request(address, "POST", &path, more);
        assert_eq!(refused.status, 403, "{refused:?}");
        assert!(refused.text().contains(part) && refused.text().lines().count() == 1);
    }
    let unknown = request(address, "POST", "/debug/maps/asked-nobody/retained", HEADER);
    assert_eq!(unknown.status, 404);
    assert_eq!(
        get(address, "/debug/maps/asked-nobody/retained").status,
        404
    );
    let query = request(address, "POST", &format!("{path}?timeout=1h"), HEADER);
    assert_eq!(query.status, 400);
    let put = request(address, "PUT", &path, HEADER);
    assert_eq!(
        (put.status, put.header("allow")),
        (405, Some("GET, HEAD, POST"))
    );
    assert_eq!(state(address, &path)["state"], "none");
    drop(agent);
}

/// A map whose name looks like the route is asked for by its escaped name.
#[test]
fn names_that_look_like_the_route() {
    let _turn = turn();
    let (agent, address) = agent();
    let mut map: TrackedHashMap<u64, u64> = TrackedHashMap::named("asked/retained");
    map.insert(1, 1);
    assert_eq!(
        state(address, "/debug/maps/asked%2Fretained")["name"],
        "asked/retained"
    );
    let path = "/debug/maps/asked%2Fretained/retained";
    let done = measure(address, path, || assert!(map.get(&1).is_some()));
    assert_eq!(
        (&done["state"], &done["map"]),
        (&"done".into(), &"asked/retained".into())
    );
    assert_eq!(get(address, "/debug/maps/asked/retained").status, 404);
    drop(agent);
}
