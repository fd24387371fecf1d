//! The series of maps and call sites, and the changes of verdicts, as JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heaplens_profile::rfc3339;
use serde_json::{Value, json};

use super::document::thinned;
use super::query::{Maps, Query};
use crate::leaks::Point;
use crate::watch::{Place, Watch};

/// The groups that are asked for.
pub(super) fn maps(watch: &Watch, query: &Query) -> Vec<Value> {
    let wanted = |name: &str| match &query.maps {
        Maps::None => false,
        Maps::All => true,
        Maps::One(one) => one == name,
    };
    let maps = watch.map_series().filter(|(name, _)| wanted(name));
    maps.map(|(name, points)| {
        let points = within(watch, query, points);
        json!({
            "name": name,
            "times": times(&points),
            "entries": column(&points, |of| of.entries),
            "bytes": column(&points, |of| of.bytes),
            "inserts": column(&points, |of| of.births),
            "removes": column(&points, |of| of.deaths),
        })
    })
    .collect()
}

/// So many call sites as are asked for, those that hold most.
pub(super) fn sites(watch: &Watch, query: &Query) -> Vec<Value> {
    let sites = watch.site_series().take(query.sites);
    sites
        .map(|(place, points)| site(place, &within(watch, query, points)))
        .collect()
}

fn site(place: &Place, points: &[(u64, Point)]) -> Value {
    json!({
        "name": place.name(),
        "function": place.function,
        "file": place.file(),
        "line": place.line(),
        "times": times(points),
        "bytes": column(points, |of| of.bytes),
        "objects": column(points, |of| of.entries),
    })
}

/// What has changed, the oldest first.
pub(super) fn changes(watch: &Watch, query: &Query) -> Vec<Value> {
    let changes = watch.changes().filter(|change| query.has_moment(change.at));
    changes
        .map(|change| {
            json!({
                "at": rfc3339::format(change.at),
                "kind": change.kind.name(),
                "name": change.name,
                "from": change.from.name(),
                "to": change.to.name(),
            })
        })
        .collect()
}

/// By the second since 1970.
fn within(watch: &Watch, query: &Query, points: Vec<(Duration, Point)>) -> Vec<(u64, Point)> {
    let points = points
        .into_iter()
        .map(|(at, point)| (second(watch.date(at)), point));
    let points = points.filter(|(second, _)| query.has(*second)).collect();
    thinned(points, query.points)
}

fn second(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn times(points: &[(u64, Point)]) -> Vec<u64> {
    points.iter().map(|(at, _)| *at).collect()
}

fn column(points: &[(u64, Point)], read: fn(&Point) -> u64) -> Vec<u64> {
    points.iter().map(|(_, point)| read(point)).collect()
}
