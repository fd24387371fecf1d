//! The built-in load generator: real HTTP at a steady rate.

use std::fmt;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::cases::CaseName;
use crate::shutdown::Shutdown;
use crate::traffic;

/// Requests under way at the same time. When the service is so slow that these
/// do not suffice the rate falls, and is made up for later.
const MAX_CONCURRENT: usize = 64;
const TIMEOUT: Duration = Duration::from_secs(5);

type HttpClient = Client<HttpConnector, Full<Bytes>>;

/// What to send.
#[derive(Clone, Debug)]
pub struct Load {
    /// Start of the URLs, as in `http://127.0.0.1:8080`.
    pub base: String,
    /// Whose requests, in turn.
    pub cases: Vec<CaseName>,
    /// Requests a second; 0 = none.
    pub rate: u32,
    /// Ends after so many; `None` = only on shutdown.
    pub limit: Option<u64>,
}

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Requests started.
    pub sent: u64,
    /// Answered with a status of 2xx.
    pub succeeded: u64,
    /// Answered otherwise, not answered, or not sent.
    pub failed: u64,
    /// What was wrong with the first that failed.
    pub first_failure: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests, {} failed", self.sent, self.failed)?;
        match &self.first_failure {
            Some(failure) => write!(f, "; the first: {failure}"),
            None => Ok(()),
        }
    }
}

impl Report {
    fn add(&mut self, outcome: Result<Result<(), String>, JoinError>) {
        match outcome.unwrap_or_else(|error| Err(error.to_string())) {
            Ok(()) => self.succeeded += 1,
            Err(failure) => {
                self.failed += 1;
                self.first_failure.get_or_insert(failure);
            }
        }
    }
}

/// Sends until the limit or until shutdown, then waits for what is under way,
/// at most the time-out of a request (5 s).
pub async fn run(load: Load, mut shutdown: Shutdown) -> Report {
    let mut report = Report::default();
    if load.rate == 0 || load.cases.is_empty() {
        return report;
    }
    let client: HttpClient = Client::builder(TokioExecutor::new()).build_http();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / load.rate);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut under_way = JoinSet::new();
    while load.limit.is_none_or(|limit| report.sent < limit) {
        tokio::select! {
            biased;
            () = shutdown.requested() => break,
            Some(outcome) = under_way.join_next() => report.add(outcome),
            _ = ticks.tick(), if under_way.len() < MAX_CONCURRENT => {
                under_way.spawn(one(client.clone(), nth(&load, report.sent)));
                report.sent += 1;
            }
        }
    }
    while let Some(outcome) = under_way.join_next().await {
        report.add(outcome);
    }
    report
}

/// The cases take turns.
fn nth(load: &Load, n: u64) -> Result<Request<Full<Bytes>>, String> {
    let cases = load.cases.len() as u64;
    let case = load.cases.get((n % cases) as usize);
    let case = case.ok_or("no case to send to")?;
    traffic::request(&load.base, *case, n / cases).map_err(|error| error.to_string())
}

async fn one(
    client: HttpClient,
    request: Result<Request<Full<Bytes>>, String>,
) -> Result<(), String> {
    let request = request?;
    let what = format!("{} {}", request.method(), request.uri());
    let answer = async {
        let response = client
            .request(request)
            .await
            .map_err(|error| format!("{what}: {}", with_causes(&error)))?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| format!("{what}: {error}"))?.to_bytes();
        if status.is_success() {
            Ok(())
        } else {
            let reason = String::from_utf8_lossy(&body);
            Err(format!("{what}: {status}: {}", reason.trim_end()))
        }
    };
    tokio::time::timeout(TIMEOUT, answer)
        .await
        .unwrap_or_else(|_| Err(format!("{what}: no answer within {TIMEOUT:?}")))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
