//! What the sessions retain: exact by the service's own count, and by the stacks that
//! allocated it for `go tool pprof`.

use serde_json::Value;

use crate::curl;
use crate::pprof::Fetched;
use crate::process::wait_for;
use crate::service::{Service, Setup, every};

const PATH: &str = "/debug/maps/sessions/retained";

/// Of a normal distribution 0.006 % is beyond four.
const SIGMAS: f64 = 4.0;

fn at_rest() -> Service {
    let mut environment = every(32 * 1024);
    environment.push(("HEAPLENS_WHAT_IF_DROP", "1".to_owned()));
    let service = Service::start(&Setup {
        case: Some("sessions"),
        requests: Some(60_000),
        environment,
        ..Setup::default()
    });
    service.wait_for_requests(&["sessions"], 60_000);
    service
}

/// Starts a measurement and uses the map, by asking the service for its own count, until
/// there is an answer.
fn measured(service: &Service) -> Value {
    let target = format!("{}?timeout=60s", service.at(PATH));
    let post = ["--request", "POST", "--header", "X-Heaplens: 1"];
    let started = curl::get(&target, &post);
    assert_eq!(started.status, 202, "{}", started.text());
    wait_for("an answer", || {
        service.retained("sessions");
        let now = curl::get_ok(&service.at(PATH), &[]).json();
        (now["state"] != "running").then_some(now)
    })
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn what_sessions_retain_is_exact_and_named() {
    let service = at_rest();
    let answer = measured(&service);
    assert_eq!(answer["state"], "done", "{answer:#}");
    assert_eq!(answer["is_lower_bound"], false, "{answer:#}");
    let held = service.retained("sessions");
    let exact = answer["bytes"].as_u64().unwrap();
    assert_eq!(exact, held.map_bytes, "{held:?}");

    let profile = Fetched::from(&service.at(&format!("{PATH}?format=pprof")));
    let raw = profile.report(&["-raw"]);
    assert!(
        raw.contains("retained_objects/count retained_space/bytes"),
        "{raw}"
    );
    let top = profile.report(&[
        "-top",
        "-cum",
        "-unit=B",
        "-nodecount=1000",
        "-nodefraction=0",
    ]);
    let cumulative = |name: &str| {
        let row = top.lines().find(|line| line.trim_end().ends_with(name));
        let row = row.unwrap_or_else(|| panic!("no {name} in\n{top}"));
        let bytes = row.split_whitespace().nth(3).unwrap();
        bytes.trim_end_matches('B').parse::<f64>().unwrap()
    };
    let total = cumulative("map=sessions");
    let comments = profile.report(&["-comments"]);
    let says = |before: &str| {
        let found = comments.lines().find_map(|line| line.strip_prefix(before));
        let found = found.and_then(|rest| rest.split(' ').next()?.parse::<f64>().ok());
        found.unwrap_or_else(|| panic!("no {before:?} in\n{comments}"))
    };
    let error = says("standard error of retained_space: ");
    let said = says("retained by map=sessions: exactly ");
    let z = (total - exact as f64) / error;
    println!("retained {exact} bytes, estimated {total:.0} ± {error:.0}: z = {z:+.2}");
    assert!((said - exact as f64).abs() < 0.5, "{comments}");
    assert!(error > 0.0 && error < 0.05 * total, "{comments}");
    assert!(z.abs() < SIGMAS, "{total} of {exact} ± {error}");

    // Where they are made, in the service's own source.
    let lines = profile.report(&[
        "-top",
        "-cum",
        "-lines",
        "-nodecount=1000",
        "-nodefraction=0",
    ]);
    assert!(lines.contains("cases/sessions.rs:"), "{lines}");
    let only = profile.report(&["-top", "-unit=B", "-tagfocus=map=sessions"]);
    let none_is_left_out = only.contains("100% of ");
    assert!(none_is_left_out, "{only}");
    // The service goes on, with what it had.
    assert_eq!(service.retained("sessions"), held);
}
