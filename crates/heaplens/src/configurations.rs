//! The shipped configurations against the table of routes: each path that a tool would ask for by
//! them is served, and takes the parameters.

#[path = "../tests/dashboards/shipped/mod.rs"]
mod shipped;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use hyper::Uri;

use crate::config::DEFAULT_LISTEN;
use crate::handlers::{history, leaks, maps};
use crate::params::{self, BadParameter, GoQuery, HeapQuery};
use crate::routes::{self, Route};
use crate::ui;
use shipped::scrape::{Kind, ProfileType, Scrape};
use shipped::{alloy, parca};

/// Why the agent would not answer such a request as it is meant.
fn fault(scrape: &Scrape) -> Option<String> {
    let route = routes::find(&scrape.path);
    let wanted = match scrape.kind {
        Kind::Metrics => matches!(route, Some(Route::Metrics)),
        Kind::Profile => matches!(route, Some(Route::Heap | Route::Allocs | Route::DeltaHeap)),
        Kind::Probe => matches!(route, Some(Route::Health)),
    };
    if !wanted {
        return Some(format!("{}: {} is {route:?}", scrape.place, scrape.path));
    }
    // What Go does not know it ignores: a parameter without effect is a mistake.
    let has_effect = |name: &str, value: &str| {
        let asked = GoQuery::read(Some(&format!("{name}={value}")));
        scrape.kind == Kind::Profile && asked.is_ok_and(|asked| asked != GoQuery::default())
    };
    let mut parameters = scrape.parameters.iter();
    let idle = parameters.find(|(name, value)| !has_effect(name, value))?;
    Some(format!("{}: the parameter {idle:?}", scrape.place))
}

#[test]
fn each_path_of_the_configurations_is_served() {
    let scrapes = shipped::scrapes();
    if scrapes.is_empty() {
        return;
    }
    let faults: Vec<String> = scrapes.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{faults:#?}");
    let files: BTreeSet<&str> = scrapes
        .iter()
        .map(|scrape| scrape.place.split([':', ',']).next().unwrap())
        .collect();
    let expected = [
        "dashboards/alloy/heaplens.alloy",
        "dashboards/alloy/kubernetes.alloy",
        "dashboards/kubernetes/prometheus-annotations.yml",
        "dashboards/parca/parca.yaml",
        "dashboards/prometheus/prometheus.yml",
        "example.yaml",
        "podmonitor.yaml",
        "servicemonitor.yaml",
    ];
    assert_eq!(files, BTreeSet::from(expected));
}

#[test]
fn what_is_not_served_is_found() {
    let scrape = |kind, path: &str, parameters: &[(&str, &str)]| Scrape {
        place: "here".to_owned(),
        kind,
        path: path.to_owned(),
        parameters: parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        port: None,
        authorized: false,
    };
    let (allocs, profile) = ("/debug/pprof/allocs", Kind::Profile);
    for (kind, path, parameters, good) in [
        (profile, allocs, &[][..], true),
        (profile, "/debug/pprof/heap", &[("seconds", "14")], true),
        (profile, allocs, &[("seconds", "0")], false),
        (profile, allocs, &[("gc", "1")], false),
        (profile, "/debug/pprof/delta_heap", &[], true),
        (profile, "/debug/pprof/profile", &[], false),
        (profile, "/debug/pprof/block", &[], false),
        (profile, "/metrics", &[], false),
        (Kind::Metrics, "/metrics", &[], true),
        (Kind::Metrics, "/metric", &[], false),
        (Kind::Metrics, "/metrics", &[("seconds", "14")], false),
        (Kind::Probe, "/healthz", &[], true),
        (Kind::Probe, "/health", &[], false),
    ] {
        let fault = fault(&scrape(kind, path, parameters));
        assert_eq!(fault.is_none(), good, "{path} {parameters:?}: {fault:?}");
    }
}

/// Those that a tool asks for by default and that are not served.
fn to_switch_off(profiles: &[ProfileType]) -> BTreeSet<&'static str> {
    let is_served = |path| matches!(routes::find(path), Some(Route::Heap | Route::Allocs));
    let on = profiles.iter().filter(|profile| profile.enabled);
    on.filter(|profile| !is_served(profile.path))
        .map(|profile| profile.name)
        .collect()
}

#[test]
fn what_tools_ask_for_by_default_has_to_be_switched_off() {
    let expected = BTreeSet::from(["block", "goroutine", "mutex", "process_cpu"]);
    assert_eq!(to_switch_off(&alloy::PROFILES), expected);
    assert_eq!(to_switch_off(&parca::PROFILES), expected);
    // With a configuration that says nothing of them they are asked for.
    let bare = [
        alloy::of("bare", "pyroscope.scrape \"bare\" {}\n"),
        parca::of(
            "object_storage: {bucket: {type: FILESYSTEM}}\nscrape_configs: [{job_name: bare}]\n",
        ),
    ];
    for scrapes in bare {
        let scrapes = scrapes.unwrap();
        let faults = scrapes.iter().filter_map(fault).count();
        assert_eq!((scrapes.len(), faults), (5, 4), "{scrapes:#?}");
    }
}

#[test]
fn ports_are_those_that_the_agent_takes_by_default() {
    let default = shipped::scrape::port(DEFAULT_LISTEN);
    for scrape in shipped::scrapes() {
        // Where pods are found by the name of their port, it is not said.
        assert!(
            scrape.port.is_none() || scrape.port == default,
            "{scrape:?}"
        );
    }
}

/// The files below a directory.
fn files(directory: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(text) = fs::read_to_string(&path) {
            found.push((path.display().to_string(), text));
        }
    }
}

/// A link with an `x` in place of each `{{ … }}` and `${…}`, as templates have them.
fn filled_in(text: &str) -> String {
    let mut filled = text.to_owned();
    for (begin, end) in [("{{", "}}"), ("${", "}")] {
        while let Some((before, rest)) = filled.split_once(begin) {
            let Some((_, after)) = rest.split_once(end) else {
                break;
            };
            filled = format!("{before}x{after}");
        }
    }
    filled
}

/// Paths of the agent that a text names, with their queries.
fn named(text: &str) -> BTreeSet<String> {
    let ends = |at: char| at.is_whitespace() || "\"'`<>()[],;|*\\".contains(at);
    let mut found = BTreeSet::new();
    for line in text.lines() {
        let line = filled_in(line);
        for beginning in ["/debug/", "/healthz", "/metrics"] {
            for (at, _) in line.match_indices(beginning) {
                // Not a part of some other path, unless after a host.
                let before = line[..at].rsplit(ends).next().unwrap_or_default();
                let rest = line[at..].split(ends).next().unwrap_or_default();
                if before.is_empty() || before.contains("//") {
                    found.insert(rest.trim_end_matches(['.', ':']).to_owned());
                }
            }
        }
    }
    found
}

/// Why a link leads nowhere.
fn broken(target: &str) -> Option<String> {
    let uri: Uri = match target.parse() {
        Ok(uri) => uri,
        Err(error) => return Some(error.to_string()),
    };
    let query = uri.query();
    let checked = match routes::find(uri.path()) {
        None | Some(Route::UnknownProfile | Route::CpuProfile | Route::Trace) => {
            return Some("it is not served".to_owned());
        }
        Some(Route::Heap | Route::Allocs) => GoQuery::read(query).map(drop),
        Some(Route::DebugHeap | Route::Peak) => HeapQuery::read(query).map(drop),
        Some(Route::Flamegraph) => HeapQuery::of_flamegraph(query, false).map(drop),
        Some(Route::History) => history::is_query(query),
        Some(Route::Leaks) => leaks::is_query(query),
        Some(Route::Lifetimes) => HeapQuery::of_lifetimes(query).map(drop),
        Some(Route::Retained) => HeapQuery::of_retained(query).map(drop),
        Some(Route::Maps) => maps::is_list_query(query),
        Some(Route::Map) => maps::is_query(query),
        Some(Route::Overview) => ui::asked(query).map(drop),
        Some(_) => params::none(query),
    };
    checked.err().map(|fault: BadParameter| fault.to_string())
}

#[test]
fn links_to_the_agent_lead_somewhere() {
    let (Some(dashboards), Some(docs)) = (shipped::path("dashboards"), shipped::path("docs"))
    else {
        return;
    };
    let mut found = Vec::new();
    files(&dashboards, &mut found);
    files(&docs, &mut found);
    let mut checked = 0;
    for (file, text) in found {
        for target in named(&text) {
            let fault = broken(&target);
            assert!(fault.is_none(), "{file}: {target}: {fault:?}");
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked} links");
}

#[test]
fn links_that_lead_nowhere_are_found() {
    let text = "'http://{{ $labels.instance }}/debug/maps/{{ $labels.map }}?format=text' \
                `/debug/heap?map=${map}`, see /metrics. Not src/debug/x.";
    let expected = ["/debug/heap?map=x", "/debug/maps/x?format=text", "/metrics"];
    assert_eq!(named(text), expected.map(str::to_owned).into());
    assert!(expected.iter().all(|target| broken(target).is_none()));
    for target in [
        "/debug/pprof/profile",
        "/debug/pprof/goroutine",
        "/debug/map/x",
        "/debug/maps/x?format=html",
        "/debug/maps?sort=size",
        "/debug/heap?fokus=x",
        "/debug/memstats?format=text",
    ] {
        assert!(broken(target).is_some(), "{target}");
    }
}
