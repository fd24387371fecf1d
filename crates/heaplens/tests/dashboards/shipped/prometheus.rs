//! Scrape configurations of Prometheus, ours and those for Kubernetes.

use serde_json::Value;

use super::scrape::{Kind, Scrape, port};
use super::yaml::{self, list};

const FILES: [&str; 2] = [
    "dashboards/prometheus/prometheus.yml",
    "dashboards/kubernetes/prometheus-annotations.yml",
];

pub(crate) fn scrapes() -> Vec<Scrape> {
    let texts = FILES.iter().filter_map(|name| {
        let text = super::text(name)?;
        Some((name, [text.clone(), uncommented(&text)]))
    });
    texts
        .flat_map(|(name, texts)| texts.map(|text| of(name, &text)))
        .flatten()
        .collect()
}

/// With the settings that stand there as comments, from `# authorization:` to the end of the
/// comment.
pub(super) fn uncommented(text: &str) -> String {
    let mut inside = false;
    let lines = text.lines().map(|line| {
        let comment = line.trim_start().strip_prefix("# ");
        inside = comment.is_some_and(|code| inside || code == "authorization:");
        match comment {
            Some(_) if inside => format!("{}\n", line.replacen("# ", "", 1)),
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

fn of(name: &str, text: &str) -> Vec<Scrape> {
    let documents = yaml::documents(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let jobs = documents
        .iter()
        .flat_map(|file| list(&file["scrape_configs"]));
    let found: Vec<Scrape> = jobs
        .map(|job| Scrape {
            place: format!("{name}: {}", job["job_name"]),
            kind: Kind::Metrics,
            path: job["metrics_path"]
                .as_str()
                .unwrap_or("/metrics")
                .to_owned(),
            parameters: parameters(job),
            port: target_port(job),
            authorized: is_bearer(&job["authorization"]),
        })
        .collect();
    assert!(!found.is_empty(), "{name}: no scrape_configs");
    found
}

/// The port of its only target.
pub(super) fn target_port(job: &Value) -> Option<u16> {
    port(job["static_configs"][0]["targets"][0].as_str()?)
}

pub(super) fn parameters(job: &Value) -> Vec<(String, String)> {
    let Some(parameters) = job["params"].as_object() else {
        return Vec::new();
    };
    let pairs = parameters.iter().flat_map(|(name, values)| {
        let values = list(values).iter();
        values.map(move |value| (name.clone(), value.as_str().unwrap().to_owned()))
    });
    pairs.collect()
}

/// `Bearer` is what Prometheus takes where no type is said.
pub(super) fn is_bearer(authorization: &Value) -> bool {
    let kind = authorization["type"].as_str().unwrap_or("Bearer");
    let credentials = ["credentials", "credentials_file"].map(|name| &authorization[name]);
    kind == "Bearer" && credentials.iter().any(|told| !told.is_null())
}

#[test]
fn settings_in_comments_are_read_too() {
    let text = "a: 1 # b\n# not this\n# authorization:\n#   type: Bearer\nc: 2\n# nor: this\n";
    let expected = "a: 1 # b\n# not this\nauthorization:\n  type: Bearer\nc: 2\n# nor: this\n";
    assert_eq!(uncommented(text), expected);
}
