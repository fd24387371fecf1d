//! The service's own registry, which shows Heaplens's series as well.

use axum::extract::State;
use axum::http::StatusCode;
use prometheus::{IntCounterVec, Opts, Registry, TextEncoder};

/// A registry with a counter of requests.
#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let options = Opts::new("notes_requests_total", "Requests, by what they asked for.");
        let requests = IntCounterVec::new(options, &["method"])?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(heaplens::Collector::new()))?;
        Ok(Metrics { registry, requests })
    }

    pub(crate) fn count(&self, method: &str) {
        self.requests.with_label_values(&[method]).inc();
    }
}

pub(crate) async fn show(State(metrics): State<Metrics>) -> Result<String, StatusCode> {
    let families = metrics.registry.gather();
    let text = TextEncoder::new().encode_to_string(&families);
    text.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
