//! A cache map in a long-lived object.
//!
//! As it happened: the reporter lives as long as the process and caches what
//! it has rendered, under a key that has the second in which the report was
//! asked for: so hardly any entry is ever hit, and none is dropped.
//! Repaired by a key that repeats and a cache whose life is that of one
//! reporting window.

use std::fmt::Write;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use heaplens::TrackedHashMap;
use heaplens::maps::Group;
use serde::Deserialize;

use super::{Background, Case, Mode, Retained, bad_request, lock};
use crate::heap_bytes::{HeapBytes, TableMark, arc_bytes};

/// The most reports that the repaired cache holds.
pub(super) const MAX_REPORTS: usize = 1_000;
const WINDOW: Duration = Duration::from_secs(30);
const DAY: u64 = 86_400;
const MAX_DAYS: u64 = 92;

/// Lives as long as the process, and its cache with it.
pub(super) struct Reporter {
    cache: Mutex<Box<dyn Cache>>,
    group: Group,
}

/// Where rendered reports are kept.
trait Cache: Send {
    /// What tells one report from another.
    fn key(&self, account: u64, range: &Range) -> Key;
    fn get(&self, key: &Key, now: Instant) -> Option<Arc<Report>>;
    fn put(&mut self, key: Key, report: Arc<Report>, now: Instant);
    fn retained(&self) -> Retained;
    fn mode(&self) -> Mode;
}

fn cache(mode: Mode) -> Box<dyn Cache> {
    match mode {
        Mode::Leaking => Box::new(Forever::default()),
        Mode::Fixed => Box::new(Windowed::starting(Instant::now())),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    account: u64,
    from: u64,
    to: u64,
}

struct Report {
    title: String,
    html: String,
}

impl HeapBytes for Arc<Report> {
    fn heap_bytes(&self) -> usize {
        arc_bytes::<Report>() + self.title.heap_bytes() + self.html.heap_bytes()
    }
}

/// Lets a response body use the cached text without a copy.
struct Shared(Arc<Report>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.html.as_bytes()
    }
}

/// The leak: every report for ever, under the exact seconds of its range.
struct Forever {
    reports: TrackedHashMap<Key, Arc<Report>>,
    table: TableMark,
    heap: usize,
}

impl Forever {
    fn of(reports: TrackedHashMap<Key, Arc<Report>>) -> Self {
        Self {
            reports,
            table: TableMark::default(),
            heap: 0,
        }
    }
}

impl Default for Forever {
    fn default() -> Self {
        Self::of(TrackedHashMap::named("field"))
    }
}

impl Cache for Forever {
    fn key(&self, account: u64, range: &Range) -> Key {
        Key {
            account,
            from: range.from,
            to: range.to,
        }
    }

    fn get(&self, key: &Key, _now: Instant) -> Option<Arc<Report>> {
        self.reports.get(key).cloned()
    }

    fn put(&mut self, key: Key, report: Arc<Report>, _now: Instant) {
        self.heap += report.heap_bytes();
        if let Some(old) = self.reports.insert(key, report) {
            self.heap -= old.heap_bytes();
        }
        self.table.observe(&self.reports);
    }

    fn retained(&self) -> Retained {
        let table = self.table.bytes(&self.reports);
        Retained::by_map(self.reports.len(), table, self.heap)
    }

    fn mode(&self) -> Mode {
        Mode::Leaking
    }
}

/// The repair: whole days as key, and a map that is dropped with its window.
struct Windowed {
    current: Forever,
    since: Instant,
}

impl Windowed {
    fn starting(since: Instant) -> Self {
        let reports = TrackedHashMap::named("field")
            .max_entries(MAX_REPORTS as u64)
            .expected_ttl(WINDOW);
        Self {
            current: Forever::of(reports),
            since,
        }
    }
}

impl Cache for Windowed {
    fn key(&self, account: u64, range: &Range) -> Key {
        Key {
            account,
            from: range.from / DAY,
            to: range.to / DAY,
        }
    }

    fn get(&self, key: &Key, now: Instant) -> Option<Arc<Report>> {
        let live = now.saturating_duration_since(self.since) < WINDOW;
        live.then(|| self.current.get(key, now)).flatten()
    }

    fn put(&mut self, key: Key, report: Arc<Report>, now: Instant) {
        let over = now.saturating_duration_since(self.since) >= WINDOW;
        if over || self.current.reports.len() >= MAX_REPORTS {
            *self = Self::starting(now);
        }
        self.current.put(key, report, now);
    }

    fn retained(&self) -> Retained {
        self.current.retained()
    }

    fn mode(&self) -> Mode {
        Mode::Fixed
    }
}

impl Reporter {
    pub(super) fn new(mode: Mode) -> Self {
        Self {
            cache: Mutex::new(cache(mode)),
            group: Group::named("field"),
        }
    }
}

/// Query of `GET /reports/{account}`, in seconds since 1970.
#[derive(Deserialize)]
struct Range {
    from: u64,
    to: u64,
}

impl Range {
    fn days(&self) -> Result<std::ops::RangeInclusive<u64>, String> {
        let (first, last) = (self.from / DAY, self.to / DAY);
        if first > last || last - first >= MAX_DAYS {
            let Self { from, to } = self;
            return Err(format!(
                "{from}..{to} is not a range of 1 to {MAX_DAYS} days"
            ));
        }
        Ok(first..=last)
    }
}

/// Turnover of an account in a day, in cents: a stand-in for the ledger.
fn turnover(account: u64, day: u64) -> u64 {
    let mixed = (account ^ day.rotate_left(17)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 40) % 10_000_000
}

/// `GET /reports/{account}?from=&to=`: turnover by day.
// Not an `async fn`, and not inlined: so the frame in a profile is this plain
// name, however the framework's futures are compiled around it.
#[inline(never)]
fn render_report(
    State(reporter): State<Arc<Reporter>>,
    Path(account): Path<u64>,
    Query(range): Query<Range>,
) -> Ready<Response> {
    let days = match range.days() {
        Ok(days) => days,
        Err(reason) => return ready(bad_request(reason)),
    };
    let now = Instant::now();
    let key = {
        let cache = lock(&reporter.cache);
        let key = cache.key(account, &range);
        if let Some(report) = cache.get(&key, now) {
            return ready(respond(report));
        }
        key
    };
    // The map sees the block of the `Arc`; the text lies behind it, and counts
    // because it is made in the map's scope.
    let report = reporter.group.scope(|| {
        let title = format!("Account {account}, days {} to {}", days.start(), days.end());
        let mut html = format!("<!doctype html><title>{title}</title><table>\n");
        let mut total = 0;
        for day in days {
            let cents = turnover(account, day);
            total += cents;
            // Writing to a string does not fail.
            let _ = writeln!(html, "<tr><td>{day}<td>{}.{:02}", cents / 100, cents % 100);
        }
        let _ = writeln!(html, "</table><p>Total {}.{:02}", total / 100, total % 100);
        Arc::new(Report { title, html })
    });
    lock(&reporter.cache).put(key, Arc::clone(&report), now);
    ready(respond(report))
}

fn respond(report: Arc<Report>) -> Response {
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    let body = Body::from(Bytes::from_owner(Shared(report)));
    (html, body).into_response()
}

impl Case for Reporter {
    fn mode(&self) -> Mode {
        lock(&self.cache).mode()
    }

    /// What is rendered meanwhile goes to the new cache under a key of the old
    /// one, and is never hit there.
    fn switch(&self, to: Mode) {
        // Dropped when nobody waits for the lock any more: it may be large.
        let old = std::mem::replace(&mut *lock(&self.cache), cache(to));
        drop(old);
    }

    fn retained(&self) -> Retained {
        lock(&self.cache).retained()
    }

    fn routes(self: Arc<Self>) -> Router {
        Router::new()
            .route("/reports/{account}", get(render_report))
            .with_state(self)
    }

    fn background(self: Arc<Self>) -> Option<Background> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Arc<Report> {
        Arc::new(Report {
            title: "title".to_owned(),
            html: "html".to_owned(),
        })
    }

    #[test]
    fn the_leaking_key_has_the_second_and_the_repaired_one_the_day() {
        let second = |to| Range { from: 0, to };
        let leaking = Forever::default();
        assert!(leaking.key(1, &second(10)) != leaking.key(1, &second(11)));
        let fixed = Windowed::starting(Instant::now());
        assert!(fixed.key(1, &second(10)) == fixed.key(1, &second(11)));
        assert!(fixed.key(1, &second(10)) != fixed.key(1, &second(DAY)));
        assert!(fixed.key(1, &second(10)) != fixed.key(2, &second(10)));
    }

    #[test]
    fn a_window_ends_with_its_time() {
        let start = Instant::now();
        let mut cache = Windowed::starting(start);
        let (old, new) = (
            cache.key(1, &Range { from: 0, to: 0 }),
            cache.key(2, &Range { from: 0, to: 0 }),
        );
        let last = start + WINDOW.saturating_sub(Duration::from_nanos(1));
        cache.put(old, report(), last);
        assert!(cache.get(&old, last).is_some());
        assert!(cache.get(&old, start + WINDOW).is_none());
        cache.put(new, report(), start + WINDOW);
        assert!(cache.get(&old, start + WINDOW).is_none());
        assert_eq!(cache.retained().entries, 1);
    }

    #[test]
    fn a_full_window_gives_way_to_an_empty_one() {
        let start = Instant::now();
        let mut cache = Windowed::starting(start);
        for account in 0..=MAX_REPORTS as u64 {
            let key = cache.key(account, &Range { from: 0, to: 0 });
            cache.put(key, report(), start);
        }
        assert_eq!(cache.retained().entries, 1);
    }

    #[test]
    fn ranges_are_checked() {
        assert!(Range { from: DAY, to: 0 }.days().is_err());
        assert!(
            Range {
                from: 0,
                to: MAX_DAYS * DAY
            }
            .days()
            .is_err()
        );
        assert!(
            Range {
                from: 0,
                to: u64::MAX
            }
            .days()
            .is_err()
        );
        assert_eq!(
            Range {
                from: 0,
                to: 3 * DAY
            }
            .days(),
            Ok(0..=3)
        );
    }
}
