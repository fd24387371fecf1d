//! Go's behaviour as it was observed (1.27), one test a row. `design` marks where
//! this agent means to differ, and why:
//!
//! * Rows 7, 8 and 9 hold for `/debug/pprof/` alone; `/debug/heap` is strict.
//! * Row 15: `seconds` ends at 300, beyond which the limit is named.
//! * Row 18: Go's profiles all have deltas; `delta_heap` is the one here that takes
//!   no `seconds`.
//! * Rows 22 to 24 need the feature `cpu-profile`; without it the path is 501.
//! * Row 25: arguments are redacted unless the program shows them.
//! * Row 27: `symbol` takes POST, since `go tool pprof` prints no report without;
//!   405 carries `X-Go-Pprof`, so that it shows the reason.
//! * Row 30: `/` is the page of all paths; what is outside the prefix and unknown
//!   is the mux's 404.

use super::common::{self, agent, get, request};
use super::{BAD_SECONDS, Body, HTML, OCTET, TEXT, UNKNOWN, check_body, check_headers};
use Body::{Empty, Gzip, Has, Is};

/// Method, target, status, type, file name, body.
type Case = (
    &'static str,
    &'static str,
    u16,
    &'static str,
    Option<&'static str>,
    Body,
);

const HEAP: Option<&str> = Some("heap");
const ALLOCS: Option<&str> = Some("allocs");

fn check(cases: &[Case]) {
    let (agent, address) = agent();
    for (method, target, status, content_type, file, body) in cases {
        let answer = request(address, method, target, "");
        let what = format!("{method} {target}: {answer:?}");
        assert_eq!(answer.status, *status, "{what}");
        assert_eq!(answer.header("content-type"), Some(*content_type), "{what}");
        let disposition = file.map(|name| format!("attachment; filename=\"{name}\""));
        let found = answer.header("content-disposition");
        assert_eq!(found, disposition.as_deref(), "{what}");
        check_body(&answer, body, &what);
        check_headers(&answer, &what);
    }
    drop(agent);
}

macro_rules! rows {
    ($($(#[$attribute:meta])* $name:ident: [$($case:expr),+ $(,)?])+) => {
        $(
            $(#[$attribute])*
            #[test]
            fn $name() {
                check(&[$($case),+]);
            }
        )+
    };
}

#[rustfmt::skip]
mod table {
    use super::*;

    rows! {
        row_01_the_bare_path_leads_to_the_index: [
            ("GET", "/debug/pprof", 307, HTML, None, Has("<a href=\"/debug/pprof/\">")),
        ]
        row_02_the_index: [
            ("GET", "/debug/pprof/", 200, HTML, None, Has("Types of profiles available:")),
        ]
        row_03_heap: [("GET", "/debug/pprof/heap", 200, OCTET, HEAP, Gzip)]
        row_04_allocs: [("GET", "/debug/pprof/allocs", 200, OCTET, ALLOCS, Gzip)]
        row_06_gc: [
            ("GET", "/debug/pprof/heap?gc=1", 200, OCTET, HEAP, Gzip),
            ("GET", "/debug/pprof/heap?gc=-1", 200, OCTET, HEAP, Gzip),
            ("GET", "/debug/pprof/heap?gc=abc", 200, OCTET, HEAP, Gzip),
        ]
        row_07_debug_is_text: [
            ("GET", "/debug/pprof/heap?debug=1", 200, TEXT, None, Has("# runtime.MemStats")),
            ("GET", "/debug/pprof/heap?debug=2", 200, TEXT, None, Has("heap profile: ")),
            ("GET", "/debug/pprof/heap?debug=-1", 200, TEXT, None, Has("heap profile: ")),
            ("GET", "/debug/pprof/heap?debug=%2B1", 200, TEXT, None, Has(" @ heap/")),
            ("GET", "/debug/pprof/allocs?debug=1", 200, TEXT, None, Has(" @ heap/")),
        ]
        row_08_debug_that_is_no_number_is_binary: [
            ("GET", "/debug/pprof/heap?debug=", 200, OCTET, HEAP, Gzip),
            ("GET", "/debug/pprof/heap?debug=abc", 200, OCTET, HEAP, Gzip),
            ("GET", "/debug/pprof/heap?debug=1.5", 200, OCTET, HEAP, Gzip),
            ("GET", "/debug/pprof/heap?debug=0x1", 200, OCTET, HEAP, Gzip),
        ]
        row_09_the_first_of_two_values_counts: [
            ("GET", "/debug/pprof/heap?debug=0&debug=1", 200, OCTET, HEAP, Gzip),
            ("GET", "/debug/pprof/heap?debug=1&debug=0", 200, TEXT, None, Has("heap profile: ")),
        ]
        row_10_unknown_keys_are_ignored: [
            ("GET", "/debug/pprof/heap?foo=bar", 200, OCTET, HEAP, Gzip),
        ]
        row_11_a_query_with_a_semicolon_is_dropped: [
            ("GET", "/debug/pprof/heap?seconds=1;debug=1", 200, OCTET, HEAP, Gzip),
        ]
        row_12_a_delta_of_the_heap: [
            ("GET", "/debug/pprof/heap?seconds=1", 200, OCTET, Some("heap-delta"), Gzip),
            ("GET", "/debug/pprof/heap?seconds=01", 200, OCTET, Some("heap-delta"), Gzip),
            ("GET", "/debug/pprof/heap?seconds=%2B1&gc=1&debug=0", 200, OCTET, Some("heap-delta"), Gzip),
            ("GET", "/debug/pprof/heap?seconds=1&inuse=last", 200, OCTET, Some("heap-delta"), Gzip),
        ]
        row_13_a_delta_of_allocs: [
            ("GET", "/debug/pprof/allocs?seconds=1", 200, OCTET, Some("allocs-delta"), Gzip),
        ]
        row_14_seconds_without_a_value: [
            ("GET", "/debug/pprof/heap?seconds=", 200, OCTET, HEAP, Gzip),
        ]
        row_15_seconds_that_are_no_positive_number: [
            ("GET", "/debug/pprof/heap?seconds=0", 400, TEXT, None, Is(BAD_SECONDS)),
            ("GET", "/debug/pprof/heap?seconds=-5", 400, TEXT, None, Is(BAD_SECONDS)),
            ("GET", "/debug/pprof/heap?seconds=abc", 400, TEXT, None, Is(BAD_SECONDS)),
            ("GET", "/debug/pprof/heap?seconds=1.5", 400, TEXT, None, Is(BAD_SECONDS)),
            ("GET", "/debug/pprof/allocs?seconds=9223372036854775808", 400, TEXT, None, Is(BAD_SECONDS)),
            ("GET", "/debug/pprof/heap?seconds=301", 400, TEXT, None, Has("at most 300")),
        ]
        row_16_seconds_are_checked_before_debug: [
            ("GET", "/debug/pprof/heap?seconds=0&debug=1", 400, TEXT, None, Is(BAD_SECONDS)),
            ("GET", "/debug/pprof/heap?seconds=x&debug=1", 400, TEXT, None, Is(BAD_SECONDS)),
        ]
        row_17_no_delta_as_text: [
            ("GET", "/debug/pprof/heap?seconds=1&debug=1", 400, TEXT, None,
                Is("seconds and debug params are incompatible\n")),
        ]
        row_18_seconds_where_there_is_no_delta: [
            ("GET", "/debug/pprof/delta_heap?seconds=1", 400, TEXT, None,
                Is("\"seconds\" parameter is not supported for this profile type\n")),
            ("GET", "/debug/pprof/delta_heap?seconds=1&debug=1", 400, TEXT, None, Has("not supported")),
            ("GET", "/debug/pprof/delta_heap?seconds=0", 400, TEXT, None, Is(BAD_SECONDS)),
            ("GET", "/debug/pprof/delta_heap", 200, OCTET, Some("delta_heap"), Gzip),
        ]
        row_19_unknown_profiles: [
            ("GET", "/debug/pprof/nosuch", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/HEAP", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/heap/", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/cmdline/", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/goroutine", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/goroutineleak", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/threadcreate", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/block", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/mutex", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/nosuch?seconds=1", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/nosuch?seconds=0", 404, TEXT, None, Is(UNKNOWN)),
            ("GET", "/debug/pprof/nosuch?debug=1", 404, TEXT, None, Is(UNKNOWN)),
        ]
        row_20_a_name_is_not_echoed: [
            ("GET", "/debug/pprof/%3Cscript%3Ex", 404, TEXT, None, Is(UNKNOWN)),
        ]
        row_21_unclean_paths: [
            ("GET", "/debug/pprof//heap", 307, HTML, None, Has("/debug/pprof/heap")),
            ("GET", "/debug//pprof/heap?debug=1", 307, HTML, None, Has("/debug/pprof/heap?debug=1")),
            ("GET", "/debug/pprof/../pprof/heap", 307, HTML, None, Has("/debug/pprof/heap")),
        ]
        #[cfg(feature = "cpu-profile")]
        row_22_a_cpu_profile: [
            ("GET", "/debug/pprof/profile?seconds=301", 400, TEXT, None, Has("at most 300")),
            ("GET", "/debug/pprof/trace", 501, TEXT, None, Has("not taken")),
        ]
        #[cfg(not(feature = "cpu-profile"))]
        row_22_no_cpu_profile: [
            ("GET", "/debug/pprof/profile?seconds=1", 501, TEXT, None, Has("the feature cpu-profile of")),
            ("GET", "/debug/pprof/profile", 501, TEXT, None, Has("CPU profiles are not taken")),
            ("GET", "/debug/pprof/trace", 501, TEXT, None, Has("not taken")),
        ]
        row_25_cmdline: [
            ("GET", "/debug/pprof/cmdline", 200, TEXT, None, Has("conformance")),
        ]
        row_26_symbols: [
            ("GET", "/debug/pprof/symbol", 200, TEXT, None, Is("num_symbols: 1\n")),
            ("GET", "/debug/pprof/symbol?zzz", 200, TEXT, None, Is("num_symbols: 1\n")),
            ("GET", "/debug/pprof/symbol?0x1+0x2", 200, TEXT, None, Is("num_symbols: 1\n")),
        ]
        row_28_head: [
            ("HEAD", "/debug/pprof/heap", 200, OCTET, HEAP, Empty),
            ("HEAD", "/debug/pprof/allocs", 200, OCTET, ALLOCS, Empty),
            ("HEAD", "/debug/pprof/", 200, HTML, None, Empty),
            ("HEAD", "/debug/pprof/heap?debug=1", 200, TEXT, None, Empty),
            ("HEAD", "/debug/pprof/delta_heap", 200, OCTET, Some("delta_heap"), Empty),
        ]
        row_29_head_of_what_is_not_there: [
            ("HEAD", "/debug/pprof/nosuch", 404, TEXT, None, Empty),
        ]
        row_30_outside_the_prefix: [
            ("GET", "/nosuch", 404, TEXT, None, Is("404 page not found\n")),
            ("GET", "/debug/nosuch", 404, TEXT, None, Is("404 page not found\n")),
        ]
    }
}

/// Row 22 with a body, 23, 24 and what a client that leaves does are in
/// `tests/cpu_profile.rs`, since a CPU profile is the whole process's. All others
/// are here.
#[test]
fn each_row_has_a_test() {
    let here = [include_str!("rows.rs"), include_str!("../cpu_profile.rs")].concat();
    for row in 1..=30 {
        assert!(here.contains(&format!("row_{row:02}_")), "row {row}");
    }
}

#[test]
fn row_01_and_21_locations() {
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
fn row_05_a_profile_is_never_content_encoded() {
    let (agent, address) = agent();
    let encodings = "Accept-Encoding: gzip\r\n";
    for path in ["heap", "allocs", "delta_heap"] {
        let target = format!("/debug/pprof/{path}");
        let answer = request(address, "GET", &target, encodings);
        assert_eq!(answer.header("content-encoding"), None);
        assert_eq!(answer.header("cache-control"), None);
        assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    }
    drop(agent);
}

#[test]
fn row_27_methods() {
    let (agent, address) = agent();
    for path in [
        "/debug/pprof/heap",
        "/debug/pprof/delta_heap",
        "/debug/pprof/profile",
        "/debug/pprof/",
        "/nosuch",
        "/metrics",
        "/debug/heap",
        "/debug/heap/peak",
        "/debug/heap/lifetimes",
        "/debug/history",
        "/debug/leaks",
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
    let empty = "Content-Length: 0\r\n";
    let answer = request(address, "PUT", "/debug/pprof/symbol", empty);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
    let posted = common::post(address, "/debug/pprof/symbol", b"0x1");
    assert_eq!(posted.status, 200);
    drop(agent);
}

#[test]
fn row_29_the_length_of_a_body_that_is_not_sent() {
    let (agent, address) = agent();
    let answer = request(address, "HEAD", "/debug/pprof/nosuch", "");
    assert_eq!(answer.header("content-length"), Some("16"));
    drop(agent);
}
