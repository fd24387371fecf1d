//! The bytes: what every reader of `profile.proto` insists on.

mod common;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::Read;

use common::{IN_LIBC, IN_MAIN, MAPS, NOWHERE, captured, snapshot, tally};
use heaplens_alloc::{Site, Snapshot, Stack, StackKind, Tally};
use heaplens_profile::{DefaultType, Mappings, Profile, Symbolizer, pprof, proto};
use proptest::prelude::*;
use prost::Message;

fn decode(bytes: &[u8]) -> proto::Profile {
    // Method deflate, no flags, no time, fastest level, unknown system: as Go.
    assert_eq!(bytes[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff]);
    let mut message = Vec::new();
    flate2::read::GzDecoder::new(bytes)
        .read_to_end(&mut message)
        .expect("gzip with a right checksum");
    proto::Profile::decode(&message[..]).expect("a message")
}

/// A string of the table; `what` must be in range.
fn text(profile: &proto::Profile, what: i64) -> &str {
    &profile.string_table[usize::try_from(what).expect("no negative index")]
}

/// All rules that pprof, Parca and Pyroscope check.
fn assert_valid(profile: &proto::Profile) {
    assert_eq!(profile.string_table[0], "");
    let strings: HashSet<&String> = profile.string_table.iter().collect();
    assert_eq!(strings.len(), profile.string_table.len(), "no string twice");

    assert!((1..).zip(&profile.mapping).all(|(id, of)| of.id == id));
    assert!((1..).zip(&profile.location).all(|(id, of)| of.id == id));
    assert!((1..).zip(&profile.function).all(|(id, of)| of.id == id));

    let period_type = profile.period_type.expect("a period type");
    assert_eq!(text(profile, period_type.r#type), "space");
    assert_eq!(text(profile, period_type.unit), "bytes");
    assert!(profile.period > 0 && profile.time_nanos > 0);
    assert_eq!(profile.duration_nanos, 0);
    let types: Vec<_> = profile
        .sample_type
        .iter()
        .map(|of| (text(profile, of.r#type), text(profile, of.unit)))
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
    assert_eq!((profile.drop_frames, profile.keep_frames), (0, 0));
    for &comment in &profile.comment {
        assert!(!text(profile, comment).starts_with("executableInfo="));
    }
    profile.mapping.iter().for_each(|of| {
        assert!(of.memory_start < of.memory_limit);
        let (_name, _id) = (text(profile, of.filename), text(profile, of.build_id));
    });
    let functions = profile.function.len() as u64;
    for function in &profile.function {
        let name = text(profile, function.name);
        let system_name = text(profile, function.system_name);
        let _file = text(profile, function.filename);
        assert!(!name.is_empty());
        assert!(
            name != system_name || !name.contains(['<', '(']),
            "viewers would cut this: {name}"
        );
    }
    for location in &profile.location {
        assert!(
            location.address != 0 || !location.line.is_empty(),
            "dropped by Pyroscope"
        );
        assert!(
            location
                .line
                .iter()
                .all(|line| (1..=functions).contains(&line.function_id))
        );
        if location.mapping_id != 0 {
            let at = usize::try_from(location.mapping_id - 1).expect("small");
            let mapping = profile.mapping[at];
            let range = mapping.memory_start..mapping.memory_limit;
            assert!(range.contains(&location.address));
        }
    }
    assert_samples_valid(profile);
}

fn assert_samples_valid(profile: &proto::Profile) {
    let locations = profile.location.len() as u64;
    let mut identities = HashSet::new();
    let mut sums = HashMap::new();
    for sample in &profile.sample {
        assert_eq!(sample.value.len(), profile.sample_type.len());
        let [alloc_objects, alloc_space, objects, space] = sample.value[..] else {
            panic!("four values");
        };
        assert!(sample.value.iter().all(|&value| value >= 0));
        assert!(!sample.location_id.is_empty());
        assert!(
            sample
                .location_id
                .iter()
                .all(|id| (1..=locations).contains(id))
        );
        let (numbers, texts): (Vec<&proto::Label>, Vec<_>) =
            sample.label.iter().partition(|label| label.str == 0);
        assert!(numbers.len() <= 1);
        for label in &numbers {
            assert_eq!(text(profile, label.key), "bytes");
            assert_eq!(text(profile, label.num_unit), "bytes");
            assert!(label.key != 0 && label.num > 0);
        }
        for label in &texts {
            assert!(label.key != 0 && label.num == 0 && label.num_unit == 0);
            assert!(!text(profile, label.key).is_empty() && !text(profile, label.str).is_empty());
        }
        let size = numbers.first().map(|label| label.num);
        let labels: BTreeSet<_> = texts.iter().map(|label| (label.key, label.str)).collect();
        assert_eq!(labels.len(), texts.len(), "no label twice");
        let places: Vec<_> = sample
            .location_id
            .iter()
            .map(|&id| {
                let at = usize::try_from(id - 1).expect("small");
                let of = &profile.location[at];
                let lines: Vec<_> = of.line.iter().map(|line| line.function_id).collect();
                (of.mapping_id, of.address, lines)
            })
            .collect();
        // In use is no more than allocated, but for labels that say who holds it.
        let sums = sums.entry((places.clone(), size)).or_insert([0; 4]);
        let values = [alloc_objects, alloc_space, objects, space];
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value;
        }
        assert!(
            identities.insert((places, size, labels)),
            "the same sample twice"
        );
    }
    for [alloc_objects, alloc_space, objects, space] in sums.into_values() {
        assert!(objects <= alloc_objects && space <= alloc_space);
    }
}

/// Addresses that repeat now and then, in and out of mappings and at the ends
/// of the range; some lie in this very program, so that names turn up.
fn address() -> impl Strategy<Value = u64> {
    let here = address as *const () as u64;
    prop_oneof![
        (0..40_u64).prop_map(|n| IN_MAIN + n),
        (0..40_u64).prop_map(|n| IN_LIBC + n * 8),
        (0..400_u64).prop_map(move |n| here + n),
        Just(NOWHERE),
        Just(0),
        Just(1),
        Just(u64::MAX),
        any::<u64>(),
    ]
}

fn stack() -> impl Strategy<Value = Stack> {
    let kind = prop_oneof![
        4 => Just(StackKind::Captured),
        1 => Just(StackKind::Truncated),
        1 => Just(StackKind::Unknown),
        1 => Just(StackKind::Overflow),
    ];
    (prop::collection::vec(address(), 0..12), kind)
        .prop_map(|(frames, kind)| Stack::new(frames, kind))
}

/// Labels as they may come: several sets, some alike, some of two.
fn label_sets() -> Vec<Vec<(String, String)>> {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    vec![
        vec![],
        vec![pair("map", "sessions")],
        vec![pair("map", "bytes")],
        vec![pair("tenant", "acme"), pair("map", "sessions")],
        vec![pair("map", "sessions"), pair("tenant", "acme")],
        vec![pair("map", "")],
    ]
}

/// What of a site is held, by the number of its labels.
fn held() -> impl Strategy<Value = Vec<(usize, u64)>> {
    prop_oneof![
        2 => Just(Vec::new()),
        1 => prop::collection::vec((0..8_usize, 0..3_u64), 1..4),
    ]
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    let size = prop_oneof![Just(0), Just(16_u64), Just(u64::MAX), 1..4096_u64];
    let row = (0..9_usize, size, 1..1_u64 << 20, 0..5_u64, 0..5_u64, held());
    (
        prop::collection::vec(stack(), 1..9),
        prop::collection::vec(row, 0..40),
    )
        .prop_map(|(stacks, rows)| {
            let mut sites = Vec::new();
            for (stack, class, size, allocated, freed, held) in rows {
                let mut live = allocated.saturating_sub(freed);
                let alloc = tally(size, allocated);
                let mut labelled = Vec::new();
                for (labels, count) in held {
                    let count = count.min(live);
                    live -= count;
                    let row = Site::new(stack, class, Tally::default(), tally(size, count));
                    labelled.push(row.labelled(labels));
                }
                sites.push(Site::new(stack, class, alloc, tally(size, live)));
                sites.extend(labelled);
            }
            snapshot(stacks, sites).with_labels(label_sets())
        })
}

/// The fixture's mappings and this process's own.
fn mappings() -> Mappings {
    let mut mappings = Mappings::parse(MAPS);
    mappings.merge(Mappings::of_current_process().expect("/proc/self/maps"));
    mappings
}

#[test]
fn every_snapshot_becomes_a_valid_profile() {
    let mappings = mappings();
    let symbolizer = std::cell::RefCell::new(Symbolizer::new());
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(200)
    };
    proptest!(config, |(snapshot in any_snapshot(), names: bool)| {
        let mut symbolizer = symbolizer.borrow_mut();
        let symbolizer = names.then_some(&mut *symbolizer);
        let profile = Profile::new(&snapshot, &mappings, symbolizer);
        let decoded = decode(&pprof::encode(&profile, DefaultType::InuseSpace));
        assert_valid(&decoded);
        assert_eq!(decoded, pprof::message(&profile, DefaultType::InuseSpace));

        // Nothing is lost and nothing counted twice, but for rounding.
        let estimates: f64 = snapshot.sites.iter().map(|site| site.alloc.bytes).sum();
        let values: i64 = decoded.sample.iter().map(|sample| sample.value[1]).sum();
        let rounding = 0.5 * decoded.sample.len() as f64 + estimates * 1e-9;
        prop_assert!((estimates - values as f64).abs() <= rounding);
        let estimates: f64 = snapshot.sites.iter().map(|site| site.inuse.bytes).sum();
        let values: i64 = decoded.sample.iter().map(|sample| sample.value[3]).sum();
        prop_assert!((estimates - values as f64).abs() <= rounding);
        let drawn: u64 = snapshot.sites.iter().map(|site| site.inuse.samples).sum();
        let kept: u64 = profile.samples.iter().map(|of| of.sampled.inuse_objects).sum();
        prop_assert_eq!(drawn, kept);
    });
}

#[test]
fn equal_snapshots_give_equal_bytes() {
    let snapshot = snapshot(
        vec![captured(&[IN_MAIN, IN_LIBC]), captured(&[IN_LIBC])],
        (0..50)
            .map(|n| Site::new(n % 2, 16 * n as u64, tally(16, 2), Tally::default()))
            .collect(),
    );
    let bytes = || {
        let profile = Profile::new(&snapshot, &mappings(), Some(&mut Symbolizer::new()));
        pprof::encode(&profile, DefaultType::InuseSpace)
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn the_default_type_is_stated_for_allocs_only() {
    let profile = Profile::new(&snapshot(vec![], vec![]), &mappings(), None);
    let heap = decode(&pprof::encode(&profile, DefaultType::InuseSpace));
    assert_eq!(heap.default_sample_type, 0);
    let allocs = decode(&pprof::encode(&profile, DefaultType::AllocSpace));
    assert_eq!(text(&allocs, allocs.default_sample_type), "alloc_space");
}

#[test]
fn a_profile_of_nothing_is_valid() {
    let profile = Profile::new(&snapshot(vec![], vec![]), &Mappings::default(), None);
    assert_valid(&decode(&pprof::encode(&profile, DefaultType::InuseSpace)));
}

#[test]
fn the_time_is_that_of_the_snapshot_to_the_nanosecond() {
    let profile = Profile::new(&snapshot(vec![], vec![]), &Mappings::default(), None);
    let message = pprof::message(&profile, DefaultType::InuseSpace);
    assert_eq!(message.time_nanos, 1_795_379_340_250_000_000);
}
