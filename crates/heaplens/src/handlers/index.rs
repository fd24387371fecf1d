//! All paths, and Go's index of profiles.

use std::fmt::Write as _;

use crate::respond::{self, Reply};

/// What there is to ask for, and what it is.
pub(crate) const PATHS: [(&str, &str); 18] = [
    (
        "/debug/pprof/",
        "profiles, as Go's net/http/pprof serves them",
    ),
    (
        "/debug/heap",
        "the heap profile: go tool pprof http://HOST/debug/heap",
    ),
    ("/debug/heap?format=text", "the same as text"),
    ("/debug/heap/peak", "the live heap when it was fullest"),
    (
        "/debug/heap/lifetimes",
        "how long blocks lived: what was freed and what is alive, by age",
    ),
    (
        "/debug/pprof/delta_heap",
        "what was allocated since the same client's last fetch, and what is in use",
    ),
    (
        "/debug/heap?format=json",
        "the same as JSON, sites with standard errors",
    ),
    (
        "/debug/flamegraph",
        "the same as a flame graph; by POST of a profile: what changed since",
    ),
    (
        "/debug/flamegraph?type=alloc_space",
        "what was ever allocated; with seconds=N what is in the next N seconds",
    ),
    (
        "/debug/pprof/allocs",
        "the same, viewed by what was ever allocated",
    ),
    (
        "/debug/history",
        "what was: the process's figures over time, and the snapshots for at= and base=",
    ),
    (
        "/debug/leaks?format=text",
        "which maps and call sites leak, the worst first, and why",
    ),
    ("/debug/leaks", "the same as JSON"),
    (
        "/debug/maps?format=text",
        "tracked maps and caches, those with the most bytes first",
    ),
    (
        "/debug/maps",
        "the same as JSON, and each of them at /debug/maps/NAME",
    ),
    ("/debug/memstats", "allocator and profiler statistics, JSON"),
    ("/metrics", "the same for Prometheus"),
    ("/healthz", "whether sampling is on"),
];

/// Name, target, whether records are counted, description.
const PROFILES: &[(&str, &str, bool, &str)] = &[
    (
        "allocs",
        "allocs?debug=1",
        true,
        "A sampling of all past memory allocations. With seconds=N (1 to 300) only those of the \
         next N seconds; with debug=1 as text. Otherwise as heap.",
    ),
    (
        "cmdline",
        "cmdline?debug=1",
        false,
        "The command line of the current program: its name, and its arguments if the program \
         allows that.",
    ),
    (
        "delta_heap",
        "delta_heap",
        true,
        "A sampling of memory allocations since the same client's last fetch, and of live objects \
         as they are. Clients are told apart by address and User-Agent; the last 8 are \
         remembered. seconds does not apply, debug and gc have no effect.",
    ),
    (
        "heap",
        "heap?debug=1",
        true,
        "A sampling of memory allocations of live objects. With seconds=N (1 to 300) what \
         changed in the next N seconds, where inuse=last leaves live objects as they are at the \
         end; with debug=1 as text. gc has no effect: all figures are up to date.",
    ),
    #[cfg(feature = "cpu-profile")]
    (
        "profile",
        "profile?seconds=1",
        false,
        "CPU profile. seconds=N (1 to 300) sets its duration; 30 if it is not stated.",
    ),
    (
        "symbol",
        "symbol?debug=1",
        false,
        "Maps given program counters to function names. Counters can be specified in a GET raw \
         query or POST body, multiple counters are separated by '+'.",
    ),
];

/// The index of profiles, of Go's structure: a table of counts and links, then
/// a description of each.
pub(crate) fn profiles() -> Reply {
    let records = heaplens_alloc::counters().sites;
    let mut page = String::from(
        "<html>\n<head>\n<meta charset=\"utf-8\">\n<title>/debug/pprof/</title>\n<style>\n\
         .profile-name{\n\tdisplay:inline-block;\n\twidth:6rem;\n}\n</style>\n</head>\n<body>\n\
         /debug/pprof/\n<br>\n\
         <p>Set debug=1 as a query parameter to export in legacy text format</p>\n<br>\n\
         Types of profiles available:\n<table>\n\
         <thead><td>Count</td><td>Profile</td></thead>\n",
    );
    for &(name, target, is_counted, _) in PROFILES {
        let count = if is_counted { records } else { 0 };
        let (name, target) = (respond::escape_html(name), respond::escape_html(target));
        let _ = writeln!(
            page,
            "<tr><td>{count}</td><td><a href='{target}'>{name}</a></td></tr>"
        );
    }
    page.push_str("</table>\n<br>\n<p>\nProfile Descriptions:\n<ul>\n");
    for &(name, _, _, description) in PROFILES {
        let (name, text) = (
            respond::escape_html(name),
            respond::escape_html(description),
        );
        let _ = writeln!(
            page,
            "<li><div class=profile-name>{name}: </div> {text}</li>"
        );
    }
    page.push_str("</ul>\n</p>\n</body>\n</html>\n");
    respond::html(page)
}
