//! A real Alertmanager with the shipped configuration, which posts to a
//! receiver of the test.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::curl;
use crate::process::{Directory, Process, listening_on, tool};
use crate::receiver::Receiver;
use crate::scale::Scale;
use crate::shipped;

/// A server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Alertmanager {
    _process: Process,
    address: String,
    _directory: Directory,
}

/// An alert as Alertmanager holds it.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) labels: Value,
    fingerprint: String,
    pub(crate) inhibited_by: Vec<String>,
}

impl Known {
    fn of(told: &Value) -> Self {
        let inhibited_by = told["status"]["inhibitedBy"].as_array();
        let inhibited_by = inhibited_by.map(Vec::as_slice).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self {
            labels: told["labels"].clone(),
            fingerprint: text(&told["fingerprint"]),
            inhibited_by: inhibited_by.iter().map(text).collect(),
        }
    }

    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels[name].as_str().unwrap_or_default()
    }

    pub(crate) fn is_inhibited_by(&self, other: &Self) -> bool {
        self.inhibited_by.contains(&other.fingerprint)
    }
}

impl Alertmanager {
    /// Starts the server that the variable names, with the shipped
    /// configuration, scaled, and its webhooks sent to `receiver`.
    pub(crate) fn start(variable: &'static str, receiver: &Receiver, scale: Scale) -> Self {
        let directory = Directory::new();
        let configuration = directory.join("alertmanager.yml");
        let shipped = shipped::read("alertmanager/alertmanager.yml");
        let sent_here = shipped::with_hooks_to(&shipped, &receiver.address());
        fs::write(&configuration, scale.apply(&sent_here)).unwrap();
        let mut process = Process::start(
            variable,
            Command::new(tool(variable))
                .arg(format!("--config.file={}", configuration.display()))
                .arg(format!(
                    "--storage.path={}",
                    directory.join("data").display()
                ))
                .arg("--web.listen-address=127.0.0.1:0")
                // One server alone.
                .arg("--cluster.listen-address="),
        );
        let address = process.wait_for_log("address of Alertmanager", listening_on);
        Self {
            _process: process,
            address,
            _directory: directory,
        }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The alerts that it holds and that have not been resolved, inhibited ones
    /// included.
    pub(crate) fn alerts(&self) -> Vec<Known> {
        let told = curl::get_ok(&self.api(), &[]).json();
        let alerts = told.as_array().map(Vec::as_slice).unwrap_or_default();
        alerts.iter().map(Known::of).collect()
    }

    /// Sends alerts with these labels as Prometheus does. They began long ago
    /// and end at `end`, a time as in RFC 3339.
    pub(crate) fn post(&self, alerts: &[Value], end: &str) {
        let alert = |labels: &Value| json!({"labels": labels, "startsAt": "2020-01-01T00:00:00Z", "endsAt": end});
        let body = alerts.iter().map(alert).collect::<Value>().to_string();
        curl::get_ok(
            &self.api(),
            &[
                "--header",
                "Content-Type: application/json",
                "--data",
                &body,
            ],
        );
    }

    fn api(&self) -> String {
        format!("http://{}/api/v2/alerts", self.address)
    }
}
