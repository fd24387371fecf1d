//! Boxed closures that capture request data, kept in a map.
//!
//! As it happened: a webhook that its partner refused was tried again by a
//! closure that had captured the request, and the closure stayed in the map
//! after it had succeeded, so that its state could still be asked for.
//! Repaired by removing it when it is done, and by a limit on what waits.

use std::collections::VecDeque;
use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use heaplens::TrackedHashMap;
use heaplens::maps::Group;
use tokio::time::{Instant, MissedTickBehavior};

use super::{Background, Case, Mode, Retained, lock};
use crate::heap_bytes::{HeapBytes, TableMark, queue_bytes, vec_bytes};

/// The most webhooks that wait in the repaired form; beyond that it answers 503.
pub(super) const MAX_PENDING: usize = 10_000;
const RETRY_AFTER: Duration = Duration::from_millis(500);
const POLL_EVERY: Duration = Duration::from_millis(100);
const MAX_ATTEMPTS: u32 = 5;
/// Each attempt waits for its time and then for the next poll.
const MAX_WAIT: Duration = RETRY_AFTER
    .saturating_add(POLL_EVERY)
    .saturating_mul(MAX_ATTEMPTS);

pub(super) struct Outbox {
    partner: Partner,
    group: Group,
    queue: Mutex<Queue>,
}

/// What happens to a closure before it waits and after it is done.
trait Settle: Send + Sync {
    fn accepts(&self, waiting: usize) -> bool;
    fn done(&self, queue: &mut Queue, id: u64);
    fn mode(&self) -> Mode;
}

type Retry = Box<dyn FnMut(&Partner) -> Outcome + Send>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Delivered,
    Refused,
    GivenUp,
}

struct Pending {
    retry: Retry,
    last: Option<Outcome>,
    /// Heap bytes of what the closure has captured.
    captured: usize,
}

impl HeapBytes for Pending {
    fn heap_bytes(&self) -> usize {
        size_of_val(&*self.retry) + self.captured
    }
}

struct Queue {
    settle: &'static dyn Settle,
    pending: TrackedHashMap<u64, Pending>,
    /// In the order of their time, since all wait equally long.
    due: VecDeque<(Instant, u64)>,
    next_id: u64,
    table: TableMark,
    heap: usize,
}

/// The leak: what is done stays, and nothing is refused.
struct KeepAll;

impl Settle for KeepAll {
    fn accepts(&self, _waiting: usize) -> bool {
        true
    }

    fn done(&self, _queue: &mut Queue, _id: u64) {}

    fn mode(&self) -> Mode {
        Mode::Leaking
    }
}

/// The repair: what is done goes, and only so many may wait.
struct RemoveDone;

impl Settle for RemoveDone {
    fn accepts(&self, waiting: usize) -> bool {
        waiting < MAX_PENDING
    }

    fn done(&self, queue: &mut Queue, id: u64) {
        if let Some(pending) = queue.pending.remove(&id) {
            queue.heap -= pending.heap_bytes();
        }
    }

    fn mode(&self) -> Mode {
        Mode::Fixed
    }
}

impl Queue {
    fn new(mode: Mode) -> Self {
        let pending = TrackedHashMap::named("closures");
        let (settle, pending): (&'static dyn Settle, _) = match mode {
            Mode::Leaking => (&KeepAll, pending),
            Mode::Fixed => {
                let bounded = pending.max_entries(MAX_PENDING as u64);
                (&RemoveDone, bounded.expected_ttl(MAX_WAIT))
            }
        };
        Self {
            settle,
            pending,
            due: VecDeque::new(),
            next_id: 0,
            table: TableMark::default(),
            heap: 0,
        }
    }

    fn insert(&mut self, id: u64, pending: Pending) {
        self.heap += pending.heap_bytes();
        self.pending.insert(id, pending);
        self.table.observe(&self.pending);
    }

    /// Takes over what is still to be delivered: that was promised.
    fn take_over(&mut self, old: &mut Self) {
        self.next_id = old.next_id;
        for &(_, id) in &old.due {
            if let Some(pending) = old.pending.remove(&id) {
                self.insert(id, pending);
            }
        }
        self.due = std::mem::take(&mut old.due);
    }
}

/// The other side, which is busy at every eighth call.
#[derive(Default)]
struct Partner {
    calls: AtomicU64,
    bytes: AtomicU64,
}

impl Partner {
    fn post(&self, target: &str, signature: &str, body: &[u8]) -> Outcome {
        if self.calls.fetch_add(1, Ordering::Relaxed) % 8 == 7 {
            return Outcome::Refused;
        }
        let sent = target.len() + signature.len() + body.len();
        self.bytes.fetch_add(sent as u64, Ordering::Relaxed);
        Outcome::Delivered
    }
}

impl Outbox {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            partner: Partner::default(),
            group: Group::named("closures"),
            queue: Mutex::new(Queue::new(mode)),
        }
    }

    /// Calls what is due at `now`.
    fn deliver(&self, now: Instant) {
        let mut queue = lock(&self.queue);
        while let Some(&(at, id)) = queue.due.front()
            && at <= now
        {
            // Popped before another is pushed, so that the queue never grows here.
            queue.due.pop_front();
            let Some(pending) = queue.pending.get_mut(&id) else {
                continue;
            };
            let outcome = (pending.retry)(&self.partner);
            pending.last = Some(outcome);
            match outcome {
                Outcome::Refused => queue.due.push_back((now + RETRY_AFTER, id)),
                Outcome::Delivered | Outcome::GivenUp => {
                    let settle = queue.settle;
                    settle.done(&mut queue, id);
                }
            }
        }
    }
}

/// `POST /webhooks/{partner}`: takes a webhook and delivers it in the background.
// Not an `async fn`, and not inlined: so the frame in a profile is this plain
// name, however the framework's futures are compiled around it.
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "axum passes by value")]
fn schedule_retry(
    State(outbox): State<Arc<Outbox>>,
    Path(partner): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Ready<Response> {
    let mut queue = lock(&outbox.queue);
    if !queue.settle.accepts(queue.pending.len()) {
        let retry_after = [(header::RETRY_AFTER, "1")];
        let full = (StatusCode::SERVICE_UNAVAILABLE, retry_after, "queue full\n");
        return ready(full.into_response());
    }
    let signature = headers
        .get("x-signature")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // The map sees the box of a closure; what is captured lies behind it, and
    // counts because it is made in the map's scope.
    let pending = outbox.group.scope(|| {
        let signature = signature.to_owned();
        let target = format!("https://{partner}.example/hooks");
        // A clone of `body` would keep the connection's whole read buffer.
        let payload = body.to_vec();
        let captured = signature.heap_bytes() + target.heap_bytes() + vec_bytes(&payload);
        let mut attempts = 0;
        let retry: Retry = Box::new(move |partner| {
            attempts += 1;
            match partner.post(&target, &signature, &payload) {
                Outcome::Refused if attempts >= MAX_ATTEMPTS => Outcome::GivenUp,
                outcome => outcome,
            }
        });
        Pending {
            retry,
            last: None,
            captured,
        }
    });
    let queue = &mut *queue;
    let id = queue.next_id;
    queue.next_id += 1;
    queue.insert(id, pending);
    queue.due.push_back((Instant::now() + RETRY_AFTER, id));
    ready((StatusCode::ACCEPTED, format!("{id}\n")).into_response())
}

async fn show_webhook(
    State(outbox): State<Arc<Outbox>>,
    Path((_partner, id)): Path<(String, u64)>,
) -> Result<&'static str, StatusCode> {
    let queue = lock(&outbox.queue);
    match queue.pending.get(&id) {
        Some(pending) => Ok(match pending.last {
            None => "waiting\n",
            Some(Outcome::Delivered) => "delivered\n",
            Some(Outcome::Refused) => "refused, will be tried again\n",
            Some(Outcome::GivenUp) => "given up\n",
        }),
        None if id < queue.next_id => Ok("done\n"),
        None => Err(StatusCode::NOT_FOUND),
    }
}

async fn deliver_due(outbox: Arc<Outbox>) {
    let mut ticks = tokio::time::interval(POLL_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        outbox.deliver(Instant::now());
    }
}

impl Case for Outbox {
    fn mode(&self) -> Mode {
        lock(&self.queue).settle.mode()
    }

    fn switch(&self, to: Mode) {
        let mut queue = lock(&self.queue);
        let mut old = std::mem::replace(&mut *queue, Queue::new(to));
        queue.take_over(&mut old);
        drop(queue);
        // Dropped when nobody waits for the lock any more: it may be large.
        drop(old);
    }

    fn retained(&self) -> Retained {
        let queue = lock(&self.queue);
        let table = queue.table.bytes(&queue.pending);
        Retained::by_map(queue.pending.len(), table, queue.heap).and(queue_bytes(&queue.due))
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/webhooks/{partner}", post(schedule_retry))
            .route("/webhooks/{partner}/{id}", get(show_webhook))
            .with_state(self)
    }

    fn background(self: Arc<Self>) -> Option<Background> {
        Some(Box::pin(deliver_due(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accept(outbox: &Arc<Outbox>) {
        let answer = schedule_retry(
            State(Arc::clone(outbox)),
            Path("billing".to_owned()),
            HeaderMap::new(),
            Bytes::from_static(b"{}"),
        );
        assert_eq!(answer.into_inner().status(), StatusCode::ACCEPTED);
    }

    #[test]
    fn a_repair_drops_what_is_done_and_delivers_the_rest() {
        let outbox = Arc::new(Outbox::new(Mode::Leaking));
        let calls = || outbox.partner.calls.load(Ordering::Relaxed);
        for _ in 0..3 {
            accept(&outbox);
        }
        outbox.deliver(Instant::now() + RETRY_AFTER);
        assert_eq!((calls(), outbox.retained().entries), (3, 3));
        for _ in 0..2 {
            accept(&outbox);
        }
        outbox.switch(Mode::Fixed);
        assert_eq!((calls(), outbox.retained().entries), (3, 2));
        accept(&outbox);
        // Under a number of its own, not in the place of one that waits.
        assert_eq!(outbox.retained().entries, 3);
        outbox.deliver(Instant::now() + RETRY_AFTER);
        assert_eq!((calls(), outbox.retained().entries), (6, 0));
    }
}
