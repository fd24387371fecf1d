//! The contract of Go's `net/http/pprof`, over real sockets: its observed behaviour
//! row by row, and what holds for all answers, for the index and for symbols.

mod common;

#[path = "conformance/rows.rs"]
mod rows;
#[path = "conformance/rules.rs"]
mod rules;

use common::{Response, agent, get, post};

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

enum Body {
    /// A gzip file without a time stamp.
    Gzip,
    Is(&'static str),
    Has(&'static str),
    Empty,
}

const OCTET: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const BAD_SECONDS: &str = "invalid value for \"seconds\" - must be a positive integer\n";
const UNKNOWN: &str = "Unknown profile\n";

fn check_body(answer: &Response, body: &Body, what: &str) {
    match body {
        Body::Gzip => {
            assert_eq!(answer.body[..2], [0x1f, 0x8b], "{what}");
            assert_eq!(answer.body[4..8], [0; 4], "MTIME, {what}");
        }
        Body::Is(text) => assert_eq!(answer.text(), *text, "{what}"),
        Body::Has(part) => assert!(answer.text().contains(part), "{what}"),
        Body::Empty => assert!(answer.body.is_empty(), "{what}"),
    }
}

/// What holds for every answer.
fn check_headers(answer: &Response, what: &str) {
    assert_eq!(
        answer.header("x-content-type-options"),
        Some("nosniff"),
        "{what}"
    );
    assert_eq!(answer.header("content-encoding"), None, "{what}");
    assert_eq!(answer.header("access-control-allow-origin"), None, "{what}");
    let is_error = answer.status >= 400;
    assert_eq!(
        answer.header("x-go-pprof"),
        is_error.then_some("1"),
        "{what}"
    );
    if is_error && !answer.body.is_empty() {
        let text = answer.text();
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{what}");
    }
}

#[test]
fn every_link_of_the_pages_answers() {
    let (agent, address) = agent();
    // There is a peak as soon as there is something to hold.
    let held = std::hint::black_box(vec![1u8; 32 << 20]);
    let begun = std::time::Instant::now();
    while !common::answers(address, "/debug/heap/peak", 200) {
        assert!(begun.elapsed() < common::PATIENCE);
    }
    for page in ["/", "/debug/", "/debug/pprof/"] {
        let answer = get(address, page);
        let quoted = answer.text().replace('\'', "\"");
        let links: Vec<&str> = quoted
            .split("href=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .filter(|link| !link.starts_with('#'))
            .collect();
        assert!(links.len() >= 5, "{page}: {links:?}");
        for link in links {
            let target = resolved(page, link);
            assert_eq!(get(address, &target).status, 200, "{page}: {target}");
        }
    }
    drop((held, agent));
}

/// A link of a page, a directory, as a browser follows it.
fn resolved(page: &str, link: &str) -> String {
    if link.starts_with('/') {
        return link.to_owned();
    }
    let (path, query) = link.split_at(link.find('?').unwrap_or(link.len()));
    let mut segments: Vec<&str> = page.trim_end_matches('/').split('/').collect();
    for segment in path.split('/') {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    format!("{}{query}", segments.join("/"))
}

#[test]
fn symbols_by_get_and_by_post() {
    let (agent, address) = agent();
    let here = symbols_by_get_and_by_post as fn() as usize;
    let query = format!("0x{here:x}+0x1");
    let answers = [
        get(address, &format!("/debug/pprof/symbol?{query}")),
        post(address, "/debug/pprof/symbol", query.as_bytes()),
        // Where pprof asks for what it got from /debug/heap.
        post(address, "/debug/symbolz", query.as_bytes()),
    ];
    for answer in answers {
        assert_eq!(answer.status, 200);
        let mut lines = answer.text().lines();
        assert_eq!(lines.next(), Some("num_symbols: 1"));
        let (number, name) = lines.next().unwrap().split_once(' ').unwrap();
        assert_eq!(number, format!("{here:#x}"));
        assert!(name.contains("symbols_by_get_and_by_post"), "{name}");
        assert!(name.starts_with('_'), "mangled: {name}");
        assert_eq!(lines.next(), None);
        assert!(answer.text().ends_with('\n'));
    }
    let head = post(address, "/debug/pprof/symbol", b"");
    assert_eq!(head.text(), "num_symbols: 1\n");
    drop(agent);
}

#[test]
fn a_symbol_request_is_bounded() {
    let (agent, address) = agent();
    // 70 000 addresses, as a large profile has them; none resolves.
    let long = "0x1+".repeat(70_000);
    let answer = post(address, "/debug/pprof/symbol", long.as_bytes());
    assert_eq!(answer.text(), "num_symbols: 1\n");
    // Longer than 1 MiB by its own word: refused before it is sent.
    let head = format!("POST /debug/pprof/symbol HTTP/1.1\r\nHost: {address}\r\n");
    let by_length = format!("{head}Content-Length: 1048577\r\n\r\n");
    assert_eq!(common::send(address, by_length.as_bytes()).status, 413);
    // Longer as it comes.
    let chunk = format!("10000\r\n{}\r\n", "0x1+".repeat(16 * 1024));
    let by_chunks = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{}1\r\n+",
        chunk.repeat(16)
    );
    assert_eq!(common::send(address, by_chunks.as_bytes()).status, 413);
    drop(agent);
}

#[test]
fn own_paths_are_strict() {
    let (agent, address) = agent();
    let cases = [
        ("/debug/heap", 200, OCTET),
        ("/debug/heap?format=pprof", 200, OCTET),
        ("/debug/heap?format=text", 200, TEXT),
        ("/debug/heap?debug=1", 200, TEXT),
        ("/debug/heap?debug=abc", 400, TEXT),
        ("/debug/heap?foo=bar", 400, TEXT),
        ("/debug/heap?format=xml", 400, TEXT),
        ("/debug/heap?seconds=0", 400, TEXT),
        ("/debug/heap?inuse=last", 400, TEXT),
        ("/debug/heap?seconds=1&inuse=last", 200, OCTET),
        ("/debug/heap/peak?seconds=1", 400, TEXT),
        ("/debug/heap/peak?foo=bar", 400, TEXT),
        ("/debug/leaks", 200, "application/json"),
        ("/debug/leaks?format=text", 200, TEXT),
        ("/debug/leaks?format=svg", 400, TEXT),
        ("/debug/leaks?map=x", 400, TEXT),
        ("/debug/memstats", 200, "application/json"),
        ("/debug/memstats?x=1", 400, TEXT),
        ("/healthz", 200, "application/json"),
    ];
    for (target, status, content_type) in cases {
        let answer = get(address, target);
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some(content_type),
            "{target}"
        );
        check_headers(&answer, target);
    }
    let known = get(address, "/debug/heap?foo=bar");
    assert!(
        known
            .text()
            .contains("known are format, debug, type, focus")
    );
    drop(agent);
}

#[test]
fn arguments_are_not_told() {
    let (agent, address) = agent();
    let told = get(address, "/debug/pprof/cmdline");
    let name = told.text().split('\0').next().unwrap();
    assert!(name.starts_with("conformance"), "{told:?}");
    drop(agent);

    let open = heaplens::Agent::builder()
        .listen("127.0.0.1:0")
        .expose_cmdline(true)
        .start()
        .unwrap();
    let told = get(open.local_addr().unwrap(), "/debug/pprof/cmdline");
    let words: Vec<String> = std::env::args().collect();
    assert_eq!(told.text(), words.join("\0"));
    drop(open);
}
