//! A timer that registers a callback each tick and removes none.
//!
//! As it happened: a pricing desk takes a copy of the price book at each tick
//! and registers a callback, so that a later correction reaches that copy too.
//! The next tick makes the copy useless, and the callback keeps it.
//! Repaired by a subscription that de-registers when it is dropped.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use heaplens::TrackedHashMap;
use heaplens::maps::Group;
use serde::{Deserialize, Serialize};
use tokio::time::MissedTickBehavior;

use super::{Background, Case, Mode, Retained, lock};
use crate::heap_bytes::{HeapBytes, TableMark, arc_bytes, vec_bytes};

/// At a tick the new callback is registered before the old one goes.
pub(super) const MAX_REGISTERED: usize = 2;
const SYMBOLS: usize = 128;

pub(super) struct Desk {
    registrar: Mutex<Registrar>,
    tick: Duration,
    prices: Mutex<Vec<Quote>>,
    hub: Arc<Hub>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
struct Quote {
    bid: u64,
    ask: u64,
}

/// A price that was wrong.
struct Correction {
    symbol: usize,
    quote: Quote,
}

type Callback = Box<dyn Fn(&Correction) + Send + Sync>;

/// Who wants to hear of corrections.
struct Hub {
    next_id: AtomicU64,
    group: Group,
    registered: Mutex<Registered>,
}

struct Registered {
    callbacks: TrackedHashMap<u64, Subscriber>,
    table: TableMark,
    heap: usize,
}

impl Registered {
    fn new(mode: Mode) -> Self {
        let callbacks = TrackedHashMap::named("callbacks");
        let callbacks = match mode {
            Mode::Leaking => callbacks,
            Mode::Fixed => callbacks.max_entries(MAX_REGISTERED as u64),
        };
        Self {
            callbacks,
            table: TableMark::default(),
            heap: 0,
        }
    }
}

struct Subscriber {
    callback: Callback,
    /// Heap bytes of what the callback keeps alive.
    captured: usize,
}

impl HeapBytes for Subscriber {
    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.callback) + self.captured
    }
}

impl Hub {
    fn new(mode: Mode) -> Arc<Self> {
        Arc::new(Self {
            next_id: AtomicU64::new(0),
            group: Group::named("callbacks"),
            registered: Mutex::new(Registered::new(mode)),
        })
    }

    /// Nobody is registered any more.
    fn start_anew(&self, mode: Mode) {
        // Dropped when nobody waits for the lock any more: it may be large.
        let old = std::mem::replace(&mut *lock(&self.registered), Registered::new(mode));
        drop(old);
    }

    fn register(&self, subscriber: Subscriber) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let mut registered = lock(&self.registered);
        registered.heap += subscriber.heap_bytes();
        let registered = &mut *registered;
        registered.callbacks.insert(id, subscriber);
        registered.table.observe(&registered.callbacks);
        id
    }

    fn deregister(&self, id: u64) {
        let mut registered = lock(&self.registered);
        if let Some(old) = registered.callbacks.remove(&id) {
            registered.heap -= old.heap_bytes();
        }
    }

    fn publish(&self, correction: &Correction) -> usize {
        let registered = lock(&self.registered);
        for subscriber in registered.callbacks.values() {
            (subscriber.callback)(correction);
        }
        registered.callbacks.len()
    }
}

/// De-registers its callback when dropped.
struct Subscription {
    hub: Weak<Hub>,
    id: u64,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.deregister(self.id);
        }
    }
}

/// What the timer does with the callback that it has registered.
enum Registrar {
    /// The leak: the id is not even looked at.
    KeepAll,
    /// The repair: each tick's subscription replaces the one before.
    Latest(Option<Subscription>),
}

impl Registrar {
    fn new(mode: Mode) -> Self {
        match mode {
            Mode::Leaking => Self::KeepAll,
            Mode::Fixed => Self::Latest(None),
        }
    }

    fn mode(&self) -> Mode {
        match self {
            Self::KeepAll => Mode::Leaking,
            Self::Latest(_) => Mode::Fixed,
        }
    }

    fn registered(&mut self, hub: &Arc<Hub>, id: u64) {
        if let Self::Latest(current) = self {
            *current = Some(Subscription {
                hub: Arc::downgrade(hub),
                id,
            });
        }
    }
}

/// The copy of the price book that one tick works with.
struct TickContext {
    book: Mutex<Vec<Quote>>,
    label: String,
    corrections: AtomicU64,
}

impl HeapBytes for Arc<TickContext> {
    fn heap_bytes(&self) -> usize {
        arc_bytes::<TickContext>() + vec_bytes(&lock(&self.book)) + self.label.heap_bytes()
    }
}

impl TickContext {
    fn apply(&self, correction: &Correction) {
        if let Some(quote) = lock(&self.book).get_mut(correction.symbol) {
            *quote = correction.quote;
            self.corrections.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The timer: at each tick a context and a callback for it.
// The loop is in here, so that no other function of this service is on the
// stack; as a `Background` it is called through a table and so not inlined.
async fn register_tick(desk: Arc<Desk>) {
    let mut ticks = tokio::time::interval(desk.tick);
    // Ticks may be more frequent than the clock that they wait for.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for tick in 0_u64.. {
        ticks.tick().await;
        // The map sees the box of a callback; the copy of the book lies two blocks
        // further, and counts because it is made in the map's scope.
        let subscriber = desk.hub.group.scope(|| {
            let book = lock(&desk.prices).clone();
            let context = Arc::new(TickContext {
                book: Mutex::new(book),
                label: format!("tick {tick}"),
                corrections: AtomicU64::new(0),
            });
            let captured = context.heap_bytes();
            let callback: Callback = Box::new(move |correction| context.apply(correction));
            Subscriber { callback, captured }
        });
        let id = desk.hub.register(subscriber);
        lock(&desk.registrar).registered(&desk.hub, id);
    }
}

impl Desk {
    pub(super) fn new(mode: Mode, tick: Duration) -> Self {
        let opening = (0..SYMBOLS as u64).map(|symbol| Quote {
            bid: 1_000 + symbol,
            ask: 1_002 + symbol,
        });
        Self {
            registrar: Mutex::new(Registrar::new(mode)),
            tick,
            prices: Mutex::new(opening.collect()),
            hub: Hub::new(mode),
        }
    }
}

async fn show_price(
    State(desk): State<Arc<Desk>>,
    Path(symbol): Path<usize>,
) -> Result<Json<Quote>, StatusCode> {
    let quote = lock(&desk.prices).get(symbol).copied();
    quote.map(Json).ok_or(StatusCode::NOT_FOUND)
}

/// Answers how many callbacks have been told.
async fn correct_price(
    State(desk): State<Arc<Desk>>,
    Path(symbol): Path<usize>,
    Json(quote): Json<Quote>,
) -> Result<String, StatusCode> {
    *lock(&desk.prices)
        .get_mut(symbol)
        .ok_or(StatusCode::NOT_FOUND)? = quote;
    let told = desk.hub.publish(&Correction { symbol, quote });
    Ok(format!("{told}\n"))
}

impl Case for Desk {
    fn mode(&self) -> Mode {
        lock(&self.registrar).mode()
    }

    fn switch(&self, to: Mode) {
        // The registrar that keeps all must not meet the map that has a bound:
        // what a tick registers in between goes with the leaking one.
        let registrar = Registrar::new(to);
        match to {
            Mode::Fixed => {
                *lock(&self.registrar) = registrar;
                self.hub.start_anew(to);
            }
            Mode::Leaking => {
                self.hub.start_anew(to);
                *lock(&self.registrar) = registrar;
            }
        }
    }

    fn retained(&self) -> Retained {
        let registered = lock(&self.hub.registered);
        let table = registered.table.bytes(&registered.callbacks);
        Retained::by_map(registered.callbacks.len(), table, registered.heap)
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/prices/{symbol}", get(show_price).put(correct_price))
            .with_state(self)
    }

    fn background(self: Arc<Self>) -> Option<Background> {
        Some(Box::pin(register_tick(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscriber(heard: &Arc<AtomicU64>) -> Subscriber {
        let heard = Arc::clone(heard);
        Subscriber {
            callback: Box::new(move |correction| {
                heard.fetch_add(correction.quote.bid, Ordering::Relaxed);
            }),
            captured: 0,
        }
    }

    #[test]
    fn a_dropped_subscription_hears_nothing_more() {
        let hub = Hub::new(Mode::Leaking);
        let heard = Arc::new(AtomicU64::new(0));
        let correction = Correction {
            symbol: 0,
            quote: Quote { bid: 7, ask: 8 },
        };
        let mut registrar = Registrar::Latest(None);
        for _ in 0..3 {
            let id = hub.register(subscriber(&heard));
            registrar.registered(&hub, id);
        }
        assert_eq!(hub.publish(&correction), 1);
        assert_eq!(heard.load(Ordering::Relaxed), 7);
        drop(registrar);
        assert_eq!(hub.publish(&correction), 0);
        let mut leaking = Registrar::KeepAll;
        for _ in 0..3 {
            let id = hub.register(subscriber(&heard));
            leaking.registered(&hub, id);
        }
        drop(leaking);
        assert_eq!(hub.publish(&correction), 3);
    }

    #[test]
    fn a_correction_reaches_the_copy() {
        let context = TickContext {
            book: Mutex::new(vec![Quote { bid: 1, ask: 2 }]),
            label: String::new(),
            corrections: AtomicU64::new(0),
        };
        for symbol in 0..2 {
            let quote = Quote { bid: 5, ask: 6 };
            context.apply(&Correction { symbol, quote });
        }
        assert_eq!(context.corrections.load(Ordering::Relaxed), 1);
        assert_eq!(lock(&context.book).first().map(|quote| quote.ask), Some(6));
    }
}
