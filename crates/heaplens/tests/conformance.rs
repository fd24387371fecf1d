//! The contract of Go's `net/http/pprof`, row by row, over real sockets.

mod common;

use common::{Response, agent, get, post, request};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

enum Body {
    /// A gzip file without a time stamp.
    Gzip,
    Is(&'static str),
    Has(&'static str),
    Empty,
}

use Body::{Empty, Gzip, Has, Is};

const OCTET: &str = "application/octet-stream";
const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// A row of Go's observed behaviour: number, request, status, type, file name, body.
type Row = (
    u8,
    &'static str,
    &'static str,
    u16,
    &'static str,
    Option<&'static str>,
    Body,
);

const BAD_SECONDS: &str = "invalid value for \"seconds\" - must be a positive integer\n";
const UNKNOWN: &str = "Unknown profile\n";
const HEAP: Option<&str> = Some("heap");

#[rustfmt::skip]
const ROWS: &[Row] = &[
    (1, "GET", "/debug/pprof", 307, HTML, None, Has("<a href=\"/debug/pprof/\">")),
    (2, "GET", "/debug/pprof/", 200, HTML, None, Has("Types of profiles available:")),
    (3, "GET", "/debug/pprof/heap", 200, OCTET, HEAP, Gzip),
    (4, "GET", "/debug/pprof/allocs", 200, OCTET, Some("allocs"), Gzip),
    (6, "GET", "/debug/pprof/heap?gc=1", 200, OCTET, HEAP, Gzip),
    (6, "GET", "/debug/pprof/heap?gc=abc", 200, OCTET, HEAP, Gzip),
    (7, "GET", "/debug/pprof/heap?debug=1", 200, TEXT, None, Has("# runtime.MemStats")),
    (7, "GET", "/debug/pprof/heap?debug=2", 200, TEXT, None, Has("heap profile: ")),
    (7, "GET", "/debug/pprof/heap?debug=-1", 200, TEXT, None, Has("heap profile: ")),
    (7, "GET", "/debug/pprof/allocs?debug=%2B1", 200, TEXT, None, Has(" @ heap/")),
    (8, "GET", "/debug/pprof/heap?debug=", 200, OCTET, HEAP, Gzip),
    (8, "GET", "/debug/pprof/heap?debug=abc", 200, OCTET, HEAP, Gzip),
    (8, "GET", "/debug/pprof/heap?debug=1.5", 200, OCTET, HEAP, Gzip),
    (8, "GET", "/debug/pprof/heap?debug=0x1", 200, OCTET, HEAP, Gzip),
    (9, "GET", "/debug/pprof/heap?debug=0&debug=1", 200, OCTET, HEAP, Gzip),
    (10, "GET", "/debug/pprof/heap?foo=bar", 200, OCTET, HEAP, Gzip),
    (11, "GET", "/debug/pprof/heap?seconds=1;debug=1", 200, OCTET, HEAP, Gzip),
    (12, "GET", "/debug/pprof/heap?seconds=%2B1&gc=1&debug=0", 200, OCTET, Some("heap-delta"), Gzip),
    (13, "GET", "/debug/pprof/allocs?seconds=01", 200, OCTET, Some("allocs-delta"), Gzip),
    (14, "GET", "/debug/pprof/heap?seconds=", 200, OCTET, HEAP, Gzip),
    (15, "GET", "/debug/pprof/heap?seconds=0", 400, TEXT, None, Is(BAD_SECONDS)),
    (15, "GET", "/debug/pprof/heap?seconds=-5", 400, TEXT, None, Is(BAD_SECONDS)),
    (15, "GET", "/debug/pprof/heap?seconds=abc", 400, TEXT, None, Is(BAD_SECONDS)),
    (15, "GET", "/debug/pprof/heap?seconds=1.5", 400, TEXT, None, Is(BAD_SECONDS)),
    (15, "GET", "/debug/pprof/allocs?seconds=9223372036854775808", 400, TEXT, None, Is(BAD_SECONDS)),
    (15, "GET", "/debug/pprof/heap?seconds=301", 400, TEXT, None, Has("at most 300")),
    (16, "GET", "/debug/pprof/heap?seconds=0&debug=1", 400, TEXT, None, Is(BAD_SECONDS)),
    (16, "GET", "/debug/pprof/heap?seconds=x&debug=1", 400, TEXT, None, Is(BAD_SECONDS)),
    (17, "GET", "/debug/pprof/heap?seconds=1&debug=1", 400, TEXT, None, Is("seconds and debug params are incompatible\n")),
    (19, "GET", "/debug/pprof/nosuch", 404, TEXT, None, Is(UNKNOWN)),
    (19, "GET", "/debug/pprof/HEAP", 404, TEXT, None, Is(UNKNOWN)),
    (19, "GET", "/debug/pprof/heap/", 404, TEXT, None, Is(UNKNOWN)),
    (19, "GET", "/debug/pprof/cmdline/", 404, TEXT, None, Is(UNKNOWN)),
    (19, "GET", "/debug/pprof/nosuch?seconds=1", 404, TEXT, None, Is(UNKNOWN)),
    (19, "GET", "/debug/pprof/nosuch?debug=1", 404, TEXT, None, Is(UNKNOWN)),
    (20, "GET", "/debug/pprof/%3Cscript%3Ex", 404, TEXT, None, Is(UNKNOWN)),
    (21, "GET", "/debug/pprof//heap", 307, HTML, None, Has("/debug/pprof/heap")),
    (21, "GET", "/debug//pprof/heap?debug=1", 307, HTML, None, Has("/debug/pprof/heap?debug=1")),
    (21, "GET", "/debug/pprof/../pprof/heap", 307, HTML, None, Has("/debug/pprof/heap")),
    #[cfg(not(feature = "cpu-profile"))]
    (22, "GET", "/debug/pprof/profile?seconds=1", 501, TEXT, None, Has("CPU profiles are not taken")),
    (22, "GET", "/debug/pprof/trace", 501, TEXT, None, Has("not taken")),
    (25, "GET", "/debug/pprof/cmdline", 200, TEXT, None, Has("conformance")),
    (26, "GET", "/debug/pprof/symbol", 200, TEXT, None, Is("num_symbols: 1\n")),
    (26, "GET", "/debug/pprof/symbol?zzz", 200, TEXT, None, Is("num_symbols: 1\n")),
    (26, "GET", "/debug/pprof/symbol?0x1+0x2", 200, TEXT, None, Is("num_symbols: 1\n")),
    (28, "HEAD", "/debug/pprof/heap", 200, OCTET, HEAP, Empty),
    (28, "HEAD", "/debug/pprof/allocs", 200, OCTET, Some("allocs"), Empty),
    (28, "HEAD", "/debug/pprof/", 200, HTML, None, Empty),
    (28, "HEAD", "/debug/pprof/heap?debug=1", 200, TEXT, None, Empty),
    (29, "HEAD", "/debug/pprof/nosuch", 404, TEXT, None, Empty),
    (30, "GET", "/nosuch", 404, TEXT, None, Has("404 page not found")),
    (30, "GET", "/debug/nosuch", 404, TEXT, None, Has("404 page not found")),
];

#[test]
fn rows() {
    let (agent, address) = agent();
    for (row, method, target, status, content_type, file, body) in ROWS {
        let answer = request(address, method, target, "");
        let what = format!("row {row}: {method} {target}: {answer:?}");
        assert_eq!(answer.status, *status, "{what}");
        assert_eq!(answer.header("content-type"), Some(*content_type), "{what}");
        let disposition = file.map(|name| format!("attachment; filename=\"{name}\""));
        assert_eq!(
            answer.header("content-disposition"),
            disposition.as_deref(),
            "{what}"
        );
        check_body(&answer, body, &what);
        check_headers(&answer, &what);
    }
    drop(agent);
}

fn check_body(answer: &Response, body: &Body, what: &str) {
    match body {
        Gzip => {
            assert_eq!(answer.body[..2], [0x1f, 0x8b], "{what}");
            assert_eq!(answer.body[4..8], [0; 4], "MTIME, {what}");
        }
        Is(text) => assert_eq!(answer.text(), *text, "{what}"),
        Has(part) => assert!(answer.text().contains(part), "{what}"),
        Empty => assert!(answer.body.is_empty(), "{what}"),
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
fn row_1_and_21_locations() {
    let (agent, address) = agent();
    let cases = [
        ("/debug/pprof", "/debug/pprof/"),
        ("/debug/pprof?debug=1", "/debug/pprof/?debug=1"),
        ("/debug//pprof/", "/debug/pprof/"),
        ("/debug/pprof/../pprof/heap", "/debug/pprof/heap"),
        ("//debug/pprof/heap", "/debug/pprof/heap"),
    ];
    for (target, location) in cases {
        let answer = get(address, target);
        assert_eq!(answer.header("location"), Some(location), "{target}");
    }
    for target in [
        "//evil.example/",
        "//evil.example/..",
        "/\\evil.example/debug/..",
    ] {
        let answer = get(address, target);
        assert_eq!(answer.header("location"), None, "{target}");
    }
    drop(agent);
}

#[test]
fn row_5_a_profile_is_never_content_encoded() {
    let (agent, address) = agent();
    let answer = request(
        address,
        "GET",
        "/debug/pprof/heap",
        "Accept-Encoding: gzip\r\n",
    );
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.header("cache-control"), None);
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    drop(agent);
}

#[test]
fn row_27_methods() {
    let (agent, address) = agent();
    for path in [
        "/debug/pprof/heap",
        "/debug/pprof/",
        "/nosuch",
        "/metrics",
        "/debug/heap",
        "/",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUUX"] {
            let answer = request(address, method, path, "Content-Length: 0\r\n");
            assert_eq!(answer.status, 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method} {path}");
            assert_eq!(answer.text(), "Method Not Allowed\n");
            // Unlike Go's, so that pprof shows the reason.
            assert_eq!(answer.header("x-go-pprof"), Some("1"));
        }
    }
    let answer = request(
        address,
        "PUT",
        "/debug/pprof/symbol",
        "Content-Length: 0\r\n",
    );
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
    drop(agent);
}

#[test]
fn row_29_the_length_of_a_body_that_is_not_sent() {
    let (agent, address) = agent();
    let answer = request(address, "HEAD", "/debug/pprof/nosuch", "");
    assert_eq!(answer.header("content-length"), Some("16"));
    drop(agent);
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
            .collect();
        assert!(links.len() >= 4, "{page}: {links:?}");
        for link in links {
            let target = if link.starts_with('/') {
                link.to_owned()
            } else {
                format!("{page}{link}")
            };
            assert_eq!(get(address, &target).status, 200, "{page}: {target}");
        }
    }
    drop((held, agent));
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
        ("/debug/heap?format=svg", 400, TEXT),
        ("/debug/heap?seconds=0", 400, TEXT),
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
            .contains("known are format, debug, seconds, inuse, map")
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
