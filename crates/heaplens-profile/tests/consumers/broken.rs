//! Files that break one rule each: the rule must refuse them.

use crate::rules::alloy::{self, Scraper};
use crate::rules::parca::{self, Kind};
use crate::rules::raw::{Label, Raw};
use crate::rules::{Faults, Kept as _, format, pyroscope};
use crate::{encoded, raw};

type Check = fn(&Raw) -> Faults;
type Break = fn(&mut Raw);

/// A rule, and a change that breaks it.
type Case = (&'static str, Break);

fn of_parca() -> Vec<Case> {
    vec![
        ("string_table[0] is empty", |of| {
            of.strings[0] = "x".into();
        }),
        ("string_table[0] is empty", |of| of.strings.clear()),
        ("sequential ids", |of| of.mappings[0].id = 0),
        ("sequential ids", |of| of.functions[1].id = 1),
        ("sequential ids", |of| of.locations[0].id = 9999),
        ("sequential ids", |of| of.locations.swap(0, 1)),
        ("mapping id in range", |of| {
            of.locations[0].mapping = 9999;
        }),
        ("function id in range", |of| {
            of.locations[0].lines[0].function = 9999;
        }),
        ("function id in range", |of| {
            of.locations[0].lines[0].function = 0;
        }),
        ("location id in range", |of| {
            of.samples[0].locations[0] = 0;
        }),
        ("location id in range", |of| {
            of.samples[0].locations[0] = 9999;
        }),
        ("sample types", |of| of.types.clear()),
        ("as many values as types", |of| {
            of.samples[0].values.truncate(3);
        }),
        ("label keys", |of| of.samples[0].labels[0].key = 0),
        ("period_type is space/bytes", |of| {
            of.period_type = None;
        }),
        ("period_type is space/bytes", |of| {
            of.period_type = Some(of.types[0]);
        }),
        ("the four heap types in order", |of| {
            of.types.swap(0, 1);
        }),
        ("a duration in deltas only", |of| of.duration = 1),
        ("a time", |of| of.time = 0),
        ("executable info of every mapping or of none", |of| {
            of.strings.push("executableInfo=2;0;0".into());
            of.comments.push(of.strings.len() as i64 - 1);
        }),
    ]
}

fn of_string_indices() -> Vec<Case> {
    vec![
        ("string index in range", |of| {
            of.mappings[0].file = 1 << 40;
        }),
        ("string index in range", |of| {
            of.mappings[0].build_id = -1;
        }),
        ("string index in range", |of| {
            of.functions[0].name = of.strings.len() as i64;
        }),
        ("string index in range", |of| {
            of.functions[0].system_name = -1;
        }),
        ("string index in range", |of| {
            of.functions[0].file = -1;
        }),
        ("string index in range", |of| of.comments.push(-7)),
        ("string index in range", |of| {
            of.default_type = 1 << 40;
        }),
        ("string index in range", |of| of.doc_url = 1 << 40),
        ("string index in range", |of| {
            of.drop_frames = 1 << 40;
        }),
        ("string index in range", |of| {
            of.types[0].unit = 1 << 40;
        }),
        ("string index in range", |of| {
            of.samples[0].labels[0].key = 1 << 40;
        }),
        ("string index in range", |of| {
            of.samples[0].labels[0].text = 1 << 40;
        }),
    ]
}

fn of_alloy() -> Vec<Case> {
    vec![
        ("exact names of the cumulative types", |of| {
            let unit = of.types[0].unit as usize;
            of.strings[unit] = "counts".into();
        }),
        ("a stack", |of| of.samples[0].locations.clear()),
        ("addresses are not zero", |of| {
            of.locations[0].address = 0;
        }),
        ("one sample per stack and labels", |of| {
            of.samples.push(of.samples[0].clone());
        }),
    ]
}

fn of_pyroscope() -> Vec<Case> {
    vec![
        ("no negative values", |of| {
            of.samples[0].values[2] = -1;
        }),
        ("totals survive", |of| {
            of.samples[0].values[2] = -1;
        }),
        ("an address or a line in every location", |of| {
            of.locations[0].address = 0;
            of.locations[0].lines.clear();
        }),
        ("numbers as labels for sizes only", |of| {
            let key = of.types[0].kind;
            of.samples[0].labels.push(Label {
                key,
                number: 7,
                ..Label::default()
            });
        }),
    ]
}

fn of_the_format() -> Vec<Case> {
    vec![
        ("addresses lie in their mapping", |of| {
            let inside = of.locations.iter_mut().find(|of| of.mapping != 0);
            inside.expect("a mapped location").address = 16;
        }),
        ("names are shown whole", |of| {
            of.strings.push("<a::B as C>::d".into());
            let name = of.strings.len() as i64 - 1;
            of.functions[0].name = name;
            of.functions[0].system_name = name;
        }),
        ("one value per label", |of| {
            let label = of.samples[0].labels[0];
            of.samples[0].labels.push(label);
        }),
    ]
}

#[test]
fn every_rule_refuses_what_breaks_it() {
    let whole = raw(1);
    let parca_check: Check = |raw| parca::check(raw, Kind::Absolute);
    let alloy_check: Check = |raw| Scraper::default().scrape(raw).1;
    for (check, cases) in [
        (parca_check, of_parca()),
        (parca_check, of_string_indices()),
        (alloy_check, of_alloy()),
        (pyroscope::check, of_pyroscope()),
        (format::check, of_the_format()),
    ] {
        for (number, (rule, break_it)) in cases.into_iter().enumerate() {
            check(&whole).none(rule);
            let mut changed = whole.clone();
            break_it(&mut changed);
            // As a reader gets it: once over the wire.
            let sent = Raw::decode_message(&changed.encode_message()).expect("still a message");
            let found = check(&sent).rules();
            assert!(found.contains(&rule), "{number}, {rule}: {found:?}");
        }
    }
}

#[test]
fn a_second_scrape_refuses_what_breaks_deltas() {
    let (first, second) = (raw(1), raw(3));
    let refused = |break_it: Break| {
        let mut changed = second.clone();
        break_it(&mut changed);
        let mut scraper = Scraper::default();
        scraper.scrape(&first).1.none("the first scrape");
        scraper.scrape(&changed).1.rules()
    };
    assert_eq!(refused(|_| ()), [""; 0]);
    let falls = refused(|of| of.samples.iter_mut().for_each(|of| of.values[1] /= 4));
    assert!(falls.contains(&"cumulative values never fall"), "{falls:?}");
    let gone = refused(|of| of.samples.retain(|of| of.values[0] == 0));
    assert!(gone.contains(&"no site disappears"), "{gone:?}");
    // Another address or another label is another site.
    for break_it in [
        (|of: &mut Raw| of.locations[0].address += 1) as Break,
        |of| {
            let labels = of.samples.iter_mut().flat_map(|of| &mut of.labels);
            labels.for_each(|label| label.number += i64::from(label.text == 0));
        },
    ] {
        let moved = refused(break_it);
        assert!(moved.contains(&"no site disappears"), "{moved:?}");
    }
    // Who holds what may change: nothing was allocated in those rows.
    let let_go = refused(|of| of.samples.retain(|of| of.values[0] != 0));
    assert_eq!(let_go, [""; 0]);
}

#[test]
fn broken_files_are_refused() {
    let whole = encoded(1);
    let rule = |bytes: &[u8]| Raw::decode(bytes).map_err(|fault| fault.rule).map(|_| ());
    assert_eq!(rule(&whole), Ok(()));
    assert_eq!(rule(b""), Err("not empty"));
    assert_eq!(rule(&whole[..whole.len() / 2]), Err("whole gzip file"));
    assert_eq!(rule(&whole[2..]), Err("whole gzip file"));
    // doc_url, field 15, as a string instead of an index.
    let mut message = raw(1).encode_message();
    message.extend_from_slice(b"\x7a\x01x");
    let refused = Raw::decode_message(&message).map_err(|fault| fault.rule);
    assert_eq!(refused.map(|_| ()), Err("wire types"));
}

#[test]
fn answers_that_are_not_scraped() {
    let body = encoded(1);
    alloy::check_answer(Some("application/octet-stream"), &body).none("Alloy");
    for (content_type, body, rule) in [
        (None, &body[..], "content type"),
        (Some("text/plain; charset=utf-8"), &body[..], "content type"),
        (Some("application/octet-stream"), b"", "not empty"),
        (
            Some("application/octet-stream"),
            b" <html>",
            "neither HTML nor JSON",
        ),
        (
            Some("application/octet-stream"),
            b"{\"error\":1}",
            "neither HTML nor JSON",
        ),
    ] {
        let found = alloy::check_answer(content_type, body).rules();
        assert_eq!(found, [rule]);
    }
}
