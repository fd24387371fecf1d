//! The web service: the routes of the cases, and what the service says of itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::map_request_with_state;
use axum::routing::get;
use axum::{Json, Router};
use heaplens::TrackedBTreeMap;
use serde::Serialize;

use crate::cases::{self, Background, Case, CaseName, Mode, Retained};

/// The cases that run, and a count of their requests.
pub struct Service {
    mode: Mode,
    /// A map that is as it should be, for comparison.
    cases: TrackedBTreeMap<CaseName, Arc<dyn Case>>,
    requests: AtomicU64,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("mode", &self.mode)
            .field("cases", &self.cases.keys())
            .field("requests", &self.requests)
            .finish()
    }
}

/// What `GET /stats` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// By name.
    pub cases: BTreeMap<&'static str, CaseStats>,
    /// Business requests since the start.
    pub requests: u64,
}

/// One case in [`Stats`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CaseStats {
    /// What it holds.
    #[serde(flatten)]
    pub retained: Retained,
    /// Which implementation runs.
    pub mode: Mode,
}

impl Service {
    /// A service with these cases, all of them empty. `tick` is the period of
    /// the timer that registers callbacks and must not be zero.
    pub fn new(names: &[CaseName], mode: Mode, tick: Duration) -> Arc<Self> {
        let build = |name: &CaseName| (*name, cases::build(*name, mode, tick));
        let mut cases = TrackedBTreeMap::named("cases");
        cases.extend(names.iter().map(build));
        Arc::new(Self {
            mode,
            cases,
            requests: AtomicU64::new(0),
        })
    }

    /// The business routes, `/stats` and `/healthz`.
    pub fn router(self: &Arc<Self>) -> Router {
        let business = self.cases.values().fold(Router::new(), |all, case| {
            all.merge(Arc::clone(case).routes())
        });
        // A middleware that has returned before the handler runs: one that
        // awaits the handler would be on the stack of all that it allocates.
        let counted = map_request_with_state(Arc::clone(self), count);
        Router::new()
            .route("/stats", get(stats))
            .with_state(Arc::clone(self))
            .route("/healthz", get(async || "ok\n"))
            .merge(business.layer(counted))
    }

    /// The timers and sweeps of the cases.
    pub fn background(&self) -> Vec<Background> {
        self.cases
            .values()
            .filter_map(|case| Arc::clone(case).background())
            .collect()
    }

    /// What each case holds now.
    pub fn stats(&self) -> Stats {
        let of = |(name, case): (&CaseName, &Arc<dyn Case>)| {
            let retained = case.retained();
            let mode = self.mode;
            (name.as_str(), CaseStats { retained, mode })
        };
        Stats {
            cases: self.cases.iter().map(of).collect(),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }
}

async fn count(State(service): State<Arc<Service>>, request: Request) -> Request {
    service.requests.fetch_add(1, Ordering::Relaxed);
    request
}

async fn stats(State(service): State<Arc<Service>>) -> Json<Stats> {
    Json(service.stats())
}
