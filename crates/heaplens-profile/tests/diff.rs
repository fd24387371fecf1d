//! What changed between two profiles.

use std::time::SystemTime;

use heaplens_alloc::{Counters, Site, Snapshot, StackKind, Tally};
use heaplens_profile::diff::Inuse;
use heaplens_profile::{Mappings, Profile};
use proptest::prelude::*;

/// Rows of (frames, size, allocated, in use), sampled at interval 1: exact.
type Rows<'a> = [(&'a [u64], u64, u64, u64)];

fn profile(rows: &Rows<'_>) -> Profile {
    labelled(rows, &[])
}

/// As [`profile`], and rows of (index of the stack, map, in use) besides.
fn labelled(rows: &Rows<'_>, held: &[(usize, &str, u64)]) -> Profile {
    Profile::new(&snapshot(rows, held), &Mappings::default(), None)
}

fn snapshot(rows: &Rows<'_>, held: &[(usize, &str, u64)]) -> Snapshot {
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
    Snapshot::from_parts(now, now, Counters::default(), stacks, sites).with_labels(labels)
}

fn since(base: &Profile, later: Profile) -> Profile {
    later.since(base, Inuse::Change).expect("the same types")
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
    let delta = since(&before, after);
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
}

#[test]
fn an_empty_base_and_an_empty_delta_keep_the_types() {
    let rows: &Rows<'_> = &[(&[0x1001], 64, 1, 1)];
    let from_nothing = since(&profile(&[]), profile(rows));
    assert_eq!(from_nothing.samples.len(), 1);
    let unchanged = since(&profile(rows), profile(rows));
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
    let delta = since(&before, after);
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

/// For readers that leave out whatever has a negative value.
#[test]
fn values_in_use_may_stay_as_they_were_last() {
    let before = labelled(
        &[(&[0x1001], 64, 10, 1), (&[0x3001], 32, 8, 4)],
        &[(0, "a", 4)],
    );
    let after = labelled(&[(&[0x1001], 64, 12, 1), (&[0x3001], 32, 8, 2)], &[]);
    let delta = after.since(&before, Inuse::Last).expect("the same types");
    assert_eq!(
        rows(&delta),
        [
            (0x1000, 64, "", vec![2, 128, 1, 64]),
            (0x3000, 32, "", vec![0, 0, 2, 64]),
        ]
    );
}

/// A base that is no earlier moment of the same process may have stacks that
/// the later one has not, and its objects at other addresses.
#[test]
fn of_two_runs_what_only_the_base_has_is_negative() {
    let maps = |start: u64| {
        let (end, library) = (start + 0x10_0000, start + 0x7000_0000);
        Mappings::parse(&format!(
            "{start:x}-{end:x} r-xp 00001000 08:01 7 /opt/svc\n\
             {library:x}-{:x} r-xp 00000000 08:01 8 /lib/libfoo.so\n",
            library + 0x1000
        ))
    };
    let run = |start: u64, rows: &Rows<'_>| {
        let moved: Vec<Vec<u64>> = rows
            .iter()
            .map(|of| of.0.iter().map(|at| at + start).collect())
            .collect();
        let rows: Vec<_> = rows
            .iter()
            .zip(&moved)
            .map(|(of, frames)| (frames.as_slice(), of.1, of.2, of.3))
            .collect();
        Profile::new(&snapshot(&rows, &[]), &maps(start), None)
    };
    let base = run(
        0x4000_0000,
        &[(&[0x11, 0x21], 64, 5, 5), (&[0x31, 0x7000_0011], 32, 3, 2)],
    );
    let later = run(
        0x5000_0000,
        &[(&[0x11, 0x21], 64, 9, 6), (&[0x41], 16, 1, 1)],
    );
    let delta = since(&base, later);
    assert_eq!(
        rows(&delta),
        [
            (0x4000_0030, 32, "", vec![-3, -96, -2, -64]),
            (0x5000_0010, 64, "", vec![4, 256, 1, 64]),
            (0x5000_0040, 16, "", vec![1, 16, 1, 16]),
        ]
    );
    let gone = delta
        .samples
        .iter()
        .find(|of| of.values[0] < 0)
        .expect("it");
    let objects: Vec<&str> = gone
        .locations
        .iter()
        .filter_map(|&at| delta.locations[at].mapping)
        .map(|at| delta.mappings[at].mapping.path.as_str())
        .collect();
    assert_eq!(objects, ["/opt/svc", "/lib/libfoo.so"]);
}

#[test]
fn types_that_only_one_has_are_left_out() {
    let mut base = profile(&[(&[0x1001], 64, 1, 1)]);
    let later = profile(&[(&[0x1001], 64, 3, 2)]);
    base.types.remove(0);
    base.samples[0].values.remove(0);
    let delta = since(&base, later.clone());
    assert_eq!(rows(&delta), [(0x1000, 64, "", vec![128, 1, 64])]);
    assert_eq!(delta.types, later.types[1..]);

    base.types.clear();
    let refused = later
        .since(&base, Inuse::Change)
        .expect_err("nothing in common");
    assert!(
        refused.to_string().contains("alloc_objects/count"),
        "{refused}"
    );
}

fn some_rows() -> impl Strategy<Value = Vec<(u8, u64, u64)>> {
    prop::collection::vec((0..12u8, 0..9u64, 0..9u64), 0..20)
}

proptest! {
    /// Whatever the two are: sums are differences of sums, and nothing that is
    /// the same in both is left.
    #[test]
    fn sums_are_differences_of_sums(before in some_rows(), later in some_rows()) {
        let of = |rows: &[(u8, u64, u64)]| {
            let frames: Vec<[u64; 2]> = rows.iter().map(|of| [0x1001, 0x2001 + u64::from(of.0)]).collect();
            let rows: Vec<_> = rows
                .iter()
                .zip(&frames)
                .map(|(of, frames)| (frames.as_slice(), 64, of.1.max(of.2), of.2))
                .collect();
            profile(&rows)
        };
        let (before, later) = (of(&before), of(&later));
        let totals = |profile: &Profile| -> Vec<i128> { (0..4).map(|at| profile.total(at)).collect() };
        let expected: Vec<i128> = totals(&later).iter().zip(totals(&before)).map(|(a, b)| a - b).collect();
        let delta = since(&before, later.clone());
        prop_assert_eq!(totals(&delta), expected);
        prop_assert!(delta.samples.iter().all(|of| of.values.iter().any(|&value| value != 0)));
        prop_assert!(since(&later, later.clone()).samples.is_empty());
    }
}
