//! A real Prometheus server that scrapes one agent.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::curl;
use crate::process::{Directory, Process, tool, wait_for};

/// A server with a single target, killed when dropped.
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
        let configuration = directory.join("prometheus.yml");
        let target = agent.trim_start_matches("http://");
        fs::write(
            &configuration,
            format!(
                "global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\n\
                 scrape_configs:\n  - job_name: leaky\n\
                 {more}    static_configs:\n      - targets: ['{target}']\n"
            ),
        )
        .unwrap();
        let mut process = Process::start(
            variable,
            Command::new(tool(variable))
                .arg(format!("--config.file={}", configuration.display()))
                .arg(format!(
                    "--storage.tsdb.path={}",
                    directory.join("data").display()
                ))
                .arg("--web.listen-address=127.0.0.1:0"),
        );
        let address = process.wait_for_log("address of Prometheus", |log| {
            log.contains("Server is ready").then(|| {
                let line = log.lines().find(|line| line.contains("\"Listening on\""))?;
                line.rsplit_once("address=")
                    .map(|(_, address)| address.to_owned())
            })?
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

    /// The newest value of a series, as a query gives it.
    pub(crate) fn value(&self, name: &str) -> f64 {
        let result = self.data(&format!("/query?query={name}"));
        result["result"][0]["value"][1]
            .as_str()
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("no value of {name}: {result:#}"))
    }
}
