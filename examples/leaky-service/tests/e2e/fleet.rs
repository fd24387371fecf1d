//! Many replicas read as one, as docs/fleets.md says.

use std::fs;
use std::path::Path;

use crate::curl;
use crate::pprof::Fetched;
use crate::service::{Service, Setup, every};

/// Requests that each replica has had.
const REQUESTS: [u64; 3] = [4_000, 8_000, 16_000];
/// 128 bits and more, as the agent asks for.
const TOKEN: &str = "e2e-0d3c2b1a0f9e8d7c6b5a4f0c9d1b7a6e";
const HELD: &str = "-tagfocus=map=sessions";
const REST: &str = "-tagignore=map=sessions";
/// Estimates may be off by so many standard errors.
const SIGMAS: f64 = 4.0;

/// Replicas at rest that hold more and more.
fn replicas() -> [Service; 3] {
    REQUESTS.map(|requests| {
        let service = Service::start(&Setup {
            case: Some("sessions"),
            requests: Some(requests),
            environment: [every(64 << 10), vec![("HEAPLENS_TOKEN", TOKEN.to_owned())]].concat(),
            ..Setup::default()
        });
        service.wait_for_requests(&["sessions"], requests);
        service
    })
}

/// The heap of each, with the token as the tool can send it.
fn urls(replicas: &[Service; 3]) -> [String; 3] {
    replicas.each_ref().map(|replica| {
        let user = format!("http://pprof:{TOKEN}@");
        replica.at("/debug/pprof/heap").replace("http://", &user)
    })
}

fn saved(urls: &[String; 3]) -> [Fetched; 3] {
    urls.each_ref().map(|url| Fetched::from(url))
}

fn sum(saved: &[Fetched; 3], more: &[&str]) -> i64 {
    saved.iter().map(|profile| profile.total(more)).sum()
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn three_replicas_are_read_as_one() {
    let replicas = replicas();
    let urls = urls(&replicas);
    let before = saved(&urls);
    let merged = Fetched::merged(&urls);
    let after = saved(&urls);
    // The map is at rest, and its part is what the three hold. All else goes on
    // while the profiles are fetched.
    let held = sum(&before, &[HELD]);
    assert_eq!(held, sum(&after, &[HELD]));
    assert_eq!(merged.total(&[HELD]), held);
    let errors = before.iter().map(Fetched::standard_error);
    let error = errors.map(|error| error * error).sum::<f64>().sqrt();
    let true_bytes: u64 = replicas
        .iter()
        .map(|replica| replica.retained("sessions").map_bytes)
        .sum();
    println!("held {true_bytes} B by the services' own count, {held} ± {error:.0} B merged");
    assert!(
        (held as f64 - true_bytes as f64).abs() <= SIGMAS * error,
        "{held} ± {error}, not {true_bytes}"
    );
    // One function holds it, in all of them: not three.
    let top = merged.top(&[HELD]);
    let holders: Vec<_> = top
        .iter()
        .filter(|row| row.name.ends_with("sessions::create_session"))
        .collect();
    assert!(
        matches!(holders.as_slice(), [only] if only.cumulative as f64 > 0.9 * held as f64),
        "{top:#?}"
    );
}

#[test]
#[ignore = "needs go tool pprof: run scripts/test"]
fn saved_profiles_add_up_and_subtract() {
    let replicas = replicas();
    let saved = saved(&urls(&replicas));
    drop(replicas);
    let held = saved.each_ref().map(|profile| profile.total(&[HELD]));
    assert!(0 < held[0] && held[0] < held[2], "{held:?}");
    let files = saved.each_ref().map(|profile| &profile.file);
    let merged = Fetched::merged(&files);
    for more in [&[][..], &[HELD], &[REST]] {
        let parts = saved.each_ref().map(|profile| profile.total(more));
        println!("{more:?}: {parts:?}");
        assert_eq!(merged.total(more), parts.iter().sum::<i64>(), "{more:?}");
        // What the largest replica has more than the smallest.
        let base = format!("-base={}", files[0].display());
        let difference = saved[2].total(&[&[base.as_str()], more].concat());
        assert_eq!(difference, parts[2] - parts[0], "{more:?}");
    }
}

/// The arguments in the shipped Deployment are those of the program: with them, and with the
/// token, it answers; without the token it does not start.
#[test]
#[ignore = "end to end: run scripts/test"]
fn the_deployment_starts_as_it_is_written() {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dashboards/kubernetes/example.yaml");
    let text = fs::read_to_string(file).unwrap();
    let list = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("args: "));
    let arguments: Vec<String> = serde_json::from_str(list.unwrap()).unwrap();
    // On any free port, since these may be taken here.
    let any_port = |name: &str| {
        let told = arguments.iter().find_map(|word| word.strip_prefix(name));
        let (host, port) = told.unwrap().rsplit_once(':').unwrap();
        assert!(port.parse::<u16>().is_ok(), "{arguments:?}");
        format!("{host}:0")
    };
    assert_eq!(arguments.len(), 2, "{arguments:?}");
    let setup = |environment| Setup {
        rate: 0,
        listen: any_port("--listen="),
        service: any_port("--service="),
        environment,
        ..Setup::default()
    };
    let service = Service::start(&setup(vec![("HEAPLENS_TOKEN", TOKEN.to_owned())]));
    let health = service.at("/healthz");
    assert_eq!(curl::get(&health, &[]).status, 401);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    curl::get_ok(&health, &["--header", &bearer]);
    // Whether it lives and is ready is asked of the business API.
    let probes: Vec<&str> = text.split("httpGet:").skip(1).collect();
    assert_eq!(probes.len(), 2);
    for probe in probes {
        let path = probe.trim_start().strip_prefix("path: ");
        let path = path.and_then(|rest| rest.lines().next()).unwrap();
        let banner = service.process.log();
        let stats = banner
            .split_whitespace()
            .find_map(|word| word.strip_suffix("/stats"));
        curl::get_ok(&format!("{}{path}", stats.unwrap()), &[]);
    }
    let refused = crate::service::command(&setup(Vec::new()))
        .output()
        .unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("token"), "{said}");
}
