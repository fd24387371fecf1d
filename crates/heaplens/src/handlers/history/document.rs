//! The history as JSON.

use std::time::SystemTime;

use heaplens_profile::rfc3339;
use serde_json::{Map, Value, json};

use super::query::Query;
use crate::history::keep::{self, Status};
use crate::history::{self, History, Process, Run};

/// Everything that is asked for.
pub(super) fn of(history: &History, query: &Query) -> Value {
    let snapshots = history.moments().filter(|of| query.has_moment(of.taken_at));
    let snapshots = snapshots.map(|of| {
        json!({
            "id": of.id,
            "taken_at": rfc3339::format(of.taken_at),
            "inuse_bytes": of.inuse_bytes.round(),
            "live_samples": of.live_samples,
            "run": of.run,
        })
    });
    json!({
        "taken_at": rfc3339::format(SystemTime::now()),
        "since": history.since().map(rfc3339::format),
        "step_seconds": history.step().as_secs_f64(),
        "memory": memory(history),
        "process": process(history, query),
        "maps": [],
        "sites": [],
        "snapshots": snapshots.collect::<Vec<_>>(),
        "runs": history.runs().iter().map(run).collect::<Vec<_>>(),
        "directory": keep::status().as_ref().map(directory),
        "verdicts": [],
        "missing": missing(history),
    })
}

fn memory(history: &History) -> Value {
    let [limit, series, snapshots] = history.memory();
    json!({
        "limit_bytes": limit,
        "series_bytes": series,
        "snapshots_bytes": snapshots,
    })
}

/// A run of the program; snapshots refer to it by its place.
fn run(run: &Run) -> Value {
    json!({
        "since": rfc3339::format(run.since),
        "build_id": run.build_id,
        "is_this": run.is_this,
    })
}

fn directory(status: &Status) -> Value {
    json!({
        "file": status.file.display().to_string(),
        "written_at": status.written.map(|written| rfc3339::format(written.0)),
        "written_bytes": status.written.map(|written| written.1),
        "trouble": status.trouble,
        "warning": status.warning,
    })
}

fn process(history: &History, query: &Query) -> Value {
    let points: Vec<(u64, Process)> = history.process().filter(|of| query.has(of.0)).collect();
    let points = thinned(points, query.points);
    let column = |read: fn(&Process) -> Option<u64>| -> Vec<Option<u64>> {
        points.iter().map(|point| read(&point.1)).collect()
    };
    json!({
        "times": points.iter().map(|point| point.0).collect::<Vec<_>>(),
        "allocated": column(|of| of.allocated),
        "active": column(|of| of.active),
        "resident": column(|of| of.resident),
        "retained": column(|of| of.retained),
        "limit": points.last().and_then(|point| point.1.limit),
    })
}

/// At most so many of them, about as far from each other as they were; the last one
/// always.
pub(super) fn thinned<T: Copy>(points: Vec<T>, most: usize) -> Vec<T> {
    let length = points.len();
    if length <= most {
        return points;
    }
    let from_end = (0..most).rev().map(|number| number * length / most);
    from_end
        .filter_map(|number| points.get(length - 1 - number).copied())
        .collect()
}

/// Why what one would expect is not there.
fn missing(history: &History) -> Map<String, Value> {
    let mut missing = Map::new();
    if history.moments().next().is_some() {
        return missing;
    }
    let reason = if history.is_too_large() {
        history::TOO_LARGE
    } else if heaplens_alloc::counters().installed {
        "none was taken yet"
    } else {
        crate::handlers::heap::NOT_INSTALLED
    };
    missing.insert("snapshots".to_owned(), reason.into());
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_thinned_evenly_and_keep_their_end() {
        let points: Vec<usize> = (0..100).collect();
        assert_eq!(thinned(points.clone(), 100), points);
        assert_eq!(thinned(points.clone(), 4), [24, 49, 74, 99]);
        assert_eq!(thinned(points.clone(), 1), [99]);
        for most in 1..120 {
            let thinned = thinned(points.clone(), most);
            assert_eq!(thinned.len(), most.min(100));
            assert_eq!(thinned.last(), Some(&99));
            let gaps: Vec<usize> = thinned.windows(2).map(|two| two[1] - two[0]).collect();
            let (least, most) = (gaps.iter().min(), gaps.iter().max());
            assert!(
                most.zip(least)
                    .is_none_or(|(most, least)| most - least <= 1)
            );
        }
    }
}
