//! `dashboards/alloy/`: what Alloy asks of an agent by it.

use super::river::{self, Block, Value};
use super::scrape::{Kind, ProfileType, Scrape, off, on, port};

const FILES: [&str; 2] = [
    "dashboards/alloy/heaplens.alloy",
    "dashboards/alloy/kubernetes.alloy",
];

/// What `pyroscope.scrape` does where nothing else is said.
pub(crate) const PROFILES: [ProfileType; 9] = [
    on("memory", "/debug/pprof/allocs", false),
    on("block", "/debug/pprof/block", false),
    on("goroutine", "/debug/pprof/goroutine", false),
    on("mutex", "/debug/pprof/mutex", false),
    on("process_cpu", "/debug/pprof/profile", true),
    off("fgprof", "/debug/fgprof", true),
    off("godeltaprof_memory", "/debug/pprof/delta_heap", false),
    off("godeltaprof_mutex", "/debug/pprof/delta_mutex", false),
    off("godeltaprof_block", "/debug/pprof/delta_block", false),
];

/// Where `delta` says so, a profile of so many seconds is asked for.
const DELTA_SECONDS: &str = "14";

/// The arguments and blocks of each component that is used.
const KNOWN: [(&str, &[&str]); 11] = [
    ("prometheus.remote_write", &["endpoint"]),
    ("pyroscope.write", &["endpoint"]),
    ("endpoint", &["url", "authorization"]),
    ("discovery.kubernetes", &["role", "namespaces", "selectors"]),
    ("discovery.relabel", &["targets", "rule"]),
    (
        "rule",
        &[
            "source_labels",
            "target_label",
            "regex",
            "action",
            "replacement",
        ],
    ),
    (
        "prometheus.scrape",
        &[
            "targets",
            "forward_to",
            "job_name",
            "params",
            "scrape_interval",
            "scrape_timeout",
            "metrics_path",
            "scheme",
            "authorization",
        ],
    ),
    (
        "pyroscope.scrape",
        &[
            "targets",
            "forward_to",
            "job_name",
            "params",
            "scrape_interval",
            "scrape_timeout",
            "scheme",
            "delta_profiling_duration",
            "authorization",
            "profiling_config",
        ],
    ),
    (
        "authorization",
        &["type", "credentials", "credentials_file"],
    ),
    ("profiling_config", &["path_prefix"]),
    ("profile", &["enabled", "path", "delta"]),
];

/// What each component exports.
const EXPORTS: [(&str, &str); 4] = [
    ("prometheus.remote_write", "receiver"),
    ("pyroscope.write", "receiver"),
    ("discovery.kubernetes", "targets"),
    ("discovery.relabel", "output"),
];

pub(crate) fn scrapes() -> Vec<Scrape> {
    let texts = FILES.iter().filter_map(|name| {
        let text = super::text(name)?;
        Some((name, [text.clone(), uncommented(&text)]))
    });
    texts
        .flat_map(|(name, texts)| texts.map(|text| of(name, &text).unwrap()))
        .flatten()
        .collect()
}

/// With the settings that stand there as comments: each line of code is indented.
fn uncommented(text: &str) -> String {
    text.lines()
        .map(|line| match line.trim_start().strip_prefix("// ") {
            Some(code) if line.starts_with("  ") && is_code(code) => format!("{code}\n"),
            _ => format!("{line}\n"),
        })
        .collect()
}

fn is_code(comment: &str) -> bool {
    comment.ends_with('{') || comment.ends_with('}') || comment.contains(" = ")
}

/// What a configuration asks for, if it is one.
pub(crate) fn of(name: &str, text: &str) -> Result<Vec<Scrape>, String> {
    let file = river::parse(text).map_err(|reason| format!("{name}: {reason}"))?;
    for block in &file.blocks {
        known(block, &file).map_err(|reason| format!("{name}: {reason}"))?;
    }
    let mut found = Vec::new();
    for block in &file.blocks {
        let place = format!("{name}: {}", block.name);
        let scrape = |kind, path: &str| Scrape {
            place: place.clone(),
            kind,
            path: path.to_owned(),
            parameters: parameters(block),
            port: address(block).and_then(port),
            authorized: block.block("authorization").is_some_and(is_bearer),
        };
        match block.name.as_str() {
            "prometheus.scrape" => {
                let path = block.text("metrics_path").unwrap_or("/metrics");
                found.push(scrape(Kind::Metrics, path));
            }
            "pyroscope.scrape" => found.extend(profiles(block, scrape)),
            _ => {}
        }
    }
    Ok(found)
}

fn profiles(block: &Block, scrape: impl Fn(Kind, &str) -> Scrape) -> Vec<Scrape> {
    let config = block.block("profiling_config");
    let prefix = config.and_then(|config| config.text("path_prefix"));
    let mut found = Vec::new();
    for default in PROFILES {
        let own = config.and_then(|config| config.block(&format!("profile.{}", default.name)));
        let told = |name| own.and_then(|own| own.bool(name));
        if !told("enabled").unwrap_or(default.enabled) {
            continue;
        }
        let path = own.and_then(|own| own.text("path")).unwrap_or(default.path);
        let mut profile = scrape(
            Kind::Profile,
            &format!("{}{path}", prefix.unwrap_or_default()),
        );
        profile.place = format!("{}, {}", profile.place, default.name);
        if told("delta").unwrap_or(default.delta) {
            let seconds = ("seconds".to_owned(), DELTA_SECONDS.to_owned());
            profile.parameters.push(seconds);
        }
        found.push(profile);
    }
    found
}

fn is_bearer(block: &Block) -> bool {
    block.text("type") == Some("Bearer")
        && (block.text("credentials_file").is_some() || block.attribute("credentials").is_some())
}

fn address(block: &Block) -> Option<&str> {
    let Value::List(targets) = block.attribute("targets")? else {
        return None;
    };
    let Value::Object(labels) = targets.first()? else {
        return None;
    };
    let (_, value) = labels.iter().find(|(name, _)| name == "__address__")?;
    match value {
        Value::Text(address) => Some(address),
        _ => None,
    }
}

fn parameters(block: &Block) -> Vec<(String, String)> {
    let Some(Value::Object(parameters)) = block.attribute("params") else {
        return Vec::new();
    };
    let pairs = parameters.iter().flat_map(|(name, values)| {
        let Value::List(values) = values else {
            panic!("the parameter {name} is no list")
        };
        values.iter().map(move |value| match value {
            Value::Text(text) => (name.clone(), text.clone()),
            other => panic!("the parameter {name} is {other:?}"),
        })
    });
    pairs.collect()
}

/// Whether its arguments and blocks are those of the component, and what it refers to is there.
fn known(block: &Block, file: &Block) -> Result<(), String> {
    let name = match block.name.split_once('.') {
        Some(("profile", kind)) if PROFILES.iter().any(|known| known.name == kind) => "profile",
        _ => &block.name,
    };
    let Some((_, names)) = KNOWN.iter().find(|(known, _)| *known == name) else {
        return Err(format!("there is no block {}", block.name));
    };
    for (attribute, value) in &block.attributes {
        if !names.contains(&attribute.as_str()) {
            return Err(format!("{} has no argument {attribute}", block.name));
        }
        refers(value, file)?;
    }
    for inner in &block.blocks {
        let is_profile = name == "profiling_config" && inner.name.starts_with("profile.");
        if !is_profile && !names.contains(&inner.name.as_str()) {
            return Err(format!("{} has no block {}", block.name, inner.name));
        }
        known(inner, file)?;
    }
    Ok(())
}

fn refers(value: &Value, file: &Block) -> Result<(), String> {
    match value {
        Value::Reference(whole) => {
            let exported = |block: &Block| {
                let label = block.label.as_deref()?;
                let (_, export) = EXPORTS.iter().find(|(name, _)| *name == block.name)?;
                Some(format!("{}.{label}.{export}", block.name))
            };
            let mut all = file.blocks.iter().filter_map(exported);
            if all.any(|export| export == *whole) {
                Ok(())
            } else {
                Err(format!("nothing exports {whole}"))
            }
        }
        Value::List(values) => values.iter().try_for_each(|value| refers(value, file)),
        Value::Object(pairs) => pairs.iter().try_for_each(|(_, value)| refers(value, file)),
        _ => Ok(()),
    }
}

#[test]
fn what_alloy_would_not_load_is_an_error() {
    let Some(text) = super::text(FILES[0]) else {
        return;
    };
    assert!(of("as it is", &text).is_ok());
    for (from, to) in [
        ("metrics_path ", "metric_path "),
        ("profile.mutex", "profile.mutexes"),
        ("pyroscope.write.profiles", "pyroscope.write.elsewhere"),
        ("enabled = true", "enable = true"),
        ("profiling_config", "profile_config"),
    ] {
        let changed = super::changed(&text, from, to);
        assert!(of("changed", &changed).is_err(), "{to}");
    }
}
