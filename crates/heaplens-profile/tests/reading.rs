//! Other formats, read back: what was written, and what is none.

mod common;

use common::named::{self, Row};
use heaplens_profile::check::{self, Gravity};
use heaplens_profile::folded::FoldedError;
use heaplens_profile::speedscope::SpeedscopeError;
use heaplens_profile::{Profile, ValueType, folded, json, pprof, speedscope};
use proptest::prelude::*;
use prost::Message;

const INUSE_SPACE: ValueType = ValueType::new("inuse_space", "bytes");

/// Stacks of few functions, so that some are the same, with values.
fn drawn() -> impl Strategy<Value = Vec<(Vec<usize>, Option<usize>, [i64; 4])>> {
    let stack = prop::collection::vec(0..6_usize, 1..5);
    let label = prop::option::of(0..2_usize);
    let values = prop::array::uniform4(0..1_000_000_i64);
    prop::collection::vec((stack, label, values), 1..20)
}

const NAMES: [&str; 6] = [
    "main",
    "svc::run",
    "<a::B as c::D>::e",
    "größe",
    "f::{{closure}}",
    "g",
];
const LABELS: [(&str, &str); 2] = [("map", "sessions"), ("tenant", "a b")];

fn profile(drawn: &[(Vec<usize>, Option<usize>, [i64; 4])]) -> Profile {
    let stacks: Vec<Vec<&str>> = drawn
        .iter()
        .map(|(stack, ..)| stack.iter().map(|&at| NAMES[at]).collect())
        .collect();
    let rows: Vec<Row<'_>> = drawn
        .iter()
        .zip(&stacks)
        .map(|((_, label, values), stack)| (stack.as_slice(), label.map(|at| LABELS[at]), *values))
        .collect();
    named::profile(&rows)
}

proptest! {
    #[test]
    fn folded_stacks_are_read_as_they_are_written(drawn in drawn(), index in 0..4_usize) {
        let profile = profile(&drawn);
        let text = folded::render(&profile, index);
        match folded::read(&text, profile.types[index].clone()) {
            Ok(read) => {
                prop_assert_eq!(folded::render(&read, 0), text);
                prop_assert_eq!(read.total(0), profile.total(index));
            }
            Err(error) => prop_assert!(text.is_empty(), "{error} in {text}"),
        }
    }

    #[test]
    fn speedscope_is_read_as_it_is_written(drawn in drawn()) {
        let profile = profile(&drawn);
        let text = speedscope::render(&profile, 3).expect("nothing is negative");
        let read = speedscope::read(&text).expect("our own");
        prop_assert_eq!(&read.types, &profile.types);
        for index in 0..4 {
            prop_assert_eq!(folded::render(&read, index), folded::render(&profile, index));
        }
    }

    #[test]
    fn json_is_read_as_it_is_written(drawn in drawn()) {
        let profile = profile(&drawn);
        let text = json::render(&profile, 3);
        let read = json::read(&text).expect("our own");
        prop_assert_eq!(json::render(&read, 3), text);
    }

    /// Whatever the text is: an answer on one line, and no panic.
    #[test]
    fn no_text_does_harm(drawn in drawn(), at in any::<prop::sample::Index>(), with in any::<char>(), noise in ".{0,80}") {
        let profile = profile(&drawn);
        let texts = [
            speedscope::render(&profile, 0).expect("nothing is negative"),
            json::render(&profile, 0),
            folded::render(&profile, 0),
            noise,
        ];
        for mut text in texts {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            if !places.is_empty() {
                let place = places[at.index(places.len())];
                let mut rest = text.split_off(place).chars().skip(1).collect::<String>();
                rest.insert(0, with);
                text.push_str(&rest);
            }
            let faults = [
                speedscope::read(&text).err().map(|error| error.to_string()),
                json::read(&text).err().map(|error| error.to_string()),
                folded::read(&text, INUSE_SPACE).err().map(|error| error.to_string()),
            ];
            for fault in faults.into_iter().flatten() {
                prop_assert!(fault.len() > 10, "{fault}");
            }
        }
    }

    /// Each look at a file ends, whatever is in it.
    #[test]
    fn no_file_does_harm(drawn in drawn(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut bytes = pprof::message(&profile(&drawn), pprof::DefaultType::InuseSpace).encode_to_vec();
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let cut = bytes[..cut.index(bytes.len())].to_vec();
        for bytes in [bytes.clone(), pprof::compress(&bytes), cut] {
            let report = check::file(&bytes);
            if let Some(raw) = &report.raw {
                let _ = check::format::check(raw);
                let _ = check::parca::check(raw, check::parca::Kind::Absolute);
                let _ = check::pyroscope::check(raw);
                let mut scraper = check::alloy::Scraper::default();
                let _ = (scraper.scrape(raw), scraper.scrape(raw));
            }
            let is_read = pprof::decode(&bytes).is_ok();
            let is_broken = report.faults.iter().any(|fault| fault.gravity == Gravity::Broken);
            prop_assert_eq!(is_read, !is_broken);
        }
    }
}

#[test]
fn what_is_no_folded_stack_is_told_by_its_line() {
    let read = |text| folded::read(text, INUSE_SPACE).expect_err("none");
    for (text, line, part) in [
        ("", 0, "no stack"),
        ("# a comment\n\n", 0, "no stack"),
        ("a;b 1\nword\n", 2, "no value"),
        ("a;b 1\nsome words\n", 2, "whole number"),
        ("a;b 1.5\n", 1, "whole number"),
        ("a;;b 1\n", 1, "without a name"),
        (" 1\n", 1, "without a name"),
        ("a 99999999999999999999\n", 1, "whole number"),
    ] {
        let fault: FoldedError = read(text);
        assert_eq!(fault.line, line, "{text:?}");
        assert!(fault.to_string().contains(part), "{text:?}: {fault}");
    }
    let twice = folded::read("a;b 1\r\na;b 2\n", INUSE_SPACE).expect("a stack");
    assert_eq!((twice.samples.len(), twice.total(0)), (1, 3));
}

#[test]
fn what_is_no_speedscope_file_is_told() {
    let profile = |profile: &str| {
        format!(r#"{{"$schema":"","shared":{{"frames":[{{"name":"a"}}]}},"profiles":[{profile}]}}"#)
    };
    let of = |kind: &str, samples: &str, weights: &str| {
        profile(&format!(
            r#"{{"type":"{kind}","name":"inuse_space","unit":"bytes","samples":{samples},"weights":{weights}}}"#
        ))
    };
    let read = |text: &str| speedscope::read(text).expect_err("none");
    assert_eq!(read(&profile("")), SpeedscopeError::Profiles(0));
    assert_eq!(
        read(&of("evented", "[]", "[]")),
        SpeedscopeError::NotSampled("evented".into())
    );
    assert_eq!(
        read(&of("sampled", "[[0]]", "[]")),
        SpeedscopeError::Weights { profile: 0 }
    );
    let frame = SpeedscopeError::Frame {
        profile: 0,
        frame: 1,
    };
    assert_eq!(read(&of("sampled", "[[0,1]]", "[1]")), frame);
    assert!(matches!(
        read(&of("sampled", "[[-1]]", "[1]")),
        SpeedscopeError::Json(_)
    ));
    assert!(matches!(read("{}"), SpeedscopeError::Json(_)));
    let fine = speedscope::read(&of("sampled", "[[0],[0,0]]", "[1.4,1e300]")).expect("a profile");
    assert_eq!(fine.total(0), 1 + i128::from(i64::MAX));
}

#[test]
fn differences_have_no_place_in_speedscope() {
    let negative = named::profile(&[(&["a"], None, [1, 1, 1, -1])]);
    let refused = speedscope::render(&negative, 0).expect_err("negative");
    let kind = "inuse_space".to_owned();
    assert_eq!(refused, SpeedscopeError::Negative { kind });
}

#[test]
fn what_is_no_json_of_ours_is_told() {
    let good = json::render(&named::profile(&[(&["a", "b"], None, [1, 2, 3, 4])]), 3);
    json::read(&good).expect("our own");
    for (from, to, part) in [
        ("heaplens.heap/1", "heaplens.heap/2", "its schema is"),
        ("2026-11-22T20:29:00Z", "yesterday", "RFC 3339"),
        (
            "\"duration_seconds\": null",
            "\"duration_seconds\": -1",
            "no duration",
        ),
        ("0x400000", "400000", "hexadecimal"),
        ("\"object\": 0", "\"object\": 9", "object that is not there"),
        (
            "\"types\": [\"alloc_objects\"",
            "\"types\": [\"other\"",
            "has no \"other\"",
        ),
        ("\"sites\"", "\"places\"", "sites"),
    ] {
        let text = good.replacen(from, to, usize::MAX);
        assert_ne!(text, good, "{from}");
        let fault = json::read(&text).expect_err(from).to_string();
        assert!(fault.contains(part), "{from}: {fault}");
    }
}
