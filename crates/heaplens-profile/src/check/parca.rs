//! Parca: what its validation refuses, and what decides under which name it
//! stores the series.

use super::Faults;
use super::raw::Raw;

/// Whether a profile says what was since the start, or within a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Since the start.
    Absolute,
    /// Stored as a type of its own, whose name ends in `:delta`.
    Delta,
}

/// All rules at once.
pub fn check(raw: &Raw, kind: Kind) -> Faults {
    let mut faults = Faults::default();
    faults.unless(
        raw.strings.first().is_some_and(String::is_empty),
        "string_table[0] is empty",
        raw.strings.first(),
    );
    ids(raw, &mut faults);
    strings(raw, &mut faults);
    references(raw, &mut faults);
    samples(raw, &mut faults);
    series(raw, kind, &mut faults);
    executables(raw, &mut faults);
    faults
}

fn ids(raw: &Raw, faults: &mut Faults) {
    let tables: [(&str, Vec<u64>); 3] = [
        ("mapping", raw.mappings.iter().map(|of| of.id).collect()),
        ("function", raw.functions.iter().map(|of| of.id).collect()),
        ("location", raw.locations.iter().map(|of| of.id).collect()),
    ];
    for (table, ids) in tables {
        let sequential = (1..).zip(&ids).all(|(id, found)| id == *found);
        faults.unless(sequential, "sequential ids", table);
    }
}

/// Every reference into the string table, with what refers.
fn strings(raw: &Raw, faults: &mut Faults) {
    let mut found: Vec<(&str, i64)> = vec![
        ("drop_frames", raw.drop_frames),
        ("keep_frames", raw.keep_frames),
        ("default_sample_type", raw.default_type),
        ("doc_url", raw.doc_url),
    ];
    found.extend(raw.comments.iter().map(|&of| ("comment", of)));
    let types = raw.types.iter().chain(&raw.period_type);
    found.extend(types.flat_map(|of| [("type", of.kind), ("unit", of.unit)]));
    let mappings = raw.mappings.iter();
    found.extend(mappings.flat_map(|of| [("file", of.file), ("build id", of.build_id)]));
    let functions = raw.functions.iter();
    found.extend(functions.flat_map(|of| {
        [
            ("name", of.name),
            ("system name", of.system_name),
            ("file", of.file),
        ]
    }));
    let labels = raw.samples.iter().flat_map(|of| &of.labels);
    found.extend(labels.flat_map(|of| [("key", of.key), ("text", of.text), ("unit", of.unit)]));
    for (what, index) in found {
        faults.unless(
            raw.has_string(index),
            "string index in range",
            (what, index),
        );
    }
}

fn references(raw: &Raw, faults: &mut Faults) {
    let mappings = raw.mappings.len() as u64;
    let functions = 1..=raw.functions.len() as u64;
    let locations = 1..=raw.locations.len() as u64;
    for of in &raw.locations {
        faults.unless(of.mapping <= mappings, "mapping id in range", of);
        let known = of
            .lines
            .iter()
            .all(|line| functions.contains(&line.function));
        faults.unless(known, "function id in range", of);
    }
    for of in &raw.samples {
        let known = of.locations.iter().all(|id| locations.contains(id));
        faults.unless(known, "location id in range", of);
    }
}

fn samples(raw: &Raw, faults: &mut Faults) {
    faults.unless(
        raw.samples.is_empty() || !raw.types.is_empty(),
        "sample types",
        raw.types.len(),
    );
    for of in &raw.samples {
        let as_many = of.values.len() == raw.types.len();
        faults.unless(as_many, "as many values as types", &of.values);
        for label in &of.labels {
            faults.unless(label.key != 0, "label keys", label);
        }
    }
}

/// The series that dashboards and the shipped configuration ask for:
/// `memory:{type}:{unit}:space:bytes`, with `:delta` where there is a duration.
fn series(raw: &Raw, kind: Kind, faults: &mut Faults) {
    let period = raw
        .period_type
        .map(|of| (raw.text(of.kind), raw.text(of.unit)));
    faults.note_unless(
        period == Some(("space", "bytes")),
        "period_type is space/bytes",
        period,
    );
    faults.note_unless(
        raw.type_names()
            == [
                ("alloc_objects", "count"),
                ("alloc_space", "bytes"),
                ("inuse_objects", "count"),
                ("inuse_space", "bytes"),
            ],
        "the four heap types in order",
        raw.type_names(),
    );
    let is_delta = raw.duration != 0;
    faults.note_unless(
        is_delta == (kind == Kind::Delta),
        "a duration in deltas only",
        raw.duration,
    );
    faults.note_unless(raw.time > 0, "a time", raw.time);
}

/// `executableInfo=…` comments: none, or one for each mapping.
fn executables(raw: &Raw, faults: &mut Faults) {
    let told = raw
        .comments
        .iter()
        .filter(|&&of| raw.text(of).starts_with("executableInfo="))
        .count();
    faults.unless(
        told == 0 || told == raw.mappings.len(),
        "executable info of every mapping or of none",
        told,
    );
}
