//! A session cache that nothing expires.
//!
//! As it happened: a session was made at login and removed at logout, and
//! hardly anybody logs out. Repaired by a time to live and a capacity.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use heaplens::TrackedHashMap;
use heaplens::maps::Group;
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use super::{Background, Case, Mode, Retained, bad_request, lock};
use crate::heap_bytes::{HeapBytes, TableMark, queue_bytes};

/// How long the repaired cache keeps a session: short, so that the plateau is
/// reached within a minute.
const TTL: Duration = Duration::from_secs(30);
/// The most sessions that the repaired cache keeps, whatever the rate.
pub(super) const CAPACITY: usize = 2_000;
const SWEEP_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Sessions {
    store: Mutex<Box<dyn Store>>,
    group: Group,
    next: AtomicU64,
    keys: RandomState,
}

/// Where sessions are kept, by id.
trait Store: Send {
    fn insert(&mut self, id: u64, session: Session, now: Instant);
    fn get(&self, id: u64, now: Instant) -> Option<&Session>;
    fn remove(&mut self, id: u64) -> bool;
    fn sweep(&mut self, now: Instant);
    fn retained(&self) -> Retained;
    fn mode(&self) -> Mode;
}

fn store(mode: Mode) -> Box<dyn Store> {
    match mode {
        Mode::Leaking => Box::new(Forever::default()),
        Mode::Fixed => Box::new(Expiring::default()),
    }
}

struct Session {
    user: String,
    user_agent: String,
    roles: Vec<String>,
    cart: Vec<CartItem>,
    csrf_token: String,
    created: Instant,
}

struct CartItem {
    sku: String,
    title: String,
    quantity: u32,
}

impl HeapBytes for CartItem {
    fn heap_bytes(&self) -> usize {
        self.sku.heap_bytes() + self.title.heap_bytes()
    }
}

impl HeapBytes for Session {
    fn heap_bytes(&self) -> usize {
        self.user.heap_bytes()
            + self.user_agent.heap_bytes()
            + self.roles.heap_bytes()
            + self.cart.heap_bytes()
            + self.csrf_token.heap_bytes()
    }
}

/// The leak: only a logout removes.
struct Forever {
    sessions: TrackedHashMap<u64, Session>,
    table: TableMark,
    heap: usize,
}

impl Forever {
    fn of(sessions: TrackedHashMap<u64, Session>) -> Self {
        Self {
            sessions,
            table: TableMark::default(),
            heap: 0,
        }
    }
}

impl Default for Forever {
    fn default() -> Self {
        Self::of(TrackedHashMap::named("sessions"))
    }
}

impl Store for Forever {
    fn insert(&mut self, id: u64, session: Session, _now: Instant) {
        self.heap += session.heap_bytes();
        if let Some(old) = self.sessions.insert(id, session) {
            self.heap -= old.heap_bytes();
        }
        self.table.observe(&self.sessions);
    }

    fn get(&self, id: u64, _now: Instant) -> Option<&Session> {
        self.sessions.get(&id)
    }

    fn remove(&mut self, id: u64) -> bool {
        let old = self.sessions.remove(&id);
        self.heap -= old.as_ref().map_or(0, HeapBytes::heap_bytes);
        old.is_some()
    }

    fn sweep(&mut self, _now: Instant) {}

    fn retained(&self) -> Retained {
        let table = self.table.bytes(&self.sessions);
        Retained::by_map(self.sessions.len(), table, self.heap)
    }

    fn mode(&self) -> Mode {
        Mode::Leaking
    }
}

/// The repair: the oldest go when they have expired or when there are too many.
struct Expiring {
    sessions: Forever,
    /// Ids by age. One that has logged out stays here until its turn comes.
    order: VecDeque<(u64, Instant)>,
}

impl Default for Expiring {
    fn default() -> Self {
        let sessions = TrackedHashMap::named("sessions")
            .max_entries(CAPACITY as u64)
            .expected_ttl(TTL);
        Self {
            sessions: Forever::of(sessions),
            order: VecDeque::new(),
        }
    }
}

impl Expiring {
    fn drop_oldest(&mut self) {
        if let Some((id, _)) = self.order.pop_front() {
            self.sessions.remove(id);
        }
    }
}

impl Store for Expiring {
    fn insert(&mut self, id: u64, session: Session, now: Instant) {
        self.sweep(now);
        while self.order.len() >= CAPACITY {
            self.drop_oldest();
        }
        self.order.push_back((id, now));
        self.sessions.insert(id, session, now);
    }

    fn get(&self, id: u64, now: Instant) -> Option<&Session> {
        let session = self.sessions.get(id, now)?;
        (now.saturating_duration_since(session.created) < TTL).then_some(session)
    }

    fn remove(&mut self, id: u64) -> bool {
        self.sessions.remove(id)
    }

    fn sweep(&mut self, now: Instant) {
        while let Some(&(_, created)) = self.order.front()
            && now.saturating_duration_since(created) >= TTL
        {
            self.drop_oldest();
        }
    }

    fn retained(&self) -> Retained {
        self.sessions.retained().and(queue_bytes(&self.order))
    }

    fn mode(&self) -> Mode {
        Mode::Fixed
    }
}

/// Body of `POST /sessions`. It borrows from the request, so that what outlives
/// the request is copied in [`create_session`] and nowhere else.
#[derive(Deserialize)]
struct Login<'a> {
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    roles: Vec<Role<'a>>,
    #[serde(borrow)]
    cart: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Role<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow)]
    sku: Cow<'a, str>,
    #[serde(borrow)]
    title: Cow<'a, str>,
    quantity: u32,
}

impl Sessions {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            store: Mutex::new(store(mode)),
            group: Group::named("sessions"),
            next: AtomicU64::new(0),
            keys: RandomState::new(),
        }
    }

    /// A fresh number that cannot be guessed from earlier ones.
    fn fresh(&self) -> u64 {
        self.keys
            .hash_one(self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// `POST /sessions`: logs in.
// Not an `async fn`, and not inlined: so the frame in a profile is this plain
// name, however the framework's futures are compiled around it.
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "axum passes by value")]
fn create_session(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
    body: Bytes,
) -> Ready<Response> {
    let login: Login<'_> = match serde_json::from_slice(&body) {
        Ok(login) => login,
        Err(error) => return ready(bad_request(error)),
    };
    let user_agent = headers
        .get(header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let now = Instant::now();
    // The map sees the blocks that a session points at; the roles and items of the
    // cart lie one block further, and count because they are made in its scope.
    let session = sessions.group.scope(|| Session {
        user: login.user.into_owned(),
        user_agent: user_agent.to_owned(),
        roles: login.roles.into_iter().map(|r| r.0.into_owned()).collect(),
        cart: login
            .cart
            .into_iter()
            .map(|item| CartItem {
                sku: item.sku.into_owned(),
                title: item.title.into_owned(),
                quantity: item.quantity,
            })
            .collect(),
        csrf_token: format!("{:016x}{:016x}", sessions.fresh(), sessions.fresh()),
        created: now,
    });
    let id = sessions.fresh();
    lock(&sessions.store).insert(id, session, now);
    ready((StatusCode::CREATED, format!("{id:016x}\n")).into_response())
}

/// What `GET /sessions/{id}` answers.
#[derive(Serialize)]
struct View {
    user: String,
    user_agent: String,
    roles: Vec<String>,
    items_in_cart: u32,
    csrf_token: String,
    age_seconds: u64,
}

async fn show_session(
    State(sessions): State<Arc<Sessions>>,
    Path(id): Path<String>,
) -> Result<Json<View>, StatusCode> {
    let id = parse_id(&id)?;
    let now = Instant::now();
    let store = lock(&sessions.store);
    let session = store.get(id, now).ok_or(StatusCode::NOT_FOUND)?;
    Ok(Json(View {
        user: session.user.clone(),
        user_agent: session.user_agent.clone(),
        roles: session.roles.clone(),
        items_in_cart: session.cart.iter().map(|item| item.quantity).sum(),
        csrf_token: session.csrf_token.clone(),
        age_seconds: now.saturating_duration_since(session.created).as_secs(),
    }))
}

async fn end_session(
    State(sessions): State<Arc<Sessions>>,
    Path(id): Path<String>,
) -> Result<StatusCode, StatusCode> {
    let id = parse_id(&id)?;
    if lock(&sessions.store).remove(id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(StatusCode::NOT_FOUND)
    }
}

fn parse_id(id: &str) -> Result<u64, StatusCode> {
    u64::from_str_radix(id, 16).map_err(|_| StatusCode::BAD_REQUEST)
}

async fn sweep(sessions: Arc<Sessions>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        lock(&sessions.store).sweep(Instant::now());
    }
}

impl Case for Sessions {
    fn mode(&self) -> Mode {
        lock(&self.store).mode()
    }

    /// Everybody has to log in again.
    fn switch(&self, to: Mode) {
        // Dropped when nobody waits for the lock any more: it may be large.
        let old = std::mem::replace(&mut *lock(&self.store), store(to));
        drop(old);
    }

    fn retained(&self) -> Retained {
        lock(&self.store).retained()
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/sessions", post(create_session))
            .route("/sessions/{id}", get(show_session).delete(end_session))
            .with_state(self)
    }

    fn background(self: Arc<Self>) -> Option<Background> {
        Some(Box::pin(sweep(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(created: Instant) -> Session {
        Session {
            user: "ada".to_owned(),
            user_agent: String::new(),
            roles: vec!["buyer".to_owned()],
            cart: Vec::new(),
            csrf_token: String::new(),
            created,
        }
    }

    #[test]
    fn a_session_expires_after_its_time_to_live_and_not_before() {
        let start = Instant::now();
        let mut store = Expiring::default();
        store.insert(1, session(start), start);
        let last = start + TTL.saturating_sub(Duration::from_nanos(1));
        store.sweep(last);
        assert!(store.get(1, last).is_some());
        assert!(store.get(1, start + TTL).is_none());
        store.sweep(start + TTL);
        assert_eq!(store.retained().entries, 0);
    }

    #[test]
    fn the_oldest_gives_way_to_the_newest() {
        let start = Instant::now();
        let mut store = Expiring::default();
        let newest = CAPACITY as u64;
        for id in 0..=newest {
            store.insert(id, session(start), start);
        }
        assert_eq!(store.retained().entries, CAPACITY);
        assert!(store.get(0, start).is_none());
        assert!(store.get(newest, start).is_some());
    }

    #[test]
    fn logouts_do_not_grow_the_order() {
        let start = Instant::now();
        let mut store = Expiring::default();
        for id in 0..10 * CAPACITY as u64 {
            store.insert(id, session(start), start);
            assert!(store.remove(id));
        }
        assert_eq!(store.retained().entries, 0);
        assert!(store.order.len() <= CAPACITY);
    }

    #[test]
    fn the_leaking_store_keeps_what_nobody_logged_out() {
        let start = Instant::now();
        let mut store = Forever::default();
        for id in 0..5000 {
            store.insert(id, session(start), start);
        }
        store.sweep(start + 100 * TTL);
        assert!(store.remove(17));
        assert!(!store.remove(17));
        assert_eq!(store.retained().entries, 4999);
    }
}
