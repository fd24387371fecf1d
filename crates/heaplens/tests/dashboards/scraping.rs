//! Each request of each configuration is answered as the tool wants it.

use std::net::SocketAddr;
use std::process::Command;

use heaplens::Agent;

use crate::common::{Response, agent, request};
use crate::shipped;
use crate::shipped::scrape::{Kind, Scrape};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn closed() -> (Agent, SocketAddr) {
    let builder = Agent::builder().listen("127.0.0.1:0").token(TOKEN);
    let agent = builder.start().unwrap();
    let address = agent.local_addr().unwrap();
    (agent, address)
}

/// What the tool says it accepts.
fn accept(kind: Kind) -> &'static str {
    match kind {
        Kind::Metrics => {
            "Accept: application/openmetrics-text;version=1.0.0;q=0.5,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n"
        }
        Kind::Profile => "Accept-Encoding: gzip\r\n",
        Kind::Probe => "Accept: */*\r\n",
    }
}

fn is_as_wanted(scrape: &Scrape, answer: &Response) {
    let place = &scrape.place;
    assert_eq!(answer.status, 200, "{place}: {answer:?}");
    let content_type = answer.header("content-type").unwrap();
    match scrape.kind {
        Kind::Metrics => {
            let begin = "application/openmetrics-text; version=1.0.0";
            assert!(content_type.starts_with(begin), "{place}: {content_type}");
            assert!(answer.text().ends_with("# EOF\n"), "{place}");
        }
        Kind::Profile => {
            // Alloy and Parca refuse any other type, and an empty body.
            assert_eq!(content_type, "application/octet-stream", "{place}");
            assert_eq!(answer.header("content-encoding"), None, "{place}");
            assert_eq!(answer.body[..2], [0x1f, 0x8b], "{place}");
        }
        Kind::Probe => assert_eq!(content_type, "application/json", "{place}"),
    }
}

#[test]
fn each_request_is_answered() {
    let (open_agent, open) = agent();
    let (closed_agent, closed) = closed();
    let scrapes = shipped::scrapes();
    for scrape in &scrapes {
        let headers = accept(scrape.kind);
        let target = scrape.target();
        if scrape.authorized {
            let shown = format!("{headers}Authorization: Bearer {TOKEN}\r\n");
            is_as_wanted(scrape, &request(closed, "GET", &target, &shown));
        } else {
            is_as_wanted(scrape, &request(open, "GET", &target, headers));
            // As a control: the other agent does ask.
            assert_eq!(request(closed, "GET", &target, headers).status, 401);
        }
    }
    for authorized in [false, true] {
        for kind in [Kind::Metrics, Kind::Profile] {
            let is_there =
                |scrape: &&Scrape| (scrape.authorized, scrape.kind) == (authorized, kind);
            let count = scrapes.iter().filter(is_there).count();
            assert!(scrapes.is_empty() || count >= 2, "{kind:?} {authorized}");
        }
    }
    drop((open_agent, closed_agent));
}

/// Those that the configurations switch off would fail; that of the CPU if the program
/// is built without it.
#[test]
fn what_is_switched_off_would_fail() {
    let (agent, address) = agent();
    for default in shipped::alloy::PROFILES
        .iter()
        .chain(&shipped::parca::PROFILES)
    {
        let (expected, query) = match default.name {
            "memory" | "godeltaprof_memory" => (200, ""),
            "process_cpu" if cfg!(feature = "cpu-profile") => (200, "?seconds=1"),
            "process_cpu" => (501, ""),
            _ => (404, ""),
        };
        let target = format!("{}{query}", default.path);
        let answer = request(address, "GET", &target, "");
        assert_eq!(answer.status, expected, "{}: {answer:?}", default.path);
    }
    drop(agent);
}

/// Run by `scripts/test`, which sets `HEAPLENS_PROMTOOL`: that of Prometheus 3, since Debian's
/// Prometheus 2 has no discovery in Kubernetes.
#[test]
fn promtool_reads_the_job_for_annotations() {
    let name = "dashboards/kubernetes/prometheus-annotations.yml";
    let (Some(promtool), Some(file)) = (std::env::var_os("HEAPLENS_PROMTOOL"), shipped::path(name))
    else {
        eprintln!("not checked: HEAPLENS_PROMTOOL is not set");
        return;
    };
    // The token is not here, hence the syntax alone.
    let output = Command::new(promtool)
        .args(["check", "config", "--syntax-only"])
        .arg(file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{output:?}");
    assert!(said.contains("SUCCESS"), "{said}");
}
