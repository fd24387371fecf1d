//! `?seconds=N`: what changed between two moments.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heaplens_alloc::Snapshot;
use heaplens_profile::{Location, Profile, Sample, pprof};
use hyper::StatusCode;
use hyper::body::Bytes;

use crate::handlers::heap::Flavour;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

/// Answers after `seconds`. A client that leaves earlier frees its place.
pub(crate) async fn serve(app: &Arc<App>, flavour: Flavour, seconds: u64) -> Reply {
    let Ok(_place) = Arc::clone(&app.deltas).try_acquire_owned() else {
        return respond::later(
            StatusCode::TOO_MANY_REQUESTS,
            5,
            "too many delta profiles are being taken; try again later",
        );
    };
    match take(app, flavour, Duration::from_secs(seconds)).await {
        Ok(bytes) => respond::file(&format!("{}-delta", flavour.name()), bytes),
        Err(failure) => failure.reply(),
    }
}

async fn take(app: &Arc<App>, flavour: Flavour, wait: Duration) -> Result<Bytes, Failure> {
    let before = app.costly.run(heaplens_alloc::snapshot).await?;
    let begun = Instant::now();
    tokio::time::sleep(wait).await;
    let work = Arc::clone(app);
    app.costly
        .run_admitted(move || {
            let after = heaplens_alloc::snapshot();
            // From a clock that cannot be set back.
            encode(&work, flavour, &before, &after, begun.elapsed())
        })
        .await?
}

fn encode(
    app: &App,
    flavour: Flavour,
    before: &Snapshot,
    after: &Snapshot,
    length: Duration,
) -> Result<Bytes, Failure> {
    let [before, after] = app.profiles([before, after])?;
    let delta = subtract(&before, after, length);
    Ok(pprof::encode(&delta, flavour.default_type()).into())
}

/// `after` less `before`: all four values, so what was freed meanwhile is
/// negative. Samples that did not change are left out; types and period stay,
/// even if nothing changed at all.
fn subtract(before: &Profile, mut after: Profile, length: Duration) -> Profile {
    let base: HashMap<Key<'_>, &[i64]> = before
        .samples
        .iter()
        .map(|sample| (key(before, sample), sample.values.as_slice()))
        .collect();
    let mut samples = std::mem::take(&mut after.samples);
    for sample in &mut samples {
        if let Some(values) = base.get(&key(&after, sample)) {
            for (value, less) in sample.values.iter_mut().zip(*values) {
                *value = value.saturating_sub(*less);
            }
        }
    }
    samples.retain(|sample| sample.values.iter().any(|&value| value != 0));
    after.samples = samples;
    after.duration = Some(length);
    after.comments.push(format!(
        "delta: what changed within {} s; figures above are of its end",
        length.as_secs()
    ));
    after
}

/// What makes a sample the same in two profiles. Indices into their tables
/// differ; addresses do not, and frames without one have a name.
type Key<'a> = (Vec<(u64, &'a str)>, u64);

fn key<'a>(profile: &'a Profile, sample: &Sample) -> Key<'a> {
    let frames = sample
        .locations
        .iter()
        .filter_map(|&index| profile.locations.get(index))
        .map(|location| match location.address {
            0 => (0, name(profile, location)),
            address => (address, ""),
        })
        .collect();
    (frames, sample.size_class)
}

fn name<'a>(profile: &'a Profile, location: &Location) -> &'a str {
    location
        .lines
        .first()
        .and_then(|line| profile.functions.get(line.function))
        .map_or("", |function| function.name.as_str())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use heaplens_alloc::{Counters, Site, Stack, StackKind, Tally};
    use heaplens_profile::Mappings;

    use super::*;

    /// Rows of (frames, size, allocated, in use), sampled at interval 1: exact.
    fn profile(rows: &[(&[u64], u64, u64, u64)]) -> Profile {
        let tally = |size, count| {
            let mut tally = Tally::default();
            for _ in 0..count {
                tally.record(size, 1);
            }
            tally
        };
        let (mut stacks, mut sites) = (Vec::new(), Vec::new());
        for (frames, size, allocated, inuse) in rows {
            let kind = if frames.is_empty() {
                StackKind::Unknown
            } else {
                StackKind::Captured
            };
            stacks.push(Stack::new(frames.to_vec(), kind));
            let (alloc, inuse) = (tally(*size, *allocated), tally(*size, *inuse));
            sites.push(Site::new(stacks.len() - 1, *size, alloc, inuse));
        }
        let now = SystemTime::now();
        let snapshot = Snapshot::from_parts(now, now, Counters::default(), stacks, sites);
        Profile::new(&snapshot, &Mappings::default(), None)
    }

    /// (leaf address, size, values) of each sample, in the order of addresses.
    fn rows(profile: &Profile) -> Vec<(u64, u64, Vec<i64>)> {
        let mut rows: Vec<_> = profile
            .samples
            .iter()
            .map(|sample| {
                let leaf = &profile.locations[sample.locations[0]];
                (leaf.address, sample.size_class, sample.values.clone())
            })
            .collect();
        rows.sort();
        rows
    }

    #[test]
    fn only_what_changed_is_left_and_frees_are_negative() {
        let before = profile(&[
            (&[0x1001, 0x2001], 64, 10, 10),
            (&[0x3001], 32, 5, 5),
            (&[0x5001], 16, 4, 4),
            (&[], 16, 1, 1),
        ]);
        let after = profile(&[
            (&[0x7001], 128, 2, 1),
            (&[], 16, 3, 1),
            (&[0x5001], 16, 4, 1),
            (&[0x3001], 32, 5, 5),
            (&[0x1001, 0x2001], 64, 12, 11),
            (&[0x1001, 0x2001], 96, 1, 1),
        ]);
        let delta = subtract(&before, after, Duration::from_secs(3));
        assert_eq!(
            rows(&delta),
            [
                (0, 16, vec![2, 32, 0, 0]),
                (0x1000, 64, vec![2, 128, 1, 64]),
                (0x1000, 96, vec![1, 96, 1, 96]),
                (0x5000, 16, vec![0, 0, -3, -48]),
                (0x7000, 128, vec![2, 256, 1, 128]),
            ]
        );
        assert_eq!(delta.duration, Some(Duration::from_secs(3)));
    }

    #[test]
    fn an_empty_base_and_an_empty_delta_keep_the_types() {
        let rows: &[(&[u64], u64, u64, u64)] = &[(&[0x1001], 64, 1, 1)];
        let from_nothing = subtract(&profile(&[]), profile(rows), Duration::from_secs(1));
        assert_eq!(from_nothing.samples.len(), 1);
        let unchanged = subtract(&profile(rows), profile(rows), Duration::from_secs(1));
        assert!(unchanged.samples.is_empty());
        assert_eq!(unchanged.types.len(), 4);
    }
}
