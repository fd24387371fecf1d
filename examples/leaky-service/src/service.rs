//! The web service: the routes of the cases, and what the service says of itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::map_request_with_state;
use axum::routing::{get, post};
use axum::{Json, Router};
use heaplens::TrackedBTreeMap;
use serde::{Deserialize, Serialize};

use crate::cases::{self, Background, Case, CaseName, Mode, Retained};

/// The cases that run, and a count of their requests.
pub struct Service {
    /// A map that is as it should be, for comparison.
    cases: TrackedBTreeMap<CaseName, Arc<dyn Case>>,
    requests: AtomicU64,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
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

/// The case is not one of those that the service was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRunning(pub CaseName);

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(case) = self;
        write!(f, "{case} does not run here; start it with --case {case}")
    }
}

impl std::error::Error for NotRunning {}

impl Service {
    /// A service with these cases, all of them empty. `tick` is the period of
    /// the timer that registers callbacks and must not be zero.
    pub fn new(names: &[CaseName], mode: Mode, tick: Duration) -> Arc<Self> {
        let build = |name: &CaseName| (*name, cases::build(*name, mode, tick));
        let mut cases = TrackedBTreeMap::named("cases");
        cases.extend(names.iter().map(build));
        Arc::new(Self {
            cases,
            requests: AtomicU64::new(0),
        })
    }

    /// The business routes, `/stats`, `/repair`, `/break` and `/healthz`.
    pub fn router(self: &Arc<Self>) -> Router {
        let business = self.cases.values().fold(Router::new(), |all, case| {
            all.merge(Arc::clone(case).routes())
        });
        // A middleware that has returned before the handler runs: one that
        // awaits the handler would be on the stack of all that it allocates.
        let counted = map_request_with_state(Arc::clone(self), count);
        Router::new()
            .route("/stats", get(stats))
            .route("/repair", post(repair))
            .route("/break", post(break_again))
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

    /// Goes over to the repaired or back to the leaking form of a case, or of
    /// all that run. Lets go of what had gathered in the other form; a case that
    /// has this form already keeps what it holds.
    ///
    /// # Errors
    /// If the case is not one of those that run.
    pub fn switch(&self, only: Option<CaseName>, to: Mode) -> Result<(), NotRunning> {
        if let Some(case) = only.filter(|case| !self.cases.contains_key(case)) {
            return Err(NotRunning(case));
        }
        for (name, case) in &self.cases {
            if only.is_none_or(|only| only == *name) && case.mode() != to {
                if to == Mode::Leaking {
                    cases::undeclare(*name);
                }
                case.switch(to);
            }
        }
        Ok(())
    }

    /// What each case holds now.
    pub fn stats(&self) -> Stats {
        let of = |(name, case): (&CaseName, &Arc<dyn Case>)| {
            let retained = case.retained();
            let mode = case.mode();
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

/// Query of `POST /repair` and `POST /break`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// `None` = all that run.
    case: Option<CaseName>,
}

/// Answers what `/stats` does, afterwards.
type Switched = Result<Json<Stats>, (StatusCode, String)>;

async fn repair(service: State<Arc<Service>>, which: Query<Which>) -> Switched {
    switched(&service, &which, Mode::Fixed)
}

async fn break_again(service: State<Arc<Service>>, which: Query<Which>) -> Switched {
    switched(&service, &which, Mode::Leaking)
}

fn switched(service: &Service, which: &Which, to: Mode) -> Switched {
    let switched = service.switch(which.case, to);
    switched.map_err(|error| (StatusCode::NOT_FOUND, format!("{error}\n")))?;
    Ok(Json(service.stats()))
}

async fn stats(State(service): State<Arc<Service>>) -> Json<Stats> {
    Json(service.stats())
}
