//! `?seconds=N`: what changed between two moments.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use heaplens_profile::{Location, Profile, Sample, SampledCounts, pprof};
use hyper::StatusCode;
use hyper::body::Bytes;

use crate::handlers::heap::Flavour;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

/// What a delta says of what is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Inuse {
    /// What changed, as Go has it: negative where more was freed than allocated.
    Changed,
    /// What there is at the end, for readers that take no negative values.
    Last,
}

/// Answers after `seconds`. A client that leaves earlier frees its place.
pub(crate) async fn serve(app: &Arc<App>, flavour: Flavour, seconds: u64, inuse: Inuse) -> Reply {
    let Ok(_place) = Arc::clone(&app.deltas).try_acquire_owned() else {
        return respond::later(
            StatusCode::TOO_MANY_REQUESTS,
            5,
            "too many delta profiles are being taken; try again later",
        );
    };
    match take(app, flavour, Duration::from_secs(seconds), inuse).await {
        Ok(bytes) => respond::file(&format!("{}-delta", flavour.name()), bytes),
        Err(failure) => failure.reply(),
    }
}

async fn take(
    app: &Arc<App>,
    flavour: Flavour,
    wait: Duration,
    inuse: Inuse,
) -> Result<Bytes, Failure> {
    let before = app.costly.run(heaplens_alloc::snapshot).await?;
    let begun = Instant::now();
    tokio::time::sleep(wait).await;
    let work = Arc::clone(app);
    app.costly
        .run_admitted(move || {
            let after = heaplens_alloc::snapshot();
            // From a clock that cannot be set back.
            let (length, snapshots) = (begun.elapsed(), [&before, &after]);
            let [mut before, after] = work.profiles(snapshots)?;
            if inuse == Inuse::Last {
                forget_inuse(&mut before);
            }
            let mut delta = subtract(&before, after, length);
            delta.comments.push(inuse.comment().to_owned());
            Ok(pprof::encode(&delta, flavour.default_type()).into())
        })
        .await?
}

impl Inuse {
    fn comment(self) -> &'static str {
        match self {
            Inuse::Changed => "inuse_objects and inuse_space: what changed",
            Inuse::Last => "inuse_objects and inuse_space: as they are at the end",
        }
    }
}

/// Takes out of a base what is in use, so that nothing of it is subtracted.
fn forget_inuse(base: &mut Profile) {
    let is_inuse: Vec<bool> = base
        .types
        .iter()
        .map(|of| of.kind.starts_with("inuse_"))
        .collect();
    for sample in &mut base.samples {
        for (value, is_inuse) in sample.values.iter_mut().zip(&is_inuse) {
            if *is_inuse {
                *value = 0;
            }
        }
    }
}

/// `after` less `before`: all four values, so what was freed meanwhile is
/// negative. Samples that did not change are left out; types and period stay,
/// even if nothing changed at all.
fn subtract(before: &Profile, mut after: Profile, length: Duration) -> Profile {
    let mut samples = std::mem::take(&mut after.samples);
    let mut of_stack: HashMap<Stack<'_>, Vec<usize>> = HashMap::new();
    for (index, sample) in samples.iter().enumerate() {
        let same = of_stack.entry(stack(&after, sample)).or_default();
        same.push(index);
    }
    for base in &before.samples {
        // Nothing that was ever allocated vanishes, so the stack is there.
        let Some(same) = of_stack.get(&stack(before, base)) else {
            continue;
        };
        let place = same
            .iter()
            .find(|&&at| samples.get(at).is_some_and(|of| of.labels == base.labels))
            .or(same.first());
        let Some(sample) = place.and_then(|&at| samples.get_mut(at)) else {
            continue;
        };
        if sample.labels == base.labels {
            less(&mut sample.values, &base.values);
        } else {
            // All that had these labels is gone, and the row with it.
            let mut gone = base.clone();
            gone.locations.clone_from(&sample.locations);
            gone.values.fill(0);
            gone.sampled = SampledCounts::default();
            less(&mut gone.values, &base.values);
            samples.push(gone);
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

fn less(values: &mut [i64], base: &[i64]) {
    for (value, base) in values.iter_mut().zip(base) {
        *value = value.saturating_sub(*base);
    }
}

/// What makes a stack and size class the same in two profiles. Indices into
/// their tables differ; addresses do not, and frames without one have a name.
type Stack<'a> = (Vec<(u64, &'a str)>, u64);

fn stack<'a>(profile: &'a Profile, sample: &Sample) -> Stack<'a> {
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

    use heaplens_alloc::{Counters, Site, Snapshot, StackKind, Tally};
    use heaplens_profile::Mappings;

    use super::*;

    /// Rows of (frames, size, allocated, in use), sampled at interval 1: exact.
    type Rows<'a> = [(&'a [u64], u64, u64, u64)];

    fn profile(rows: &Rows<'_>) -> Profile {
        labelled(rows, &[])
    }

    /// As [`profile`], and rows of (index of the stack, map, in use) besides.
    fn labelled(rows: &Rows<'_>, held: &[(usize, &str, u64)]) -> Profile {
        let tally = |size, count| {
            let mut tally = Tally::default();
            for _ in 0..count {
                tally.record(size, 1);
            }
            tally
        };
        let (mut stacks, mut sites, mut labels) = (Vec::new(), Vec::new(), vec![Vec::new()]);
        for (frames, size, allocated, inuse) in rows {
            let kind = if frames.is_empty() {
                StackKind::Unknown
            } else {
                StackKind::Captured
            };
            stacks.push(heaplens_alloc::Stack::new(frames.to_vec(), kind));
            let (alloc, inuse) = (tally(*size, *allocated), tally(*size, *inuse));
            sites.push(Site::new(stacks.len() - 1, *size, alloc, inuse));
        }
        for &(stack, map, inuse) in held {
            let size = rows[stack].1;
            let row = Site::new(stack, size, Tally::default(), tally(size, inuse));
            sites.push(row.labelled(labels.len()));
            labels.push(vec![("map".to_owned(), map.to_owned())]);
        }
        let now = SystemTime::now();
        let snapshot = Snapshot::from_parts(now, now, Counters::default(), stacks, sites);
        Profile::new(&snapshot.with_labels(labels), &Mappings::default(), None)
    }

    /// (leaf address, size, map, values) of each sample, in that order.
    fn rows(profile: &Profile) -> Vec<(u64, u64, &str, Vec<i64>)> {
        let mut rows: Vec<_> = profile
            .samples
            .iter()
            .map(|sample| {
                let leaf = &profile.locations[sample.locations[0]];
                let map = sample.labels.first().map_or("", |pair| pair.1.as_str());
                (leaf.address, sample.size_class, map, sample.values.clone())
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
                (0, 16, "", vec![2, 32, 0, 0]),
                (0x1000, 64, "", vec![2, 128, 1, 64]),
                (0x1000, 96, "", vec![1, 96, 1, 96]),
                (0x5000, 16, "", vec![0, 0, -3, -48]),
                (0x7000, 128, "", vec![2, 256, 1, 128]),
            ]
        );
        assert_eq!(delta.duration, Some(Duration::from_secs(3)));
    }

    /// For readers that drop a sample with any negative value: none is negative,
    /// and what is in use is all there is, whether it changed or not.
    #[test]
    fn in_use_as_last_seen() {
        let mut before = labelled(
            &[
                (&[0x1001], 64, 10, 1),
                (&[0x3001], 32, 5, 5),
                (&[0x5001], 16, 4, 0),
            ],
            &[(0, "a", 4), (1, "gone", 0)],
        );
        let after = labelled(
            &[
                (&[0x1001], 64, 12, 2),
                (&[0x3001], 32, 5, 1),
                (&[0x5001], 16, 4, 0),
            ],
            &[(0, "a", 3), (0, "b", 1)],
        );
        forget_inuse(&mut before);
        let delta = subtract(&before, after, Duration::from_secs(1));
        assert_eq!(
            rows(&delta),
            [
                (0x1000, 64, "", vec![2, 128, 2, 128]),
                (0x1000, 64, "a", vec![0, 0, 3, 192]),
                (0x1000, 64, "b", vec![0, 0, 1, 64]),
                (0x3000, 32, "", vec![0, 0, 1, 32]),
            ]
        );
    }

    #[test]
    fn an_empty_base_and_an_empty_delta_keep_the_types() {
        let rows: &Rows<'_> = &[(&[0x1001], 64, 1, 1)];
        let from_nothing = subtract(&profile(&[]), profile(rows), Duration::from_secs(1));
        assert_eq!(from_nothing.samples.len(), 1);
        let unchanged = subtract(&profile(rows), profile(rows), Duration::from_secs(1));
        assert!(unchanged.samples.is_empty());
        assert_eq!(unchanged.types.len(), 4);
    }

    /// Labels are part of what a sample is: what moves from one map to another
    /// is less here and more there, and a row that vanished is all negative.
    #[test]
    fn samples_with_labels_are_told_apart() {
        let before = labelled(
            &[(&[0x1001], 64, 10, 1), (&[0x3001], 32, 8, 0)],
            &[(0, "a", 4), (0, "b", 2), (1, "a", 5)],
        );
        let after = labelled(
            &[(&[0x1001], 64, 12, 1), (&[0x3001], 32, 8, 5)],
            &[(0, "b", 3), (0, "c", 4)],
        );
        let delta = subtract(&before, after, Duration::from_secs(1));
        assert_eq!(
            rows(&delta),
            [
                (0x1000, 64, "", vec![2, 128, 0, 0]),
                (0x1000, 64, "a", vec![0, 0, -4, -256]),
                (0x1000, 64, "b", vec![0, 0, 1, 64]),
                (0x1000, 64, "c", vec![0, 0, 4, 256]),
                (0x3000, 32, "", vec![0, 0, 5, 160]),
                (0x3000, 32, "a", vec![0, 0, -5, -160]),
            ]
        );
        let sum: i64 = delta.samples.iter().map(|sample| sample.values[3]).sum();
        assert_eq!(sum, 64, "one block of 64 bytes more is in use");
    }
}
