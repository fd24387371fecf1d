//! A map that leaks is found out, by a running agent and over HTTP, in a time of the test's own;
//! one that does not is left in peace.

mod common;

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{PATIENCE, get};
use heaplens::leaks::{Kind, State, Windows};
use heaplens::{Agent, TrackedHashMap, VerdictChange};
use serde_json::Value;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new()
    .sample_interval(4096)
    .max_overhead_ppm(0);

/// Time by beats of the agent: each of them is one tick of the windows after the last. A beat
/// waits until the test has done its part of the work.
struct Beats {
    begun: Receiver<usize>,
    go_on: SyncSender<()>,
}

/// What the agent has of it.
struct Far {
    beats: Vec<Instant>,
    begun: SyncSender<usize>,
    go_on: Receiver<()>,
}

impl Far {
    /// A moment as the number of beats that were before it.
    fn time(&mut self, moment: Instant) -> u32 {
        if self.beats.last().is_none_or(|last| moment > *last) {
            // Both fail when the test has seen enough: then time stands still.
            let is_on = self.begun.send(self.beats.len()).is_ok() && self.go_on.recv().is_ok();
            if is_on {
                self.beats.push(moment);
            }
        }
        self.beats.partition_point(|beat| *beat <= moment) as u32
    }
}

fn beats() -> (Beats, impl Fn(Instant) -> Duration + Send + Sync + 'static) {
    let (begun_there, begun) = sync_channel(0);
    let (go_on, go_on_there) = sync_channel(0);
    let far = Mutex::new(Far {
        beats: Vec::new(),
        begun: begun_there,
        go_on: go_on_there,
    });
    let tick = Windows::demo().tick();
    let clock = move |moment| tick * far.lock().unwrap().time(moment);
    (Beats { begun, go_on }, clock)
}

#[inline(never)]
fn keep_for_ever(map: &mut TrackedHashMap<u64, Vec<u8>>, next: &mut u64) {
    for _ in 0..100 {
        map.insert(*next, vec![7; 1000]);
        *next += 1;
    }
}

#[inline(never)]
fn keep_the_newest(map: &mut TrackedHashMap<u64, Vec<u8>>, next: &mut u64) {
    for _ in 0..100 {
        map.insert(*next, vec![7; 1000]);
        map.remove(&next.saturating_sub(2000));
        *next += 1;
    }
}

/// One test: verdicts are the process's.
#[test]
fn a_leak_is_found_and_named_and_nothing_else_is() {
    let (beats, clock) = beats();
    let changes: Arc<Mutex<Vec<VerdictChange>>> = Arc::default();
    let told = Arc::clone(&changes);
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .demo_windows(true)
        .what_if_drop(true)
        .history_beat(Duration::from_millis(1), Duration::from_secs(3600))
        .verdict_clock(clock)
        .on_verdict(move |change| {
            told.lock().unwrap().push(change.clone());
            assert!(change.to != State::Growing, "a panic on purpose");
        })
        .start()
        .unwrap();
    let address = agent.local_addr().unwrap();

    let mut leaking = TrackedHashMap::named("test/leaking");
    let mut rolling = TrackedHashMap::named("test/rolling");
    let (mut first, mut second) = (0, 0);
    let is_known = || {
        let changes = changes.lock().unwrap();
        let leaks = |kind| {
            let mut changes = changes.iter().filter(|of| of.kind == kind);
            changes.any(|of| of.to == State::Leak)
        };
        // The place has a series only since its name was found.
        leaks(Kind::Map) && leaks(Kind::Site)
    };
    let mut beat = 0;
    while !is_known() {
        beat = beats.begun.recv().unwrap();
        assert!(beat < 2000, "no leak within half an hour: {changes:#?}");
        keep_for_ever(&mut leaking, &mut first);
        keep_the_newest(&mut rolling, &mut second);
        beats.go_on.send(()).unwrap();
    }
    assert!(beat > 200, "a leak takes 204 s at least, not {beat}");
    drop(beats);

    check_changes(&changes.lock().unwrap());
    check_retained(address, || assert!(leaking.get(&0).is_some()));
    check_document(address);
    check_surfaces(address);
    drop((leaking, rolling, agent));
}

/// Those of the leaking map, in their order.
fn check_changes(changes: &[VerdictChange]) {
    let of_map: Vec<State> = changes
        .iter()
        .filter(|of| of.kind == Kind::Map && of.name == "test/leaking")
        .map(|of| of.to)
        .collect();
    assert_eq!(of_map.last(), Some(&State::Leak), "{changes:#?}");
    assert!(of_map.contains(&State::Suspect), "{changes:#?}");
    let others = changes.iter().filter(|of| of.to.is_flagged());
    let others = others.filter(|of| of.kind == Kind::Map && of.name != "test/leaking");
    assert_eq!(others.count(), 0, "{changes:#?}");
    for change in changes.iter().filter(|of| of.to.is_flagged()) {
        assert!(change.sentence.contains("has grown"), "{change:?}");
        assert!(change.suggestion.is_some(), "{change:?}");
    }
}

fn json(address: SocketAddr, target: &str) -> Value {
    let answer = get(address, target);
    assert_eq!(answer.status, 200, "{target}: {}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    serde_json::from_slice(&answer.body).unwrap()
}

fn find<'a>(list: &'a Value, name: &str) -> &'a Value {
    let list = list.as_array().unwrap();
    let found = list.iter().find(|of| of["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {list:#?}"))
}

fn check_document(address: SocketAddr) {
    let document = json(address, "/debug/leaks");
    assert_eq!(document["state"], "leak");
    assert_eq!(document["windows_seconds"][0], 72.0);
    let worst = &document["verdicts"][0];
    assert_eq!(worst["state"], "leak", "{document:#}");
    let map = find(&document["verdicts"], "test/leaking");
    assert_eq!(
        (&map["kind"], &map["state"]),
        (&"map".into(), &"leak".into())
    );
    // 100 entries a second, by the troughs of blocks of some seconds.
    let growth = map["growth"]["entries_per_minute"].as_f64().unwrap();
    assert!((growth - 6000.0).abs() < 60.0, "{growth}");
    assert!(map["growth"]["low"].as_f64() <= Some(growth));
    assert!(map["growth"]["high"].as_f64() >= Some(growth));
    let bytes = map["growth"]["bytes_per_minute"].as_f64().unwrap();
    assert!((5e6..9e6).contains(&bytes), "{bytes}");
    for moment in ["since", "state_since"] {
        assert!(map[moment].as_str().unwrap().ends_with('Z'), "{moment}");
    }
    let fill = &map["filled_from"][0];
    let site = fill["site"].as_str().unwrap();
    let expected = "keep_for_ever at tests/verdicts.rs:";
    assert!(site.starts_with(expected), "{map:#}");
    assert_eq!(
        (&fill["file"], &fill["basis"]),
        (&"tests/verdicts.rs".into(), &"held".into())
    );
    let each = fill["bytes_per_entry"].as_f64().unwrap();
    assert!((each - 1000.0).abs() < 150.0, "{each}");
    let sentence = map["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("`test/leaking` has grown by 6,000 entries/min"),
        "{sentence}"
    );
    assert!(
        sentence.contains("filled from `keep_for_ever` at"),
        "{sentence}"
    );
    check_evidence(map);
    let at_site = find(&document["verdicts"], site);
    assert_eq!(at_site["explained_by"], "test/leaking", "{at_site:#}");
    assert_eq!(at_site["state"], "leak", "{at_site:#}");
    assert_eq!(find(&document["verdicts"], "test/rolling")["state"], "ok");
}

/// A suspect is measured by itself, at its next use.
fn check_retained(address: SocketAddr, mut uses: impl FnMut()) {
    let begun = Instant::now();
    let retained = loop {
        uses();
        let document = json(address, "/debug/leaks");
        let map = find(&document["verdicts"], "test/leaking");
        if !map["retained"].is_null() {
            break map["retained"].clone();
        }
        assert!(begun.elapsed() < PATIENCE, "{map:#}");
    };
    // A vector of 1,000 bytes for each of 100 entries a second, for a minute and more.
    assert!(retained["bytes"].as_u64() > Some(6_000_000), "{retained:#}");
    assert!(retained["blocks"].as_u64() > Some(6_000), "{retained:#}");
    assert!(retained["taken_at"].as_str().unwrap().ends_with('Z'));
}

fn check_evidence(map: &Value) {
    let windows = map["evidence"].as_array().unwrap();
    let holding = windows.iter().find(|of| of["holds"] == true).unwrap();
    for gate in holding["gates"].as_array().unwrap() {
        assert_eq!(gate["passed"], true, "{gate:#}");
        assert!(gate["says"].as_str().is_some_and(|says| !says.is_empty()));
    }
    let trend = &holding["gates"][0];
    assert_eq!(trend["gate"], "trend");
    assert!(trend["value"].as_f64() >= trend["needed"].as_f64());
}

fn check_surfaces(address: SocketAddr) {
    let text = get(address, "/debug/leaks?format=text");
    assert_eq!(
        text.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert!(
        text.text().contains("\nLEAK map test/leaking, for "),
        "{}",
        text.text()
    );
    assert_eq!(get(address, "/debug/leaks?format=svg").status, 400);

    let metrics = get(address, "/metrics");
    for line in [
        "map_leak_verdict{map=\"test/leaking\",verdict=\"leak\"} 1",
        "map_leak_verdict{map=\"test/leaking\",verdict=\"ok\"} 0",
        "map_leak_verdict{map=\"test/rolling\",verdict=\"ok\"} 1",
    ] {
        assert!(metrics.text().contains(&format!("\n{line}\n")), "{line}");
    }
    let of_site = "heap_site_leak_verdict{site=\"keep_for_ever at tests/verdicts.rs:";
    assert!(metrics.text().contains(of_site), "{}", metrics.text());

    let plain = json(address, "/debug/history");
    assert_eq!(
        (&plain["maps"], &plain["sites"]),
        (&Value::Array(vec![]), &Value::Array(vec![]))
    );
    let history = json(address, "/debug/history?map=test/leaking&sites=5");
    let map = find(&history["maps"], "test/leaking");
    let column = |name: &str| -> Vec<u64> {
        let values = map[name].as_array().unwrap().iter();
        values.map(|of| of.as_u64().unwrap()).collect()
    };
    let times = column("times");
    assert!(times.len() >= 120 && times.is_sorted(), "{times:?}");
    for name in ["entries", "bytes", "inserts"] {
        let values = column(name);
        assert!(
            values.len() == times.len() && values.is_sorted(),
            "{name} {values:?}"
        );
    }
    assert!(column("removes").iter().all(|removes| *removes == 0));
    let sites = history["sites"].as_array().unwrap();
    let name = |of: &Value| of["name"].as_str().unwrap().to_owned();
    assert!(
        sites
            .iter()
            .any(|of| name(of).starts_with("keep_for_ever at ")),
        "{sites:#?}"
    );
    let changes = history["verdicts"].as_array().unwrap();
    let to: Vec<&Value> = changes
        .iter()
        .filter(|of| of["name"] == "test/leaking")
        .map(|of| &of["to"])
        .collect();
    assert_eq!(to.last(), Some(&&Value::from("leak")), "{changes:#?}");
    assert_eq!(get(address, "/debug/history?map=nosuch").status, 404);
    let all = json(address, "/debug/history?maps=all&points=3");
    assert_eq!(
        find(&all["maps"], "test/rolling")["times"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
}
