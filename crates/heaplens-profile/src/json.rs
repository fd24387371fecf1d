//! A profile as JSON, for scripts; written, and read back.
//!
//! ```json
//! {
//!   "schema": "heaplens.heap/1",
//!   "time": "2026-11-22T20:29:00Z",
//!   "duration_seconds": null,
//!   "sample_interval_bytes": 524288,
//!   "types": ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"],
//!   "sorted_by": "inuse_space",
//!   "comments": ["heaplens 0.1.0"],
//!   "objects": [{"file": "/opt/svc", "build_id": "4fa1", "start": "0x1000", "limit": "0x2000", "offset": 4096}],
//!   "totals": {"inuse_space": {"value": 829411, "standard_error": 501349.2}},
//!   "sites": [
//!     {
//!       "id": "5d1c0f2a9b7e4d30",
//!       "values": {"inuse_space": {"value": 829411, "standard_error": 501349.2}},
//!       "samples": {"alloc": 1, "inuse": 1},
//!       "size_class_bytes": 524288,
//!       "labels": {"map": "sessions"},
//!       "stack": [
//!         {"function": "svc::keep", "file": "/svc/src/main.rs", "line": 41, "column": 9, "address": "0x17ff", "object": 0}
//!       ]
//!     }
//!   ]
//! }
//! ```
//!
//! `values` and `totals` have a member for each type. Stacks are leaf first; of
//! several entries with one address all but the last were inlined. What is not
//! known is `null`: errors and samples of a difference, lines, `object` of code
//! outside any object. Addresses are text, since numbers of 64 bits do not
//! survive every reader. `id` is a [`SiteId`].

mod read;

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::model::{Location, Profile, Sample};
use crate::rfc3339;
use crate::site_id::{SiteId, SiteIds};

pub use read::{JsonError, MAX_TEXT, read};

/// The name of this schema. The number changes if something is taken out or
/// means something else; members may be added.
pub const SCHEMA: &str = "heaplens.heap/1";

/// Most bytes of stacks. Names of inlined Rust functions are long, and each
/// site repeats them.
pub const MAX_STACKS: usize = 64 << 20;

/// Renders `profile`, its sites sorted by the values of one type, largest first.
/// `type_index` is a place in [`Profile::types`].
///
/// Where the stacks would come to more than 64 MiB, the sites with the least
/// values have `null` in their place.
///
/// Costs some 100 ns a location of each sample.
pub fn render(profile: &Profile, type_index: usize) -> String {
    let mut out = head(profile, type_index);
    out.push_str(",\n\"sites\": [");
    let frames: Vec<String> = profile
        .locations
        .iter()
        .map(|location| frames(profile, location))
        .collect();
    let ids = SiteIds::of(profile);
    let mut left = MAX_STACKS;
    for (index, sample) in sorted(profile, type_index).into_iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        let stack = sample.locations.iter().filter_map(|&at| frames.get(at));
        let stack: Vec<&str> = stack.map(String::as_str).collect();
        let length = stack.iter().map(|of| of.len() + 1).sum();
        let rest = left.checked_sub(length);
        left = rest.unwrap_or(0);
        let stack = rest.map(|_| stack.as_slice());
        site(&mut out, profile, sample, ids.site(sample), stack);
    }
    out.push_str("\n]}\n");
    out
}

/// The object up to its sites, without the brace at its end.
fn head(profile: &Profile, type_index: usize) -> String {
    let totals: Map<String, Value> = profile
        .types
        .iter()
        .enumerate()
        .map(|(index, of)| {
            let total = figure(whole(profile.total(index)), profile.total_error(index));
            (of.kind.to_string(), total)
        })
        .collect();
    let types: Vec<&str> = profile.types.iter().map(|of| &*of.kind).collect();
    let members = [
        ("schema", json!(SCHEMA)),
        ("time", json!(rfc3339::format(profile.time))),
        (
            "duration_seconds",
            json!(profile.duration.map(|of| of.as_secs_f64())),
        ),
        ("sample_interval_bytes", json!(profile.period)),
        ("types", json!(types)),
        ("sorted_by", json!(types.get(type_index))),
        ("comments", json!(profile.comments)),
        ("objects", objects(profile)),
        ("totals", Value::Object(totals)),
    ];
    let members = members.map(|(name, value)| format!("\"{name}\": {value}"));
    format!("{{{}", members.join(",\n"))
}

fn objects(profile: &Profile) -> Value {
    let objects = profile.mappings.iter().map(|of| {
        let of = &of.mapping;
        json!({
            "file": of.path,
            "build_id": of.build_id,
            "start": format!("{:#x}", of.start),
            "limit": format!("{:#x}", of.limit),
            "offset": of.offset,
        })
    });
    objects.collect()
}

fn figure(value: i64, error: Option<f64>) -> Value {
    // Whole tenths: more digits would say nothing.
    let error = error.map(|error| (error * 10.0).round() / 10.0);
    json!({"value": value, "standard_error": error})
}

fn whole(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

/// Largest first; equal ones as they stand in the profile.
fn sorted(profile: &Profile, type_index: usize) -> Vec<&Sample> {
    let mut samples: Vec<&Sample> = profile.samples.iter().collect();
    let value = |sample: &&Sample| sample.values.get(type_index).copied().unwrap_or(0);
    samples.sort_by_key(|sample| std::cmp::Reverse(value(sample)));
    samples
}

fn site(out: &mut String, profile: &Profile, sample: &Sample, id: SiteId, stack: Option<&[&str]>) {
    let values: Map<String, Value> = profile
        .types
        .iter()
        .zip(&sample.values)
        .map(|(of, &value)| {
            let variance = sample.variances.and_then(|known| known.of(&of.kind));
            let error = variance.map(|variance| variance.max(0.0).sqrt());
            (of.kind.to_string(), figure(value, error))
        })
        .collect();
    let samples = sample.variances.map(|_| {
        let of = &sample.sampled;
        json!({"alloc": of.alloc_objects, "inuse": of.inuse_objects})
    });
    let mut labels: Map<String, Value> = sample
        .labels
        .iter()
        .map(|(key, value)| (key.clone(), json!(value)))
        .collect();
    let numbers = sample.numbers.iter();
    labels.extend(numbers.map(|of| (of.key.clone(), json!(of.value))));
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "{{\"id\": \"{id}\", \"values\": {}, \"samples\": {}, \"size_class_bytes\": {}, \"labels\": {}, \"stack\": ",
        Value::Object(values),
        json!(samples),
        json!(Some(sample.size_class).filter(|size| *size > 0)),
        Value::Object(labels)
    );
    match stack {
        Some(frames) => {
            out.push('[');
            out.push_str(&frames.join(","));
            out.push_str("]}");
        }
        None => out.push_str("null}"),
    }
}

/// The functions at a location, innermost first, or its bare address.
fn frames(profile: &Profile, location: &Location) -> String {
    let address = Some(location.address).filter(|address| *address != 0);
    let address = json!(address.map(|address| format!("{address:#x}")));
    let object = json!(location.mapping);
    let frame = |function: Value, file: Value, line: Value, column: Value| {
        format!(
            "{{\"function\": {function}, \"file\": {file}, \"line\": {line}, \
             \"column\": {column}, \"address\": {address}, \"object\": {object}}}"
        )
    };
    let number = |of: u32| json!(Some(of).filter(|of| *of > 0));
    let frames: Vec<String> = location
        .lines
        .iter()
        .filter_map(|line| Some((line, profile.functions.get(line.function)?)))
        .map(|(line, function)| {
            let file = Some(&function.file).filter(|file| !file.is_empty());
            frame(
                json!(function.name),
                json!(file),
                number(line.line),
                number(line.column),
            )
        })
        .collect();
    if frames.is_empty() {
        return frame(Value::Null, Value::Null, Value::Null, Value::Null);
    }
    frames.join(",")
}
