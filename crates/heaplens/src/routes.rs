//! The routes, in one place.
//!
//! | Path | Methods | Answer |
//! |---|---|---|
//! | `/`, `/debug/` | GET, HEAD | the page for people, HTML; `map=NAME`: of one map; `part=live`, `part=sites`: what its scripts fetch anew |
//! | `/debug/ui/…` | GET, HEAD | its scripts and style |
//! | `/debug/pprof` | GET, HEAD | 307 to `/debug/pprof/` |
//! | `/debug/pprof/` | GET, HEAD | Go's index of profiles, HTML |
//! | `/debug/pprof/heap`, `allocs` | GET, HEAD | pprof, gzip; `debug=1`: text; `seconds=N`: what changed in N seconds, with `inuse=last` what was allocated meanwhile and what is in use at the end; `gc` has no effect |
//! | `/debug/pprof/delta_heap` | GET, HEAD | pprof, gzip: what was allocated since this client's last fetch, and what is in use; HEAD is no fetch |
//! | `/debug/pprof/cmdline` | GET, HEAD | the program's name and, if allowed, its arguments, NUL-separated |
//! | `/debug/pprof/symbol`, `/debug/symbolz` | GET, HEAD, POST | names of addresses, in pprof's protocol; the second is where pprof asks when the profile came from `/debug/heap`, and a 405 there would make it print no report at all |
//! | `/debug/pprof/profile` | GET, HEAD | with the feature `cpu-profile` a CPU profile of `seconds=N`, 30 if not stated; otherwise 501 and why |
//! | `/debug/pprof/trace` | GET, HEAD | 501 and why |
//! | `/debug/pprof/…` | GET, HEAD | 404 `Unknown profile` |
//! | `/debug/heap` | GET, HEAD | the same in any format, the whole or a part; parameters are checked strictly |
//! | `/debug/flamegraph` | GET, HEAD, POST | the same as a flame graph, SVG; of what changed since the profile that is the body of a POST |
//! | `/debug/heap/lifetimes` | GET, HEAD | how long blocks lived, by site: what was freed and what is alive, by age; in any format but text |
//! | `/debug/heap/peak` | GET, HEAD | pprof or text: the live heap when it was fullest |
//! | `/debug/history` | GET, HEAD | JSON: the process's figures over time, and which snapshots there are |
//! | `/debug/leaks` | GET, HEAD | the verdicts on maps and call sites, the worst first; JSON or text |
//! | `/debug/maps`, `/debug/maps/` | GET, HEAD | the groups of tracked maps, ranked; JSON or text |
//! | `/debug/maps/{name}` | GET, HEAD | one of them; the name may have slashes in it, or be escaped as a whole |
//! | `/debug/maps/{name}/retained` | GET, HEAD, POST | what dropping its maps would free: a POST measures it, and needs the header `X-Heaplens`; the last answer as JSON, text or a profile. A map whose own name ends in `/retained` is asked for with its slashes escaped |
//! | `/debug/memstats` | GET, HEAD | JSON |
//! | `/metrics` | GET, HEAD | Prometheus text or `OpenMetrics`, by `Accept` |
//! | `/healthz` | GET, HEAD | JSON: whether sampling is on |
//!
//! Under `/debug/pprof/` this is the contract of Go's `net/http/pprof`:
//! unknown and malformed parameters are ignored, a repeated one counts by its
//! first value. Elsewhere a parameter that is not known or not usable is 400.
//! Any other method is 405 with `Allow`; a path with `//` or `/../` under
//! `/debug` is 307 to the clean one. All errors are `text/plain` of one line
//! with `X-Go-Pprof: 1`, all answers carry `nosniff`, none carries CORS headers.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::OriginalUri;
use hyper::body::{Body, Bytes};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Uri};

use crate::handlers::{
    cmdline, cpu, delta_heap, flamegraph, health, heap, history, index, leaks, maps, memstats,
    metrics, peak, retained, symbol,
};
use crate::params::{self, GoQuery, HeapQuery};
use crate::respond::{self, Reply};
use crate::state::App;
use crate::ui;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Overview,
    Asset,
    PprofBare,
    PprofIndex,
    Heap,
    Allocs,
    DeltaHeap,
    Cmdline,
    Symbol,
    CpuProfile,
    Trace,
    UnknownProfile,
    DebugHeap,
    Lifetimes,
    Peak,
    Flamegraph,
    History,
    Leaks,
    Maps,
    Map,
    Retained,
    Memstats,
    Metrics,
    Health,
}

const TABLE: [(&str, Route); 23] = [
    ("/", Route::Overview),
    ("/debug/", Route::Overview),
    ("/debug/pprof", Route::PprofBare),
    ("/debug/pprof/", Route::PprofIndex),
    ("/debug/pprof/heap", Route::Heap),
    ("/debug/pprof/allocs", Route::Allocs),
    ("/debug/pprof/delta_heap", Route::DeltaHeap),
    ("/debug/pprof/cmdline", Route::Cmdline),
    ("/debug/pprof/symbol", Route::Symbol),
    ("/debug/pprof/profile", Route::CpuProfile),
    ("/debug/pprof/trace", Route::Trace),
    ("/debug/heap", Route::DebugHeap),
    ("/debug/heap/lifetimes", Route::Lifetimes),
    ("/debug/heap/peak", Route::Peak),
    ("/debug/flamegraph", Route::Flamegraph),
    ("/debug/history", Route::History),
    ("/debug/leaks", Route::Leaks),
    ("/debug/maps", Route::Maps),
    (MAP, Route::Maps),
    ("/debug/symbolz", Route::Symbol),
    ("/debug/memstats", Route::Memstats),
    ("/metrics", Route::Metrics),
    ("/healthz", Route::Health),
];

/// What goes before the name of a map.
const MAP: &str = "/debug/maps/";

/// The paths of the table as axum writes them, for the routes that go into
/// another program's router: all under `/debug/`, and `/metrics`.
pub(crate) const MOUNTED: [&str; 17] = [
    "/debug/",
    "/debug/ui/{*file}",
    "/debug/pprof",
    "/debug/pprof/",
    "/debug/pprof/{*profile}",
    "/debug/heap",
    "/debug/heap/lifetimes",
    "/debug/heap/peak",
    "/debug/flamegraph",
    "/debug/history",
    "/debug/leaks",
    "/debug/maps",
    "/debug/maps/",
    "/debug/maps/{*name}",
    "/debug/symbolz",
    "/debug/memstats",
    "/metrics",
];

pub(crate) fn find(path: &str) -> Option<Route> {
    let exact = TABLE.iter().find(|(known, _)| *known == path);
    match exact {
        Some((_, route)) => Some(*route),
        None if path.starts_with("/debug/pprof/") => Some(Route::UnknownProfile),
        None if retained_of(path).is_some() => Some(Route::Retained),
        None if path.starts_with(MAP) => Some(Route::Map),
        None if path.starts_with(ui::assets::PREFIX) => Some(Route::Asset),
        None => None,
    }
}

/// What follows the name of a map where what it retains is asked for. A map whose own
/// name ends so is asked for with its slashes escaped.
const RETAINED: &str = "/retained";

/// The name of the map in such a path, as it stands there.
fn retained_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix(MAP)?.strip_suffix(RETAINED)?;
    (!name.is_empty()).then_some(name)
}

/// Answers a request.
pub(crate) async fn dispatch<B>(app: &Arc<App>, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let route = find(parts.uri.path());
    let allow = match route {
        Some(Route::Symbol | Route::Flamegraph | Route::Retained) => "GET, HEAD, POST",
        _ => "GET, HEAD",
    };
    if !is_allowed(&parts.method, allow) {
        return respond::method_not_allowed(allow);
    }
    if matches!(route, None | Some(Route::UnknownProfile))
        && let Some(location) = cleaned(&parts)
    {
        return respond::redirect(&location);
    }
    match route {
        None => respond::not_found(),
        Some(Route::Overview) => {
            ui::page(app, parts.uri.query(), &parts.headers, place(&parts)).await
        }
        Some(Route::Asset) => {
            let path = parts.uri.path().strip_prefix(ui::assets::PREFIX);
            ui::assets::serve(path.unwrap_or_default(), &parts.headers)
        }
        Some(Route::PprofBare) => respond::redirect(&with_slash(&parts)),
        Some(Route::PprofIndex) => index::profiles(),
        Some(Route::Heap) => heap::serve(app, heap::Flavour::Heap, go_query(&parts)).await,
        Some(Route::Allocs) => heap::serve(app, heap::Flavour::Allocs, go_query(&parts)).await,
        Some(Route::DebugHeap) => heap::serve_own(app, HeapQuery::read(parts.uri.query())).await,
        Some(Route::Flamegraph) if parts.method == Method::POST => {
            flamegraph::post(app, parts.uri.query(), &parts.headers, body).await
        }
        Some(Route::Flamegraph) => flamegraph::get(app, parts.uri.query()).await,
        Some(Route::DeltaHeap) => delta_heap::serve(app, &parts).await,
        Some(Route::Lifetimes) => {
            heap::lifetimes::serve(app, HeapQuery::of_lifetimes(parts.uri.query())).await
        }
        Some(Route::Peak) => peak::serve(app, HeapQuery::read(parts.uri.query())).await,
        Some(Route::History) => history::serve(app, parts.uri.query()).await,
        Some(Route::Leaks) => leaks::serve(app, parts.uri.query()).await,
        Some(Route::Cmdline) => cmdline::serve(app.expose_cmdline),
        Some(Route::Symbol) if parts.method == Method::POST => symbol::post(app, body).await,
        Some(Route::Symbol) => symbol::get(app, parts.uri.query().unwrap_or_default()).await,
        Some(Route::CpuProfile) => cpu::serve(app, parts.uri.query()).await,
        Some(Route::Trace) => respond::error(StatusCode::NOT_IMPLEMENTED, NO_TRACES),
        Some(Route::UnknownProfile) => respond::error(StatusCode::NOT_FOUND, "Unknown profile"),
        Some(Route::Maps) => maps::list(app, parts.uri.query(), base(&parts)).await,
        Some(Route::Map) => {
            let name = parts.uri.path().strip_prefix(MAP).unwrap_or_default();
            maps::one(app, name, parts.uri.query(), base(&parts)).await
        }
        Some(Route::Retained) => {
            let (path, query) = (parts.uri.path(), parts.uri.query());
            let name = retained_of(path).unwrap_or_default();
            retained::serve(app, &parts.method, name, query, &parts.headers).await
        }
        Some(Route::Memstats) => match params::none(parts.uri.query()) {
            Ok(()) => memstats::serve(app).await,
            Err(fault) => fault.reply(),
        },
        Some(Route::Metrics) => metrics::serve(app, &parts.headers).await,
        Some(Route::Health) => health::serve(),
    }
}

/// How much longer than others this request may take: as long as it asks to
/// wait.
pub(crate) fn extra_time(uri: &Uri) -> Duration {
    match find(uri.path()) {
        Some(Route::Heap | Route::Allocs | Route::DebugHeap | Route::Flamegraph) => {
            params::seconds_asked(uri.query())
        }
        Some(Route::CpuProfile) => cpu::time(uri.query()),
        _ => Duration::ZERO,
    }
}

const NO_TRACES: &str = "execution traces are not taken here: try tokio-console or the tracing \
     crate; the heap is at /debug/pprof/heap";

fn go_query(parts: &Parts) -> Result<GoQuery, params::BadParameter> {
    GoQuery::read(parts.uri.query())
}

fn is_allowed(method: &Method, allow: &str) -> bool {
    allow.split(", ").any(|name| name == method.as_str())
}

/// The request's target as the client sent it, whatever router it came through.
fn original(parts: &Parts) -> &Uri {
    parts
        .extensions
        .get::<OriginalUri>()
        .map_or(&parts.uri, |original| &original.0)
}

/// Where the page is, for links that hold behind any proxy: relative ones.
fn place(parts: &Parts) -> ui::Place {
    ui::Place {
        root: if parts.uri.path() == "/" {
            "debug/"
        } else {
            ""
        },
        mounted: parts.extensions.get::<OriginalUri>().is_some(),
    }
}

/// What our paths begin with, for links.
fn base(parts: &Parts) -> maps::Base {
    let whole = original(parts).path();
    maps::Base::under(whole.strip_suffix(parts.uri.path()).unwrap_or_default())
}

fn with_query(path: String, uri: &Uri) -> String {
    match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    }
}

fn with_slash(parts: &Parts) -> String {
    let uri = original(parts);
    with_query(format!("{}/", uri.path()), uri)
}

/// Where to go instead if the path has empty, `.` or `..` segments: only if
/// that is under `/debug`, so that nobody is sent to another host.
fn cleaned(parts: &Parts) -> Option<String> {
    let uri = original(parts);
    let clean = clean_path(uri.path());
    let ours = clean.split('/').any(|segment| segment == "debug");
    (clean != uri.path() && ours && !clean.contains('\\')).then(|| with_query(clean, uri))
}

/// The path without empty, `.` and `..` segments, a slash at its end kept.
fn clean_path(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    let is_directory = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    if is_directory && !kept.is_empty() {
        clean.push('/');
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned() {
        let cases = [
            ("/debug/pprof/heap", "/debug/pprof/heap"),
            ("/debug/pprof//heap", "/debug/pprof/heap"),
            ("/debug//pprof/heap", "/debug/pprof/heap"),
            ("/debug/pprof/../pprof/heap", "/debug/pprof/heap"),
            ("/debug/./pprof/", "/debug/pprof/"),
            ("/debug/pprof/..", "/debug/"),
            ("/../../etc/passwd", "/etc/passwd"),
            ("//evil.com/", "/evil.com/"),
            ("/..", "/"),
            ("//", "/"),
        ];
        for (path, clean) in cases {
            assert_eq!(clean_path(path), clean, "{path}");
        }
    }

    #[test]
    fn redirects_stay_on_this_host() {
        for target in ["//evil.com/", "//evil.com", "/\\evil.com/debug/..", "/x/.."] {
            let request = Request::builder().uri("/").body(()).unwrap();
            let mut parts = request.into_parts().0;
            let Ok(uri) = target.parse::<Uri>() else {
                continue;
            };
            parts.uri = uri;
            assert_eq!(cleaned(&parts), None, "{target}");
        }
    }

    #[test]
    fn mounted_paths_are_in_the_table() {
        for path in MOUNTED.iter().filter(|path| !path.contains('{')) {
            assert!(find(path).is_some(), "{path}");
        }
    }

    #[test]
    fn whatever_follows_is_the_name_of_a_map() {
        for path in [
            "/debug/maps/a",
            "/debug/maps/src/a.rs:41:7",
            "/debug/maps//x/../y",
            "/debug/maps/%2F",
        ] {
            assert_eq!(find(path), Some(Route::Map), "{path}");
        }
        for path in ["/debug/maps", "/debug/maps/"] {
            assert_eq!(find(path), Some(Route::Maps), "{path}");
        }
        for (path, name) in [
            ("/debug/maps/a/retained", "a"),
            ("/debug/maps/src/a.rs:41:7/retained", "src/a.rs:41:7"),
            ("/debug/maps/a/retained/retained", "a/retained"),
            ("/debug/maps/a%2Fretained/retained", "a%2Fretained"),
        ] {
            assert_eq!(find(path), Some(Route::Retained), "{path}");
            assert_eq!(retained_of(path), Some(name), "{path}");
        }
        for path in [
            "/debug/maps/retained",
            "/debug/maps//retained",
            "/debug/maps/a%2Fretained",
            "/debug/maps/a/retained/",
            "/debug/maps/aretained",
        ] {
            assert_eq!(find(path), Some(Route::Map), "{path}");
        }
        assert_eq!(find("/debug/mapsx"), None);
    }

    #[test]
    fn only_delta_requests_get_more_time() {
        let cases = [
            ("/debug/pprof/heap?seconds=20", 20),
            ("/debug/pprof/allocs?seconds=300", 300),
            ("/debug/heap?seconds=5", 5),
            ("/debug/flamegraph?seconds=5&base=window", 5),
            ("/debug/pprof/heap?seconds=999999", 0),
            ("/debug/pprof/heap", 0),
            ("/debug/pprof/delta_heap?seconds=20", 0),
            ("/metrics?seconds=20", 0),
            ("/debug/maps?seconds=20", 0),
        ];
        for (target, seconds) in cases {
            let time = extra_time(&target.parse().unwrap());
            assert_eq!(time, Duration::from_secs(seconds), "{target}");
        }
    }
}
