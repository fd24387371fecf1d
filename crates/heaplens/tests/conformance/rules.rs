//! What holds beyond single rows: of errors, of the index, of what the agent itself
//! allocates.

use std::collections::BTreeSet;

use super::check_headers;
use super::common::pprof::{decode, under};
use super::common::{self, agent, get, request};

/// pprof shows the reason of an error only if it is plain text with `X-Go-Pprof`.
#[test]
fn each_error_has_a_reason_that_pprof_shows() {
    let (agent, address) = agent();
    let plain = |method: &str, target: &str| request(address, method, target, "");
    let host = format!("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n{CLOSE}\r\n");
    let hosts =
        format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nHost: {address}\r\n{CLOSE}\r\n");
    let long = "POST /debug/pprof/symbol HTTP/1.1\r\nContent-Length: 1048577\r\n";
    let long = format!("{long}Host: {address}\r\n{CLOSE}\r\n");
    let errors = [
        (400, plain("GET", "/debug/pprof/heap?seconds=0")),
        (400, plain("GET", "/debug/heap?nosuch=1")),
        (400, plain("GET", "/debug/memstats?nosuch=1")),
        (400, common::send(address, hosts.as_bytes())),
        (403, common::send(address, host.as_bytes())),
        (404, plain("GET", "/debug/pprof/nosuch")),
        (404, plain("GET", "/nosuch")),
        (404, plain("GET", "/debug/maps/nosuch")),
        (405, plain("DELETE", "/debug/pprof/heap")),
        (413, common::send(address, long.as_bytes())),
        (501, plain("GET", "/debug/pprof/trace")),
    ];
    for (status, answer) in errors {
        let what = format!("{status}: {answer:?}");
        assert_eq!(answer.status, status, "{what}");
        let text = Some("text/plain; charset=utf-8");
        assert_eq!(answer.header("content-type"), text, "{what}");
        assert_eq!(answer.header("content-disposition"), None, "{what}");
        check_headers(&answer, &what);
    }
    drop(agent);
}

const CLOSE: &str = "Connection: close\r\n";

/// Rows as Go writes them: (count, target, name).
fn rows(page: &str) -> Vec<(u64, &str, &str)> {
    let rows = page.split("<tr><td>").skip(1);
    rows.map(|row| {
        let (count, rest) = row.split_once("</td><td><a href='").unwrap();
        let (target, rest) = rest.split_once("'>").unwrap();
        let (name, _) = rest.split_once("</a></td></tr>").unwrap();
        (count.parse().unwrap(), target, name)
    })
    .collect()
}

#[test]
fn the_index_lists_profiles_by_name_with_counts_and_descriptions() {
    let (agent, address) = agent();
    let held = std::hint::black_box(vec![1u8; 16 << 20]);
    let page = get(address, "/debug/pprof/");
    let page = page.text();
    let rows = rows(page);
    let mut expected = BTreeSet::from(["allocs", "cmdline", "delta_heap", "heap", "symbol"]);
    if cfg!(feature = "cpu-profile") {
        expected.insert("profile");
    }
    let names: Vec<&str> = rows.iter().map(|row| row.2).collect();
    assert_eq!(names, Vec::from_iter(expected), "sorted");
    let (_, descriptions) = page.split_once("Profile Descriptions:").unwrap();
    for (count, target, name) in rows {
        let is_profile = matches!(name, "allocs" | "delta_heap" | "heap");
        assert_eq!(count > 0, is_profile, "{name}: {count}");
        if matches!(name, "allocs" | "heap" | "cmdline" | "symbol") {
            assert_eq!(target, format!("{name}?debug=1"));
        }
        let described = format!("<li><div class=profile-name>{name}: </div> ");
        assert!(descriptions.contains(&described), "{name}");
    }
    for parameter in ["seconds=N", "inuse=last", "debug=1", "gc has no effect"] {
        assert!(descriptions.contains(parameter), "{parameter}");
    }
    drop((held, agent));
}

/// Every allocation is sampled, and none of them is the agent's.
#[test]
fn what_the_agent_allocates_is_not_in_the_profile() {
    let (agent, address) = agent();
    let set = heaplens::sample_interval();
    heaplens::set_sample_interval(1);
    let warm: Vec<u16> = ["heap", "allocs?debug=1", "delta_heap", "symbol?0x1"]
        .iter()
        .map(|path| get(address, &format!("/debug/pprof/{path}")).status)
        .collect();
    let profile = decode(&get(address, "/debug/pprof/allocs").body);
    heaplens::set_sample_interval(set);
    assert_eq!(warm, [200; 4]);
    // The client's end, on this thread, is.
    assert!(under(&profile, "what_the_agent_allocates", 1) > 0);
    for part in [
        "server::Server::converse",
        "server::Server::answer",
        "routes::dispatch",
        "work::Work::take_turn",
        "handlers::",
    ] {
        let bytes = under(&profile, &format!("heaplens::{part}"), 1);
        assert_eq!(bytes, 0, "{part}");
    }
    drop(agent);
}
