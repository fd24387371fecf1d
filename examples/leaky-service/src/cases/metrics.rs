//! Counters keyed by user id.
//!
//! As it happened: latency was wanted "per user, for support", so the user id
//! became the key of the series, and every user who ever came has one.
//! Repaired by keys from a bounded set: the template of the route, and one
//! series for all that is over the limit.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use heaplens::TrackedHashMap;
use heaplens::maps::Group;
use serde::{Deserialize, Serialize};

use super::{Background, Case, Mode, Retained, bad_request, lock};
use crate::heap_bytes::{HeapBytes, TableMark, grown_table_bytes};

/// The most routes that the repaired form tells apart.
const MAX_ROUTES: usize = 64;
/// The series of all routes beyond that.
const OTHER: &str = "other";
pub(super) const MAX_SERIES: usize = MAX_ROUTES + 1;
/// Buckets of a latency histogram: sixteen to each power of ten from 0.1 ms on.
const BUCKETS: usize = 160;
const MAX_PATH: usize = 256;

pub(super) struct Metrics {
    group: Group,
    registry: Mutex<Registry>,
}

/// Which series a request belongs to.
trait Keys: Send + Sync {
    fn key(&self, beacon: &Beacon<'_>, series: &HashMap<Key, Series>) -> Key;
    fn mode(&self) -> Mode;
}

#[derive(PartialEq, Eq, Hash)]
enum Key {
    User(u64),
    Route(Box<str>),
}

impl HeapBytes for Key {
    fn heap_bytes(&self) -> usize {
        match self {
            Self::User(_) => 0,
            Self::Route(route) => route.heap_bytes(),
        }
    }
}

struct Registry {
    keys: &'static dyn Keys,
    series: TrackedHashMap<Key, Series>,
    table: TableMark,
    heap: usize,
}

struct Series {
    requests: u64,
    latency: Box<[u64]>,
    statuses: HashMap<u16, u64>,
    last_path: String,
}

impl HeapBytes for Series {
    fn heap_bytes(&self) -> usize {
        self.latency.heap_bytes() + grown_table_bytes(&self.statuses) + self.last_path.heap_bytes()
    }
}

/// Body of `POST /beacons`: a request as the user's browser saw it.
#[derive(Deserialize)]
struct Beacon<'a> {
    user: u64,
    #[serde(borrow)]
    path: Cow<'a, str>,
    status: u16,
    millis: f64,
}

impl Beacon<'_> {
    fn check(&self) -> Result<(), String> {
        if !(100..600).contains(&self.status) {
            return Err(format!("status {} is not in 100..=599", self.status));
        }
        if self.path.len() > MAX_PATH {
            return Err(format!("a path may have {MAX_PATH} bytes"));
        }
        Ok(())
    }
}

/// The leak: as many series as there are users.
struct PerUser;

impl Keys for PerUser {
    fn key(&self, beacon: &Beacon<'_>, _series: &HashMap<Key, Series>) -> Key {
        Key::User(beacon.user)
    }

    fn mode(&self) -> Mode {
        Mode::Leaking
    }
}

/// The repair: as many series as there are routes, and no more than a limit.
struct PerRoute;

impl Keys for PerRoute {
    fn key(&self, beacon: &Beacon<'_>, series: &HashMap<Key, Series>) -> Key {
        let key = Key::Route(template(&beacon.path));
        if series.len() < MAX_ROUTES || series.contains_key(&key) {
            key
        } else {
            Key::Route(OTHER.into())
        }
    }

    fn mode(&self) -> Mode {
        Mode::Fixed
    }
}

/// The path with every segment that holds a digit replaced by `{id}`.
fn template(path: &str) -> Box<str> {
    let mut template = String::with_capacity(path.len());
    for segment in path.split('/').skip(1) {
        template.push('/');
        if segment.bytes().any(|byte| byte.is_ascii_digit()) {
            template.push_str("{id}");
        } else {
            template.push_str(segment);
        }
    }
    template.into_boxed_str()
}

/// The bucket of a latency, the last one for all that is beyond the scale.
fn bucket(millis: f64) -> usize {
    let steps = (millis.max(0.1) * 10.0).log10() * 16.0;
    // A cast from float saturates, so that NaN and infinity stay on the scale.
    (steps as usize).min(BUCKETS - 1)
}

impl Metrics {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            group: Group::named("metrics"),
            registry: Mutex::new(Registry::new(mode)),
        }
    }
}

impl Registry {
    fn new(mode: Mode) -> Self {
        let series = TrackedHashMap::named("metrics");
        let (keys, series): (&'static dyn Keys, _) = match mode {
            Mode::Leaking => (&PerUser, series),
            Mode::Fixed => (&PerRoute, series.max_entries(MAX_SERIES as u64)),
        };
        Self {
            keys,
            series,
            table: TableMark::default(),
            heap: 0,
        }
    }
}

/// `POST /beacons`: counts a request.
// Not an `async fn`, and not inlined: so the frame in a profile is this plain
// name, however the framework's futures are compiled around it.
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "axum passes by value")]
fn count_request(State(metrics): State<Arc<Metrics>>, body: Bytes) -> Ready<Response> {
    let beacon: Beacon<'_> = match serde_json::from_slice(&body) {
        Ok(beacon) => beacon,
        Err(error) => return ready(bad_request(error)),
    };
    if let Err(reason) = beacon.check() {
        return ready(bad_request(reason));
    }
    let mut registry = lock(&metrics.registry);
    let registry = &mut *registry;
    let key = registry.keys.key(&beacon, &registry.series);
    let key_bytes = key.heap_bytes();
    let (series, before) = match registry.series.entry(key) {
        Entry::Occupied(entry) => {
            let series = entry.into_mut();
            let before = series.heap_bytes();
            (series, before)
        }
        Entry::Vacant(entry) => {
            registry.heap += key_bytes;
            let series = metrics.group.scope(|| Series {
                requests: 0,
                latency: vec![0; BUCKETS].into_boxed_slice(),
                statuses: HashMap::new(),
                last_path: String::new(),
            });
            (entry.insert(series), 0)
        }
    };
    series.requests += 1;
    if let Some(count) = series.latency.get_mut(bucket(beacon.millis)) {
        *count += 1;
    }
    // The map does not see what is changed behind a reference that it gave out:
    // what is made in its scope counts at once, nested tables included.
    metrics.group.scope(|| {
        *series.statuses.entry(beacon.status).or_default() += 1;
        series.last_path = beacon.path.into_owned();
    });
    registry.heap = registry.heap - before + series.heap_bytes();
    registry.table.observe(&registry.series);
    ready(StatusCode::NO_CONTENT.into_response())
}

/// What `GET /beacons` answers: the busiest series.
#[derive(Serialize)]
struct Busiest {
    requests: u64,
    errors: u64,
    slowest_bucket: Option<usize>,
    last_path: String,
}

async fn show_busiest(State(metrics): State<Arc<Metrics>>) -> Json<Option<Busiest>> {
    let registry = lock(&metrics.registry);
    let busiest = registry.series.values().max_by_key(|s| s.requests);
    Json(busiest.map(|series| {
        Busiest {
            requests: series.requests,
            errors: series
                .statuses
                .iter()
                .filter(|(status, _)| **status >= 500)
                .map(|(_, count)| count)
                .sum(),
            slowest_bucket: series.latency.iter().rposition(|count| *count > 0),
            last_path: series.last_path.clone(),
        }
    }))
}

impl Case for Metrics {
    fn mode(&self) -> Mode {
        lock(&self.registry).keys.mode()
    }

    /// Counting starts anew, under the other keys.
    fn switch(&self, to: Mode) {
        // Dropped when nobody waits for the lock any more: it may be large.
        let old = std::mem::replace(&mut *lock(&self.registry), Registry::new(to));
        drop(old);
    }

    fn retained(&self) -> Retained {
        let registry = lock(&self.registry);
        let table = registry.table.bytes(&registry.series);
        Retained::by_map(registry.series.len(), table, registry.heap)
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/beacons", post(count_request).get(show_busiest))
            .with_state(self)
    }

    fn background(self: Arc<Self>) -> Option<Background> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_has_no_ids() {
        assert_eq!(&*template("/users/42/orders/a7"), "/users/{id}/orders/{id}");
        assert_eq!(&*template("/"), "/");
        assert_eq!(&*template(""), "");
    }

    #[test]
    fn every_latency_has_a_bucket() {
        assert_eq!(bucket(0.0), 0);
        assert_eq!(bucket(0.1), 0);
        assert_eq!(bucket(1.0), 16);
        assert_eq!(bucket(f64::NAN), 0);
        assert_eq!(bucket(f64::INFINITY), BUCKETS - 1);
    }

    #[test]
    fn routes_over_the_limit_share_a_series() {
        let mut series = HashMap::new();
        for route in 0..10 * MAX_ROUTES {
            let letters: String = route
                .to_string()
                .bytes()
                .map(|digit| char::from(digit - b'0' + b'a'))
                .collect();
            let beacon = Beacon {
                user: 1,
                path: format!("/{letters}").into(),
                status: 200,
                millis: 1.0,
            };
            let key = PerRoute.key(&beacon, &series);
            series.entry(key).or_insert_with(|| Series {
                requests: 0,
                latency: Box::default(),
                statuses: HashMap::new(),
                last_path: String::new(),
            });
        }
        assert_eq!(series.len(), MAX_SERIES);
    }
}
