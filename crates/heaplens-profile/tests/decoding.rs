//! Reading profiles back: our own, those of others, and what is none.

mod common;

use std::io::Write;

use common::{IN_LIBC, IN_MAIN, INTERVAL, MAPS, NOWHERE, named, snapshot};
use heaplens_alloc::{Site, Stack, StackKind, Tally};
use heaplens_profile::{DecodeError, DefaultType, Mappings, Profile, Symbolizer, pprof, proto};
use proptest::prelude::*;
use prost::Message;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("a vector");
    encoder.finish().expect("a vector")
}

/// Samples (size, freed), stack, map.
type Drawn = Vec<(u64, bool, usize, usize)>;

fn some_profile(drawn: &Drawn) -> Profile {
    let stacks = vec![
        Stack::new(vec![IN_LIBC, IN_MAIN], StackKind::Captured),
        Stack::new(vec![IN_MAIN, NOWHERE], StackKind::Truncated),
        Stack::new(vec![], StackKind::Unknown),
        Stack::new(vec![], StackKind::Overflow),
    ];
    let sites = drawn
        .iter()
        .map(|&(size, freed, stack, labels)| {
            let (mut alloc, mut inuse) = (Tally::default(), Tally::default());
            alloc.record(size, INTERVAL);
            if !freed {
                inuse.record(size, INTERVAL);
            }
            Site::new(stack, size.next_power_of_two(), alloc, inuse).labelled(labels)
        })
        .collect();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let labels = vec![
        vec![],
        vec![pair("map", "sessions")],
        vec![pair("map", "größe"), pair("tenant", "a b")],
    ];
    let snapshot = snapshot(stacks, sites).with_labels(labels);
    Profile::new(&snapshot, &Mappings::parse(MAPS), None)
}

/// All that the format has a place for.
fn assert_same(read: &Profile, written: &Profile) {
    assert_eq!(read.time, written.time);
    assert_eq!(read.duration, written.duration);
    assert_eq!(read.period, written.period);
    assert_eq!(read.period_type, written.period_type);
    assert_eq!(read.types, written.types);
    assert_eq!(read.comments, written.comments);
    assert_eq!(read.functions, written.functions);
    let mapping = |of: &heaplens_profile::model::ProfileMapping| {
        let flags = (of.has_functions, of.has_filenames, of.has_line_numbers);
        let of = &of.mapping;
        let build_id = of.build_id.clone();
        (
            of.start,
            of.limit,
            of.offset,
            of.path.clone(),
            build_id,
            flags,
        )
    };
    assert!(
        read.mappings
            .iter()
            .map(mapping)
            .eq(written.mappings.iter().map(mapping))
    );
    let location = |of: &heaplens_profile::Location| (of.mapping, of.address, of.lines.clone());
    assert!(
        read.locations
            .iter()
            .map(location)
            .eq(written.locations.iter().map(location))
    );
    let sample = |of: &heaplens_profile::Sample| {
        let told = (of.size_class, of.labels.clone(), of.numbers.clone());
        (of.locations.clone(), told, of.values.clone())
    };
    assert!(
        read.samples
            .iter()
            .map(sample)
            .eq(written.samples.iter().map(sample))
    );
    assert!(read.samples.iter().all(|of| of.variances.is_none()));
}

proptest! {
    #[test]
    fn what_was_written_is_read(
        drawn in prop::collection::vec((1..200_000u64, any::<bool>(), 0..4usize, 0..3usize), 0..30)
    ) {
        let written = some_profile(&drawn);
        let bytes = pprof::encode(&written, DefaultType::InuseSpace);
        let read = pprof::decode(&bytes).expect("our own profile");
        assert_same(&read, &written);
        // Once more, without anything lost.
        prop_assert_eq!(pprof::encode(&read, DefaultType::InuseSpace), bytes);
    }

    /// Whatever the bytes are: an answer, and no panic.
    #[test]
    fn no_bytes_do_harm(mut bytes in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        let _ = pprof::decode(&bytes);
        let mut message = named::message(&[(&["a", "b"], Some(("k", "v")), [1, 2, 3, 4])]).encode_to_vec();
        let place = at.index(message.len());
        message.truncate(place);
        message.append(&mut bytes);
        let _ = pprof::decode(&message);
        let _ = pprof::decode(&gzip(&message));
    }
}

#[test]
fn symbolized_profiles_are_read_with_all_their_lines() {
    let here = symbolized_profiles_are_read_with_all_their_lines as *const () as u64;
    let stacks = vec![Stack::new(vec![here + 5], StackKind::Captured)];
    let mut tally = Tally::default();
    tally.record(64, 1);
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let snapshot = snapshot(stacks, vec![Site::new(0, 64, tally, tally)]);
    let written = Profile::new(&snapshot, &mappings, Some(&mut Symbolizer::new()));
    let bytes = pprof::encode(&written, DefaultType::AllocSpace);
    let read = pprof::decode(&bytes).expect("our own profile");
    assert_same(&read, &written);
    assert!(
        read.functions
            .iter()
            .any(|of| of.name.contains("all_their_lines"))
    );
}

/// As Go writes: ids in any order, the label `bytes` without a unit, labels of
/// numbers, a start line, the same sample twice.
#[test]
fn profiles_of_others_are_read() {
    let mut message = named::message(&[
        (&["main.main", "main.work"], None, [4, 400, 2, 200]),
        (&["main.main", "main.work"], None, [1, 100, 1, 100]),
        (&["main.main"], Some(("tenant", "acme")), [1, 8, 1, 8]),
    ]);
    message
        .string_table
        .extend(["bytes", "request", "nanoseconds"].map(str::to_owned));
    let strings = i64::try_from(message.string_table.len()).expect("few");
    let number = |key: i64, num: i64, num_unit: i64| proto::Label {
        key: strings - key,
        num,
        num_unit,
        ..proto::Label::default()
    };
    for sample in &mut message.sample[..2] {
        sample.label = vec![number(2, 7, 0), number(3, 100, 0)];
    }
    message.sample[2].label.push(number(2, -5, strings - 1));
    for location in &mut message.location {
        location.id = 1000 - location.id;
    }
    for sample in &mut message.sample {
        for id in &mut sample.location_id {
            *id = 1000 - *id;
        }
    }
    message.location.reverse();
    message.function[0].start_line = 3;
    message.duration_nanos = 2_000_000_000;

    for bytes in [message.encode_to_vec(), gzip(&message.encode_to_vec())] {
        let profile = pprof::decode(&bytes).expect("a valid profile");
        assert_eq!(profile.samples.len(), 2, "equal ones are one");
        let [first, second] = &profile.samples[..] else {
            panic!("two")
        };
        assert_eq!(first.values, [5, 500, 3, 300]);
        assert_eq!((first.size_class, first.labels.len()), (100, 0));
        let numbers: Vec<_> = first
            .numbers
            .iter()
            .map(|of| (&*of.key, of.value, &*of.unit))
            .collect();
        assert_eq!(numbers, [("request", 7, "")]);
        let numbers: Vec<_> = second
            .numbers
            .iter()
            .map(|of| (&*of.key, of.value, &*of.unit))
            .collect();
        assert_eq!(numbers, [("request", -5, "nanoseconds")]);
        assert_eq!(*second.labels, [("tenant".to_owned(), "acme".to_owned())]);
        let leaf = &profile.locations[first.locations[0]];
        assert_eq!(profile.functions[leaf.lines[0].function].name, "main.work");
        assert_eq!(profile.duration.map(|of| of.as_secs()), Some(2));
        assert_eq!(profile.total(3), 308);
        assert_eq!(profile.total_error(3), None);
    }
}

fn good() -> proto::Profile {
    named::message(&[(&["a", "b"], Some(("k", "v")), [1, 2, 3, 4])])
}

/// Breaks a good message by `change`.
fn fault(change: impl FnOnce(&mut proto::Profile)) -> DecodeError {
    let mut message = good();
    pprof::decode(&message.encode_to_vec()).expect("good");
    change(&mut message);
    pprof::decode(&message.encode_to_vec()).expect_err("broken")
}

fn assert_told(cases: &[(DecodeError, DecodeError)]) {
    for (found, expected) in cases {
        assert_eq!(found, expected);
        let text = found.to_string();
        assert!(!text.contains('\n') && text.len() > 10, "{text}");
    }
}

#[test]
fn broken_types_strings_values_and_labels_are_told() {
    let strings = good().string_table.len();
    let string = |of, index| DecodeError::StringIndex { of, index, strings };
    let values = |values| DecodeError::ValueCount {
        sample: 0,
        values,
        types: 4,
    };
    assert_told(&[
        (fault(|of| of.sample_type.clear()), DecodeError::NoTypes),
        (
            fault(|of| of.string_table[0] = "x".to_owned()),
            DecodeError::FirstString,
        ),
        (
            fault(|of| of.string_table.clear()),
            DecodeError::FirstString,
        ),
        (fault(|of| of.comment.push(99)), string("comment", 99)),
        (fault(|of| of.comment.push(-1)), string("comment", -1)),
        (
            fault(|of| of.sample_type[0].unit = 99),
            string("value type", 99),
        ),
        (
            fault(|of| of.mapping[0].build_id = 99),
            string("mapping", 99),
        ),
        (fault(|of| of.function[1].name = 99), string("function", 99)),
        (
            fault(|of| of.sample[0].label[0].str = 99),
            string("label", 99),
        ),
        (fault(|of| of.sample[0].value.push(5)), values(5)),
        (fault(|of| of.sample[0].value.clear()), values(0)),
        (
            fault(|of| of.sample[0].label[0].key = 0),
            DecodeError::LabelKey { sample: 0 },
        ),
    ]);
}

#[test]
fn broken_ids_are_told() {
    let zero = |of| DecodeError::ZeroId { of };
    let same = |of| DecodeError::SameId { of, id: 1 };
    let unknown = |of, id, from| DecodeError::UnknownId { of, id, from };
    assert_told(&[
        (fault(|of| of.mapping[0].id = 0), zero("mapping")),
        (fault(|of| of.location[1].id = 0), zero("location")),
        (fault(|of| of.function[1].id = 0), zero("function")),
        (fault(|of| of.location[1].id = 1), same("location")),
        (fault(|of| of.function[1].id = 1), same("function")),
        (
            fault(|of| of.sample[0].location_id[0] = 0),
            unknown("location", 0, "sample"),
        ),
        (
            fault(|of| of.sample[0].location_id[0] = 7),
            unknown("location", 7, "sample"),
        ),
        (
            fault(|of| of.location[0].mapping_id = 2),
            unknown("mapping", 2, "location"),
        ),
        (
            fault(|of| of.location[0].line[0].function_id = 9),
            unknown("function", 9, "location"),
        ),
    ]);
}

#[test]
fn what_is_no_message_is_told() {
    assert_eq!(pprof::decode(b"").expect_err("none"), DecodeError::Empty);
    assert_eq!(
        pprof::decode(&gzip(b"")).expect_err("none"),
        DecodeError::Empty
    );
    let whole = gzip(&good().encode_to_vec());
    for end in [2, 9, whole.len() / 2, whole.len() - 1] {
        let fault = pprof::decode(&whole[..end]).expect_err("cut");
        assert!(matches!(fault, DecodeError::Gzip(_)), "{end}: {fault}");
    }
    let mut damaged = whole.clone();
    let crc = damaged.len() - 8;
    damaged[crc] ^= 1;
    let fault = pprof::decode(&damaged).expect_err("a wrong checksum");
    assert!(matches!(fault, DecodeError::Gzip(_)), "{fault}");

    // `doc_url` as text in place of an index into the string table.
    let mut wrong_type = good().encode_to_vec();
    wrong_type.extend([15 << 3 | 2, 3, b'u', b'r', b'l']);
    let mut beyond_the_end = good().encode_to_vec();
    beyond_the_end.extend([2 << 3 | 2, 100, 0]);
    let not_utf8 = [6 << 3 | 2, 1, 0xff];
    for bytes in [
        &wrong_type[..],
        &beyond_the_end,
        &not_utf8,
        b"<html></html>",
        b"{\"a\": 1}",
    ] {
        let fault = pprof::decode(bytes).expect_err("no message");
        assert!(matches!(fault, DecodeError::Message(_)), "{fault}");
        assert!(
            fault.to_string().starts_with("it is no profile.proto: "),
            "{fault}"
        );
    }
}

/// A small file may stand for much memory; it is refused before that is taken.
#[test]
fn what_takes_too_much_is_refused() {
    let unpacked = gzip(&vec![0; pprof::MAX_MESSAGE + 1]);
    assert!(unpacked.len() < 1 << 20);
    let fault = pprof::decode(&unpacked).expect_err("too long");
    assert!(matches!(fault, DecodeError::TooLarge { .. }), "{fault}");

    let mut many_samples = good().encode_to_vec();
    many_samples.extend([2 << 3 | 2, 0].repeat(20 << 20));
    let fault = pprof::decode(&many_samples).expect_err("too many");
    assert!(matches!(fault, DecodeError::TooLarge { .. }), "{fault}");

    // One long text, referred to by many.
    let mut message = good();
    message.string_table.push("x".repeat(1 << 20));
    let long = i64::try_from(message.string_table.len()).expect("few") - 1;
    message.comment = vec![long; 1000];
    let fault = pprof::decode(&message.encode_to_vec()).expect_err("too much text");
    assert!(matches!(fault, DecodeError::TooLarge { .. }), "{fault}");
}
