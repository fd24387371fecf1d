//! `dashboards/kubernetes/`: the objects, and what is asked of the agent by them.

use serde_json::Value;

use super::prometheus::is_bearer;
use super::scrape::{Kind, Scrape};
use super::yaml::{self, list};

/// The only object of its kind in a file.
pub(crate) fn object(file: &str, kind: &str) -> Option<Value> {
    let objects = yaml::files(&format!("dashboards/kubernetes/{file}"))?;
    let mut found = objects.into_iter().filter(|object| object["kind"] == kind);
    let object = found.next().unwrap_or_else(|| panic!("{file}: no {kind}"));
    assert!(found.next().is_none(), "{file}: {kind} is there twice");
    Some(object)
}

pub(crate) fn deployment() -> Option<Value> {
    object("example.yaml", "Deployment")
}

/// The container of the example.
pub(crate) fn container(deployment: &Value) -> &Value {
    let containers = list(&deployment["spec"]["template"]["spec"]["containers"]);
    assert_eq!(containers.len(), 1);
    &containers[0]
}

/// The number of a container's port.
pub(crate) fn port(container: &Value, name: &str) -> Option<u16> {
    let mut ports = list(&container["ports"]).iter();
    let port = ports.find(|port| port["name"] == name)?;
    port["containerPort"].as_u64()?.try_into().ok()
}

/// The command line of the probe that asks the agent.
pub(crate) fn probe(container: &Value) -> Vec<&str> {
    let command = list(&container["startupProbe"]["exec"]["command"]);
    command.iter().filter_map(Value::as_str).collect()
}

pub(crate) fn scrapes() -> Vec<Scrape> {
    let mut found = Vec::new();
    for (file, kind, endpoints) in [
        ("servicemonitor.yaml", "ServiceMonitor", "endpoints"),
        ("podmonitor.yaml", "PodMonitor", "podMetricsEndpoints"),
    ] {
        let Some(monitor) = object(file, kind) else {
            return Vec::new();
        };
        let container_port = |endpoint: &Value| {
            let deployment = deployment()?;
            port(container(&deployment), endpoint["port"].as_str()?)
        };
        found.extend(
            list(&monitor["spec"][endpoints])
                .iter()
                .map(|endpoint| Scrape {
                    place: file.to_owned(),
                    kind: Kind::Metrics,
                    path: endpoint["path"].as_str().unwrap_or("/metrics").to_owned(),
                    parameters: super::prometheus::parameters(endpoint),
                    port: container_port(endpoint),
                    authorized: is_bearer(&endpoint["authorization"]),
                }),
        );
    }
    found.extend(annotated());
    found.extend(probed());
    found
}

/// What a Prometheus asks for that goes by annotations.
fn annotated() -> Option<Scrape> {
    let deployment = deployment()?;
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    let told = |name: &str| annotations[format!("prometheus.io/{name}")].as_str();
    (told("scrape") == Some("true")).then(|| Scrape {
        place: "example.yaml, annotations".to_owned(),
        kind: Kind::Metrics,
        path: told("path").unwrap_or("/metrics").to_owned(),
        parameters: Vec::new(),
        port: told("port").and_then(|port| port.parse().ok()),
        // By prometheus-annotations.yml.
        authorized: true,
    })
}

/// What the startup probe asks for: the last word of its command, a URL.
fn probed() -> Option<Scrape> {
    let deployment = deployment()?;
    let command = probe(container(&deployment)).pop()?.to_owned();
    let url = command.split_whitespace().next_back()?;
    let (host, path) = url.strip_prefix("http://")?.split_once('/')?;
    Some(Scrape {
        place: "example.yaml, startupProbe".to_owned(),
        kind: Kind::Probe,
        path: format!("/{path}"),
        parameters: Vec::new(),
        port: super::scrape::port(host),
        authorized: command.contains("Authorization: Bearer"),
    })
}
