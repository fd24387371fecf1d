//! The five leaks. Each file has the business function that leaks and, behind
//! one small trait or enum, the map as it was in production and as repaired.
//!
//! The business function is what the web framework or the timer calls, without
//! a function of this service in between, and it makes by itself what is kept:
//! so a profile sorted by cumulative bytes has it at the head.

mod callbacks;
mod closures;
mod field;
mod metrics;
mod sessions;

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use clap::ValueEnum;
use heaplens::maps::Group;
use serde::{Deserialize, Serialize};

/// A leak by the name under which `--case` and `/stats` know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseName {
    /// A session cache that nothing expires
    Sessions,
    /// Counters keyed by user id
    Metrics,
    /// Boxed closures that capture request data, kept in a map
    Closures,
    /// A cache map in a long-lived object
    Field,
    /// A timer that registers a callback each tick and removes none
    Callbacks,
}

impl CaseName {
    /// All of them, in the order of the README.
    pub const ALL: [Self; 5] = [
        Self::Sessions,
        Self::Metrics,
        Self::Closures,
        Self::Field,
        Self::Callbacks,
    ];

    /// The name on the command line and in `/stats`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sessions => "sessions",
            Self::Metrics => "metrics",
            Self::Closures => "closures",
            Self::Field => "field",
            Self::Callbacks => "callbacks",
        }
    }
}

impl fmt::Display for CaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which of the two implementations runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// As it was in production.
    Leaking,
    /// As repaired.
    Fixed,
}

/// What a case holds now, by its own exact count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// Entries of the map.
    pub entries: usize,
    /// Bytes requested from the allocator for the map's table, for all that its
    /// entries own, and for a queue beside the map.
    pub bytes: usize,
    /// Of these, the table and what the entries own.
    pub map_bytes: usize,
    /// Of these, the table.
    pub table_bytes: usize,
}

impl Retained {
    /// A map alone, whose entries own so many bytes.
    fn by_map(entries: usize, table: usize, owned: usize) -> Self {
        Self {
            entries,
            bytes: table + owned,
            map_bytes: table + owned,
            table_bytes: table,
        }
    }

    /// With so many bytes beside the map.
    fn and(self, beside: usize) -> Self {
        let bytes = self.bytes + beside;
        Self { bytes, ..self }
    }
}

/// Work that a case does beside its requests. It never ends by itself and may
/// be dropped at any await point.
pub type Background = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One leak with its routes.
pub trait Case: Send + Sync {
    /// Which implementation runs.
    fn mode(&self) -> Mode;

    /// Goes over to the other implementation while the service runs, as a
    /// restart would: what the map holds is let go of. The map's name, by which
    /// it is known outside, stays. Costs what it takes to drop all of it.
    fn switch(&self, to: Mode);

    /// What it holds now. Constant time, under the lock of the map.
    fn retained(&self) -> Retained;

    /// Its share of the business API.
    fn routes(self: Arc<Self>) -> Router;

    /// Its timer or sweep, if it has one.
    fn background(self: Arc<Self>) -> Option<Background>;
}

/// The case of that name, empty. `tick` is the period of the timer that
/// registers callbacks and must not be zero.
pub fn build(name: CaseName, mode: Mode, tick: Duration) -> Arc<dyn Case> {
    match name {
        CaseName::Sessions => Arc::new(sessions::Sessions::new(mode)),
        CaseName::Metrics => Arc::new(metrics::Metrics::new(mode)),
        CaseName::Closures => Arc::new(closures::Outbox::new(mode)),
        CaseName::Field => Arc::new(field::Reporter::new(mode)),
        CaseName::Callbacks => Arc::new(callbacks::Desk::new(mode, tick)),
    }
}

/// Takes back what the repaired form has declared of its map.
pub(crate) fn undeclare(name: CaseName) {
    let group = Group::named(name.as_str()).max_entries(0);
    let _ = group.expected_ttl(Duration::ZERO);
}

/// The most entries that the repaired form of a case holds.
pub const fn fixed_bound(name: CaseName) -> usize {
    match name {
        CaseName::Sessions => sessions::CAPACITY,
        CaseName::Metrics => metrics::MAX_SERIES,
        CaseName::Closures => closures::MAX_PENDING,
        CaseName::Field => field::MAX_REPORTS,
        CaseName::Callbacks => callbacks::MAX_REGISTERED,
    }
}

/// A panic elsewhere leaves these maps consistent: each is changed by calls
/// that do not unwind half-way.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn bad_request(reason: impl fmt::Display) -> Response {
    (StatusCode::BAD_REQUEST, format!("{reason}\n")).into_response()
}
