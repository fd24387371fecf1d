//! The service under test.

use std::process::Command;

use serde_json::Value;

use crate::curl;
use crate::process::{Process, wait_for};

/// Requests a second where the test only waits for memory: more than the
/// service manages on a slow machine, which is no harm.
const FAST: u32 = 5000;

const ANY_PORT: &str = "127.0.0.1:0";

/// How to start it.
#[derive(Debug)]
pub(crate) struct Setup {
    /// `None` = all five.
    pub(crate) case: Option<&'static str>,
    /// The repaired forms.
    pub(crate) fixed: bool,
    /// Verdicts within minutes.
    pub(crate) demo_windows: bool,
    pub(crate) rate: u32,
    /// Ends the load after so many.
    pub(crate) requests: Option<u64>,
    /// Address of the agent.
    pub(crate) listen: String,
    /// Ends it after so many seconds.
    pub(crate) duration: u64,
    /// Address of the business API.
    pub(crate) service: String,
    pub(crate) environment: Vec<(&'static str, String)>,
}

/// The environment for samples at this interval: all of them, however slow the
/// machine is.
pub(crate) fn every(interval: u64) -> Vec<(&'static str, String)> {
    vec![
        ("HEAPLENS_SAMPLE_INTERVAL", interval.to_string()),
        ("HEAPLENS_MAX_OVERHEAD", "0".to_owned()),
    ]
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            case: None,
            fixed: false,
            demo_windows: false,
            rate: FAST,
            requests: None,
            listen: ANY_PORT.to_owned(),
            duration: 900,
            service: ANY_PORT.to_owned(),
            environment: Vec::new(),
        }
    }
}

/// What a case holds by the service's own count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retained {
    pub(crate) entries: u64,
    /// Of all that the case keeps.
    pub(crate) bytes: u64,
    /// Of the map alone: its table and what its entries own.
    pub(crate) map_bytes: u64,
    pub(crate) table_bytes: u64,
}

impl Retained {
    fn of(case: &Value) -> Option<Self> {
        let number = |name: &str| case[name].as_u64();
        Some(Self {
            entries: number("entries")?,
            bytes: number("bytes")?,
            map_bytes: number("map_bytes")?,
            table_bytes: number("table_bytes")?,
        })
    }
}

/// A running leaky-service.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) process: Process,
    /// `http://127.0.0.1:PORT` of the agent.
    pub(crate) agent: String,
    business: String,
}

/// The command. The duration ends it even if the test is killed in a way that
/// leaves no time to clean up.
pub(crate) fn command(setup: &Setup) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_leaky-service"));
    command
        .args(["--listen", &setup.listen, "--service", &setup.service])
        .args(["--rate", &setup.rate.to_string()])
        .args(["--duration", &setup.duration.to_string()])
        .args(setup.fixed.then_some("--fixed"))
        .args(setup.demo_windows.then_some("--demo-windows"))
        .args(setup.requests.map(|n| format!("--requests={n}")))
        .args(setup.case.into_iter().flat_map(|case| ["--case", case]));
    // What the caller's environment says is not under test.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HEAPLENS_") {
            command.env_remove(name);
        }
    }
    command.envs(setup.environment.iter().map(|(name, value)| (name, value)));
    command
}

impl Service {
    pub(crate) fn start(setup: &Setup) -> Self {
        let mut process = Process::start("leaky-service", &mut command(setup));
        let (business, agent) = process.wait_for_log("banner", |log| {
            // The last line, so that the lines before it are complete.
            log.contains("Ctrl-C stops it.\n")
                .then(|| (url(log, "/stats"), url(log, "/metrics")))
        });
        assert!(
            !agent.ends_with(":0"),
            "the banner does not tell the agent's true port"
        );
        Self {
            process,
            agent,
            business,
        }
    }

    /// What the service says of itself.
    fn stats(&self) -> Value {
        curl::get_ok(&format!("{}/stats", self.business), &[]).json()
    }

    /// Repairs a case while it runs.
    pub(crate) fn repair(&self, case: &str) {
        let url = format!("{}/repair?case={case}", self.business);
        let stats = curl::get_ok(&url, &["--request", "POST"]).json();
        assert_eq!(stats["cases"][case]["mode"], "fixed", "{stats:#}");
    }

    /// The agent as Prometheus knows it.
    pub(crate) fn instance(&self) -> &str {
        self.agent.trim_start_matches("http://")
    }

    /// What a case holds by the service's own count.
    pub(crate) fn retained(&self, case: &str) -> Retained {
        let stats = self.stats();
        Retained::of(&stats["cases"][case]).unwrap_or_else(|| panic!("no {case} in {stats}"))
    }

    /// Bytes that a case holds by the service's own count.
    pub(crate) fn bytes(&self, case: &str) -> u64 {
        self.retained(case).bytes
    }

    /// Requests that have come.
    pub(crate) fn requests(&self) -> u64 {
        self.stats()["requests"].as_u64().unwrap_or_default()
    }

    /// Waits until so many requests have come, and then a little more: until
    /// two looks at what these cases hold find the same.
    pub(crate) fn wait_for_requests(&self, cases: &[&str], requests: u64) {
        wait_for(&format!("{requests} requests"), || {
            (self.requests() >= requests).then_some(())
        });
        let mut last = Vec::new();
        wait_for("rest", || {
            let now: Vec<Retained> = cases.iter().map(|case| self.retained(case)).collect();
            (std::mem::replace(&mut last, now.clone()) == now).then_some(())
        });
    }

    /// Waits until a case holds so many bytes.
    pub(crate) fn wait_for_bytes(&self, case: &str, bytes: u64) {
        wait_for(&format!("{bytes} bytes held by {case}"), || {
            (self.bytes(case) >= bytes).then_some(())
        });
    }

    /// A URL of the agent.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.agent)
    }
}

/// The part before `path` of the URL in the banner that ends in it.
fn url(banner: &str, path: &str) -> String {
    banner
        .split_whitespace()
        .find_map(|word| {
            word.strip_suffix(path)
                .filter(|base| base.starts_with("http://"))
        })
        .unwrap_or_else(|| panic!("no URL with {path} in the banner:\n{banner}"))
        .to_owned()
}
