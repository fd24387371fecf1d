//! A real Prometheus server that scrapes one agent.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::curl;
use crate::process::{Directory, Process, listening_on, tool, wait_for};
use crate::scale::Scale;
use crate::shipped;

/// A memory limit of 1 GB for processes that run without one, so that the
/// rules that need one are seen to work.
const LIMIT: &str = "groups:
  - name: limit
    rules:
      - record: process_memory_limit_bytes
        expr: 0 * process_start_time_seconds + 1e9
";

/// Instead of the limit that the test may run under.
const WITHOUT_LIMIT: &str = "  - job_name: heaplens
    metric_relabel_configs:
      - source_labels: [__name__]
        regex: process_memory_limit_bytes
        action: drop
";

/// A server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Prometheus {
    _process: Process,
    url: String,
    _directory: Directory,
}

impl Prometheus {
    /// Starts the server that the variable names, for `http://ADDRESS/metrics`,
    /// with `more` lines for its scrape configuration.
    pub(crate) fn start(variable: &'static str, agent: &str, more: &str) -> Self {
        let directory = Directory::new();
        let target = agent.trim_start_matches("http://");
        fs::write(
            directory.join("prometheus.yml"),
            format!(
                "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n\
                 scrape_configs:\n  - job_name: leaky\n\
                 {more}    static_configs:\n      - targets: ['{target}']\n"
            ),
        )
        .unwrap();
        Self::launch(variable, directory)
    }

    /// Starts the server that the variable names as it is shipped: with all
    /// rules, for these agents, and with alerts sent to `alertmanager`. Every
    /// duration is scaled.
    pub(crate) fn shipped(
        variable: &'static str,
        agents: &[&str],
        alertmanager: &str,
        scale: Scale,
    ) -> Self {
        let directory = Directory::new();
        let mut text = shipped::read("prometheus/prometheus.yml");
        if !text.contains("evaluation_interval:") {
            // What a server does that is told nothing.
            text = shipped::replace(&text, "global:\n", "global:\n  evaluation_interval: 1m\n");
        }
        for (from, to) in [
            ("[\"127.0.0.1:6060\"]", format!("{agents:?}")),
            ("127.0.0.1:9093", alertmanager.to_owned()),
            ("rule_files:\n", "rule_files:\n  - limit.yml\n".to_owned()),
            ("  - job_name: heaplens\n", WITHOUT_LIMIT.to_owned()),
        ] {
            text = shipped::replace(&text, from, &to);
        }
        fs::write(directory.join("prometheus.yml"), scale.apply(&text)).unwrap();
        fs::write(directory.join("limit.yml"), LIMIT).unwrap();
        fs::create_dir(directory.join("rules")).unwrap();
        for (name, text) in shipped::rules() {
            let path = directory.join(&format!("rules/{name}"));
            fs::write(path, scale.apply(&text)).unwrap();
        }
        Self::launch(variable, directory)
    }

    /// Starts it with the `prometheus.yml` of the directory.
    fn launch(variable: &'static str, directory: Directory) -> Self {
        let mut process = Process::start(
            variable,
            Command::new(tool(variable))
                .arg(format!(
                    "--config.file={}",
                    directory.join("prometheus.yml").display()
                ))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    directory.join("data").display()
                ))
                .arg("--web.listen-address=127.0.0.1:0")
                // What did not get through is sent again soon.
                .arg("--rules.alert.resend-delay=1s"),
        );
        let address = process.wait_for_log("address of Prometheus", |log| {
            listening_on(log).filter(|_| log.contains("Server is ready"))
        });
        Self {
            _process: process,
            url: format!("http://{address}/api/v1"),
            _directory: directory,
        }
    }

    /// The `data` of an answer of its HTTP API.
    fn data(&self, path: &str) -> Value {
        curl::get_ok(&format!("{}{path}", self.url), &[]).json()["data"].take()
    }

    /// The target once it has been scraped, with its `health` and `lastError`.
    fn target(&self) -> Value {
        wait_for("scrape", || {
            // None is there before the first discovery is done.
            let targets = self.data("/targets");
            let target = targets["activeTargets"].get(0)?;
            (target["health"] != "unknown").then(|| target.clone())
        })
    }

    /// Waits until the target is up. A scrape that timed out on a busy machine
    /// is not yet a failure; a refused one is.
    pub(crate) fn wait_until_up(&self) {
        wait_for("target that is up", || {
            let target = self.target();
            let error = target["lastError"].as_str().unwrap_or_default();
            assert!(
                error.is_empty() || error.contains("deadline"),
                "the scrape failed: {target:#}"
            );
            (target["health"] == "up").then_some(())
        });
    }

    /// The names of all series of the target.
    pub(crate) fn series(&self) -> BTreeSet<String> {
        let names = self.data("/label/__name__/values");
        let names = names.as_array().map(Vec::as_slice).unwrap_or_default();
        names
            .iter()
            .filter_map(Value::as_str)
            .map(ToOwned::to_owned)
            .collect()
    }

    /// The names under which the target described its metrics.
    pub(crate) fn described(&self) -> BTreeSet<String> {
        wait_for("metadata", || {
            let metadata = self.data("/metadata");
            let names = metadata.as_object()?;
            (!names.is_empty()).then(|| names.keys().cloned().collect())
        })
    }

    /// All results of a query: labels and value.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        let encoded = format!("query={query}");
        let url = format!("{}/query", self.url);
        let answer = curl::get_ok(&url, &["--get", "--data-urlencode", &encoded]);
        let result = answer.json()["data"]["result"].take();
        result.as_array().cloned().unwrap_or_default()
    }

    /// All rules as they are evaluated, and their alerts.
    pub(crate) fn rules(&self) -> Vec<Value> {
        let groups = self.data("/rules")["groups"].take();
        let groups = groups.as_array().cloned().unwrap_or_default();
        let rules = |group: &Value| group["rules"].as_array().cloned().unwrap_or_default();
        groups.iter().flat_map(rules).collect()
    }

    /// The newest value of a series, as a query gives it.
    pub(crate) fn value(&self, name: &str) -> f64 {
        let result = self.data(&format!("/query?query={name}"));
        result["result"][0]["value"][1]
            .as_str()
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("no value of {name}: {result:#}"))
    }
}
