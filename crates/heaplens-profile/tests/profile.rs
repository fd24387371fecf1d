//! Values, merging and structure of profiles, without names.

mod common;

use common::{IN_LIBC, IN_MAIN, INTERVAL, MAPS, NOWHERE, captured, snapshot, tally};
use heaplens_alloc::{Site, Stack, StackKind, Tally};
use heaplens_profile::{Mappings, Profile};

fn profile(stacks: Vec<Stack>, sites: Vec<Site>) -> Profile {
    Profile::new(&snapshot(stacks, sites), &Mappings::parse(MAPS), None)
}

/// From Go's own tests of its encoder, which cuts fractions off: 2050.0 and 1.6
/// objects, 2099200.7 and 829411.1 bytes. We round.
#[test]
fn golden_values_of_go() {
    for (tally, objects, bytes) in [
        (tally(1024, 4), 2050.0, 2_099_200.0),
        (tally(524_288, 1), 1.0, 829_411.0),
    ] {
        assert_eq!(
            (tally.objects.floor(), tally.bytes.floor()),
            (objects, bytes)
        );
    }
    let profile = profile(
        vec![captured(&[IN_MAIN]), captured(&[IN_LIBC])],
        vec![
            Site::new(0, 1024, tally(1024, 4), tally(1024, 4)),
            Site::new(1, 524_288, tally(524_288, 1), tally(524_288, 1)),
        ],
    );
    assert_eq!(profile.period, INTERVAL);
    assert_eq!(
        profile.samples[0].values,
        [2050, 2_099_201, 2050, 2_099_201]
    );
    assert_eq!(profile.samples[1].values, [2, 829_411, 2, 829_411]);
}

#[test]
fn types_are_gos_in_gos_order() {
    let profile = profile(vec![], vec![]);
    let types: Vec<_> = profile
        .types
        .iter()
        .map(|of| (&*of.kind, &*of.unit))
        .collect();
    assert_eq!(
        types,
        [
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ]
    );
    assert_eq!(profile.duration, None);
}

#[test]
fn dead_sites_stay() {
    let profile = profile(
        vec![captured(&[IN_MAIN])],
        vec![Site::new(0, 1024, tally(1024, 4), Tally::default())],
    );
    assert_eq!(profile.samples[0].values, [2050, 2_099_201, 0, 0]);
}

#[test]
fn callers_are_one_byte_before_the_return_address() {
    let profile = profile(
        vec![captured(&[IN_MAIN, IN_LIBC, NOWHERE])],
        vec![Site::new(0, 16, tally(16, 1), tally(16, 1))],
    );
    let places: Vec<_> = profile
        .locations
        .iter()
        .map(|of| (of.mapping, of.address))
        .collect();
    assert_eq!(
        places,
        [
            (Some(0), IN_MAIN - 1),
            (Some(1), IN_LIBC - 1),
            (None, NOWHERE - 1),
        ]
    );
    for mapping in &profile.mappings {
        assert!(
            !mapping.has_functions
                && !mapping.has_filenames
                && !mapping.has_line_numbers
                && !mapping.has_inline_frames,
            "no symbolizer, no names: {mapping:?}"
        );
    }
}

#[test]
fn equal_stacks_become_one_sample_for_each_size_class() {
    let profile = profile(
        vec![captured(&[IN_MAIN]), captured(&[IN_MAIN])],
        vec![
            Site::new(0, 1024, tally(1024, 1), tally(1024, 1)),
            Site::new(1, 1024, tally(1024, 3), tally(1024, 3)),
            Site::new(1, 2048, tally(2048, 1), tally(2048, 1)),
            Site::new(0, 0, tally(64, 1), Tally::default()),
        ],
    );
    let rows: Vec<_> = profile
        .samples
        .iter()
        .map(|of| (of.size_class, of.sampled.alloc_objects))
        .collect();
    assert_eq!(rows, [(1024, 4), (2048, 1), (0, 1)]);
    // Summed first and rounded then: 4 × 512.5 objects.
    assert_eq!(profile.samples[0].values[0], 2050);
}

/// What is held stands in rows of its own, in which nothing was allocated; it is
/// stated as estimated, and the row without labels has the rest.
#[test]
fn what_is_held_has_a_row_of_its_own() {
    let held = |stack, count, labels| {
        Site::new(stack, 1024, Tally::default(), tally(1024, count)).labelled(labels)
    };
    let sites = vec![
        Site::new(0, 1024, tally(1024, 5), tally(1024, 1)),
        held(0, 3, 1),
        held(1, 1, 2),
        // The same stack again: all rows of a kind are one.
        Site::new(1, 1024, tally(1024, 4), Tally::default()),
    ];
    let pair = |value: &str| vec![("map".to_owned(), value.to_owned())];
    let snapshot = snapshot(vec![captured(&[IN_MAIN]), captured(&[IN_MAIN])], sites)
        .with_labels(vec![vec![], pair("sessions"), pair("users")]);
    let profile = Profile::new(&snapshot, &Mappings::parse(MAPS), None);
    let rows: Vec<_> = profile
        .samples
        .iter()
        .map(|of| {
            let label = of.labels.first().map_or("", |pair| pair.1.as_str());
            (label, of.values[0], of.values[2], of.sampled.inuse_objects)
        })
        .collect();
    // 512.5 objects a sample; 1537.5, 2050 and 2562.5 are rounded up.
    assert_eq!(
        rows,
        [
            ("sessions", 0, 1538, 3),
            ("users", 0, 512, 1),
            ("", 4613, 513, 1)
        ]
    );
    let totals = snapshot.totals();
    let sum: i64 = profile.samples.iter().map(|of| of.values[2]).sum();
    assert_eq!(sum, (totals.inuse.objects + 0.5).floor() as i64);
}

#[test]
fn in_use_never_exceeds_what_was_allocated() {
    let mut too_much = tally(1024, 4);
    too_much.bytes += 1.0;
    too_much.samples += 1;
    let profile = profile(
        vec![captured(&[IN_MAIN])],
        vec![Site::new(0, 1024, tally(1024, 4), too_much)],
    );
    assert_eq!(
        profile.samples[0].values,
        [2050, 2_099_201, 2050, 2_099_201]
    );
    let sampled = profile.samples[0].sampled;
    assert_eq!(sampled.inuse_objects, sampled.alloc_objects);
}

#[test]
fn values_stay_within_the_range_of_the_format() {
    let with = |objects: f64, bytes: f64| {
        let mut of = tally(16, 1);
        (of.objects, of.bytes) = (objects, bytes);
        of
    };
    let sites = [
        (with(f64::MAX, f64::INFINITY), [i64::MAX, i64::MAX]),
        (with(-3.0, f64::NAN), [0, 0]),
        (with(0.49, 0.5), [0, 1]),
        (with(1.5, 2.5), [2, 3]),
    ];
    for (tally, expected) in sites {
        let profile = profile(
            vec![captured(&[IN_MAIN])],
            vec![Site::new(0, 16, tally, tally)],
        );
        assert_eq!(profile.samples[0].values[..2], expected, "{tally:?}");
        assert_eq!(profile.samples[0].values[2..], expected, "{tally:?}");
    }
}

#[test]
fn what_is_not_known_of_a_stack_is_a_frame() {
    let mut cut = captured(&[IN_MAIN]);
    cut.kind = StackKind::Truncated;
    let profile = profile(
        vec![
            cut,
            Stack::new(vec![], StackKind::Unknown),
            Stack::new(vec![], StackKind::Overflow),
            captured(&[]),
        ],
        (0..4)
            .map(|stack| Site::new(stack, 16, tally(16, 1), tally(16, 1)))
            .collect(),
    );
    let names = |sample: usize| -> Vec<&str> {
        let locations = profile.samples[sample].locations.iter();
        let lines = locations.flat_map(|&index| &profile.locations[index].lines);
        lines
            .map(|line| profile.functions[line.function].name.as_str())
            .collect()
    };
    assert_eq!(
        profile.samples.len(),
        3,
        "no stack at all is an unknown one"
    );
    assert_eq!(profile.samples[0].locations.len(), 2);
    assert_eq!(names(0), ["[truncated]"]);
    assert_eq!(names(1), ["[unknown stack]"]);
    assert_eq!(names(2), ["[stack table full]"]);
}

#[test]
fn comments_say_what_the_figures_are_worth() {
    let mut snapshot = snapshot(
        vec![captured(&[IN_MAIN])],
        vec![Site::new(0, 1024, tally(1024, 4), tally(1024, 4))],
    );
    snapshot.counters.drops[0] = 7;
    let comments = Profile::new(&snapshot, &Mappings::default(), None).comments;
    assert_eq!(
        comments,
        [
            concat!("heaplens ", env!("CARGO_PKG_VERSION")),
            "sampling since: 2026-11-22T20:29:00Z",
            "sample interval: 524288 bytes on average",
            "estimator: Horvitz-Thompson, each sample by its own size and interval",
            "live samples: 4",
            "drops: live_table_full=7 address_range=0 stack_table_full=0 \
             site_table_full=0 walkers_busy=0 no_stack=0 no_memory=0 label_sets_full=0 \
             label_refused=0 lifetimes_full=0",
            // 1024 × √(4 (1 − p)) / p with p = 1 − e^(−1/512).
            "standard error of inuse_space: 1048576 bytes (49.95 % of 2099201)",
            "stack walker: undecided",
        ]
    );
}

#[test]
fn an_unloaded_object_is_listed_only_if_it_is_needed() {
    let mut mappings = Mappings::parse(MAPS);
    mappings.merge(Mappings::parse(
        "55d0c0a3f000-55d0c0b40000 r-xp 0003f000 08:01 1311 /opt/svc/bin/svc",
    ));
    let of_libc = snapshot(
        vec![captured(&[IN_LIBC])],
        vec![Site::new(0, 16, tally(16, 1), tally(16, 1))],
    );
    let profile = Profile::new(&of_libc, &mappings, None);
    let paths: Vec<_> = profile
        .mappings
        .iter()
        .map(|of| of.mapping.path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["/opt/svc/bin/svc", "/usr/lib/x86_64-linux-gnu/libc.so.6"]
    );
    assert_eq!(profile.locations[0].mapping, Some(1));
}
