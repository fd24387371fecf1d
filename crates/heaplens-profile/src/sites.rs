//! A profile by source line, for people and for tables: what each line of the
//! program's own code has allocated, whatever library it called to do so.
//!
//! ```json
//! {
//!   "schema": "heaplens.sites/1",
//!   "time": "2026-11-22T20:29:00Z",
//!   "duration_seconds": null,
//!   "types": ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"],
//!   "sorted_by": "inuse_space",
//!   "totals": {"inuse_space": {"value": 829411, "standard_error": 501349.0}},
//!   "sites_count": 1,
//!   "sites": [
//!     {
//!       "function": "svc::keep", "file": "/svc/src/main.rs", "line": 41, "own": true,
//!       "values": {"inuse_space": {"value": 829411, "standard_error": 501349.0}},
//!       "samples": {"alloc": 1, "inuse": 1},
//!       "labels": [{"key": "map", "value": "sessions", "share": 0.9}]
//!     }
//!   ]
//! }
//! ```
//!
//! `values` and `totals` have a member for each type. `share` is the part of the
//! value sorted by that samples with this label have.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::model::{Profile, Sample};
use crate::origin::{self, Origin};
use crate::{place, rfc3339};

/// The name of this schema. The number changes if something is taken out or
/// means something else; members may be added.
pub const SCHEMA: &str = "heaplens.sites/1";

/// Most lines that are listed: those with the largest values.
pub const MAX_SITES: usize = 500;

/// Most labels of a line.
const MAX_LABELS: usize = 4;

/// Renders `profile` by source line, the largest value of one type first.
/// `type_index` is a place in [`Profile::types`].
///
/// Costs some 50 ns a frame of each sample.
pub fn render(profile: &Profile, type_index: usize) -> String {
    let sites = sites(profile, type_index);
    let types: Vec<&str> = profile.types.iter().map(|of| &*of.kind).collect();
    let totals = (0..types.len()).map(|at| (profile.total(at), profile.total_error(at)));
    let shown = sites.iter().take(MAX_SITES);
    let document = json!({
        "schema": SCHEMA,
        "time": rfc3339::format(profile.time),
        "duration_seconds": profile.duration.map(|of| of.as_secs_f64()),
        "sample_interval_bytes": profile.period,
        "types": types,
        "sorted_by": types.get(type_index),
        "comments": profile.comments,
        "totals": figures(&types, totals),
        "sites_count": sites.len(),
        "sites": shown.map(|of| of.document(&types, type_index)).collect::<Vec<_>>(),
    });
    format!("{document}\n")
}

/// Function, file and line: instances of one generic function are one.
type Place<'a> = (&'a str, &'a str, u32);

/// What is known of one line.
#[derive(Default)]
struct Site<'a> {
    /// `None` where no name is known.
    place: Option<Place<'a>>,
    own: bool,
    values: Vec<i128>,
    /// `None` as soon as that of one sample is not known.
    variances: Option<Vec<f64>>,
    sampled: (u64, u64),
    labels: HashMap<(&'a str, &'a str), i128>,
}

/// All lines, the largest value first.
fn sites(profile: &Profile, type_index: usize) -> Vec<Site<'_>> {
    let origins = origin::origins(profile);
    let mut places: HashMap<Option<Place<'_>>, usize> = HashMap::new();
    let mut sites: Vec<Site<'_>> = Vec::new();
    for sample in &profile.samples {
        let line = origin::line(profile, &origins, sample);
        let place = line.and_then(|of| {
            let function = profile.functions.get(of.function)?;
            let named = place::around(profile, sample, function).unwrap_or(function);
            Some((named.name.as_str(), function.file.as_str(), of.line))
        });
        let next = sites.len();
        let index = *places.entry(place).or_insert(next);
        if index == next {
            sites.push(Site {
                place,
                own: line.is_some_and(|of| origins.get(of.function) == Some(&Origin::Program)),
                values: vec![0; profile.types.len()],
                variances: Some(vec![0.0; profile.types.len()]),
                ..Site::default()
            });
        }
        if let Some(site) = sites.get_mut(index) {
            site.add(profile, sample, type_index);
        }
    }
    let value = |of: &Site<'_>| of.values.get(type_index).copied().unwrap_or(0);
    sites.sort_by_key(|of| std::cmp::Reverse((value(of).unsigned_abs(), value(of), of.place)));
    sites
}

impl<'a> Site<'a> {
    fn add(&mut self, profile: &'a Profile, sample: &'a Sample, type_index: usize) {
        for (sum, value) in self.values.iter_mut().zip(&sample.values) {
            *sum += i128::from(*value);
        }
        self.variances = self.variances.take().and_then(|mut sums| {
            let known = sample.variances?;
            for (sum, of) in sums.iter_mut().zip(&profile.types) {
                *sum += known.of(&of.kind)?;
            }
            Some(sums)
        });
        self.sampled.0 += sample.sampled.alloc_objects;
        self.sampled.1 += sample.sampled.inuse_objects;
        let value = sample.values.get(type_index).copied().unwrap_or(0);
        for (key, label) in sample.labels.iter() {
            *self.labels.entry((key, label)).or_default() += i128::from(value);
        }
    }

    fn document(&self, types: &[&str], type_index: usize) -> Value {
        let errors = self.variances.as_ref();
        let values = self.values.iter().enumerate().map(|(at, value)| {
            let variance = errors.and_then(|of| of.get(at));
            (*value, variance.map(|of| of.max(0.0).sqrt()))
        });
        json!({
            "function": self.place.map(|of| of.0),
            "file": self.place.map(|of| of.1).filter(|file| !file.is_empty()),
            "line": self.place.map(|of| of.2).filter(|line| *line > 0),
            "own": self.own,
            "values": figures(types, values),
            "samples": self.variances.as_ref().map(|_| json!({"alloc": self.sampled.0, "inuse": self.sampled.1})),
            "labels": self.labels(type_index),
        })
    }

    fn labels(&self, type_index: usize) -> Vec<Value> {
        let whole = self.values.get(type_index).copied().unwrap_or(0);
        let mut labels: Vec<_> = self.labels.iter().filter(|of| *of.1 != 0).collect();
        labels.sort_by_key(|(label, value)| (std::cmp::Reverse(value.unsigned_abs()), **label));
        let labels = labels.into_iter().take(MAX_LABELS);
        let labels = labels.map(|((key, label), value)| {
            let share = (whole != 0).then(|| *value as f64 / whole as f64);
            json!({"key": key, "value": label, "share": share})
        });
        labels.collect()
    }
}

fn figures(types: &[&str], of: impl Iterator<Item = (i128, Option<f64>)>) -> Value {
    let figures = types.iter().zip(of).map(|(kind, (value, error))| {
        let bounds = (i128::from(i64::MIN), i128::from(i64::MAX));
        let value = value.clamp(bounds.0, bounds.1) as i64;
        let error = error.map(f64::round);
        (
            (*kind).to_owned(),
            json!({"value": value, "standard_error": error}),
        )
    });
    Value::Object(figures.collect::<Map<_, _>>())
}
