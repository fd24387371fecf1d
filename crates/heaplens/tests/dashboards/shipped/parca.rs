//! `dashboards/parca/`: what Parca asks of an agent by it.

use serde_json::Value;

use super::prometheus::{is_bearer, parameters, target_port};
use super::scrape::{Kind, ProfileType, Scrape, on};
use super::yaml::{self, list};

const FILE: &str = "dashboards/parca/parca.yaml";

/// What a job does where nothing else is said.
pub(crate) const PROFILES: [ProfileType; 5] = [
    on("memory", "/debug/pprof/allocs", false),
    on("block", "/debug/pprof/block", false),
    on("goroutine", "/debug/pprof/goroutine", false),
    on("mutex", "/debug/pprof/mutex", false),
    on("process_cpu", "/debug/pprof/profile", true),
];

/// Parca refuses a file with any other setting.
const JOB: [&str; 10] = [
    "job_name",
    "params",
    "scrape_interval",
    "scrape_timeout",
    "scheme",
    "normalized_addresses",
    "profiling_config",
    "relabel_configs",
    "static_configs",
    "authorization",
];
const PROFILE: [&str; 5] = ["enabled", "path", "delta", "keep_sample_type", "seconds"];

pub(crate) fn scrapes() -> Vec<Scrape> {
    let Some(text) = super::text(FILE) else {
        return Vec::new();
    };
    let with_token = super::prometheus::uncommented(&text);
    [text, with_token]
        .iter()
        .flat_map(|text| of(text).unwrap_or_else(|reason| panic!("{FILE}: {reason}")))
        .collect()
}

/// What a configuration asks for, if it is one.
pub(crate) fn of(text: &str) -> Result<Vec<Scrape>, String> {
    let documents = yaml::documents(text)?;
    let [file] = documents.as_slice() else {
        return Err(format!("{} documents", documents.len()));
    };
    nothing_unknown(file, &["object_storage", "scrape_configs"])?;
    if !file["object_storage"]["bucket"]["type"].is_string() {
        return Err("no object_storage".to_owned());
    }
    let mut found = Vec::new();
    for job in list(&file["scrape_configs"]) {
        found.extend(of_job(job)?);
    }
    Ok(found)
}

fn of_job(job: &Value) -> Result<Vec<Scrape>, String> {
    nothing_unknown(job, &JOB)?;
    let name = job["job_name"].as_str().ok_or("a job without a name")?;
    let interval = seconds(&job["scrape_interval"], 10)?;
    if seconds(&job["scrape_timeout"], interval + 3)? <= interval {
        return Err(format!("{name}: the time-out is not above the interval"));
    }
    let profiling = &job["profiling_config"];
    nothing_unknown(profiling, &["pprof_config", "path_prefix"])?;
    let types = &profiling["pprof_config"];
    nothing_unknown(types, &PROFILES.map(|known| known.name))?;
    let prefix = profiling["path_prefix"].as_str().unwrap_or_default();
    let mut found = Vec::new();
    for default in PROFILES {
        let own = &types[default.name];
        nothing_unknown(own, &PROFILE)?;
        if !own["enabled"].as_bool().unwrap_or(default.enabled) {
            continue;
        }
        let path = own["path"].as_str().unwrap_or(default.path);
        let mut parameters = parameters(job);
        // A type that the file names loses its default of `delta`.
        if own["delta"]
            .as_bool()
            .unwrap_or(own.is_null() && default.delta)
        {
            parameters.push(("seconds".to_owned(), interval.to_string()));
        }
        found.push(Scrape {
            place: format!("{FILE}: {name}, {}", default.name),
            kind: Kind::Profile,
            path: format!("{prefix}{path}"),
            parameters,
            port: target_port(job),
            authorized: is_bearer(&job["authorization"]),
        });
    }
    Ok(found)
}

fn nothing_unknown(value: &Value, known: &[&str]) -> Result<(), String> {
    match yaml::unknown(value, known).as_slice() {
        [] => Ok(()),
        unknown => Err(format!("{unknown:?} is not among {known:?}")),
    }
}

/// A duration such as `60s`.
fn seconds(value: &Value, default: u64) -> Result<u64, String> {
    match value.as_str() {
        None => Ok(default),
        Some(text) => text
            .strip_suffix('s')
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| format!("{text:?} is no number of seconds")),
    }
}

#[test]
fn what_parca_would_not_load_is_an_error() {
    let Some(text) = super::text(FILE) else {
        return;
    };
    assert!(of(&text).is_ok());
    for (from, to) in [
        (
            "    scrape_interval",
            "    scrape_timeout: 60s\n    scrape_interval",
        ),
        ("pprof_config", "pprof_configs"),
        ("          enabled: true", "          enable: true"),
        ("object_storage", "storage"),
        ("  - job_name: heaplens\n", "  - scheme: http\n"),
    ] {
        assert!(of(&super::changed(&text, from, to)).is_err(), "{to}");
    }
}
