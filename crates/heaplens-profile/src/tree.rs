//! A profile as a tree of calls, compact enough for a browser to draw it, search
//! it and filter it by itself, at ten thousand sites too.
//!
//! ```json
//! {
//!   "schema": "heaplens.tree/1",
//!   "time": "2026-11-22T20:29:00Z",
//!   "duration_seconds": null,
//!   "sample_interval_bytes": 524288,
//!   "types": ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"],
//!   "comments": ["heaplens 0.1.0"],
//!   "totals": [{"value": 829411, "standard_error": 501349.0}],
//!   "left_out": 0,
//!   "strings": ["", "svc::main", "/svc/src/main.rs", "svc::keep"],
//!   "frames": {"function": [1, 3], "file": [2, 2], "line": [7, 41], "own": [1, 1]},
//!   "nodes": {"parent": [-1, 0], "frame": [0, 1]},
//!   "labels": [[], [["map", "sessions"]]],
//!   "samples": {"node": [1], "origin": [1], "labels": [1], "values": [[1], [829411]], "errors": [[1], [501349]]}
//! }
//! ```
//!
//! `function` and `file` are places in `strings`, `frame` and `origin` in
//! `frames`; a node's parent stands before it, and -1 is no parent. A stack is a
//! node and those above it. `values` and `errors` have a list for each type,
//! `errors` being `null` where standard errors are not known. `own` and `origin`
//! are those of [`sites`](crate::sites). Functions without a name are their
//! object and the address in its file.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::model::{Labels, Location, Profile, Sample};
use crate::origin::{self, Origin};
use crate::{rfc3339, stacks};

/// The name of this schema. The number changes if something is taken out or
/// means something else; members may be added.
pub const SCHEMA: &str = "heaplens.tree/1";

/// Most nodes. Of what would need more, the samples with the least values are
/// left out.
pub const MAX_NODES: usize = 1 << 19;

/// Renders `profile`; if it is too large, the samples with the largest values of
/// one type. `type_index` is a place in [`Profile::types`].
///
/// Costs some 50 ns a frame of each sample, and takes some 10 bytes a node.
pub fn render(profile: &Profile, type_index: usize) -> String {
    let mut tree = Tree::new(profile);
    let mut left_out = 0;
    for sample in by_value(profile, type_index) {
        if !tree.add(sample) {
            left_out += 1;
        }
    }
    let totals = (0..profile.types.len()).map(|at| {
        let value = profile.total(at).clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        json!({"value": value, "standard_error": profile.total_error(at).map(f64::round)})
    });
    let types: Vec<&str> = profile.types.iter().map(|of| &*of.kind).collect();
    let document = json!({
        "schema": SCHEMA,
        "time": rfc3339::format(profile.time),
        "duration_seconds": profile.duration.map(|of| of.as_secs_f64()),
        "sample_interval_bytes": profile.period,
        "types": types,
        "comments": profile.comments,
        "totals": totals.collect::<Vec<_>>(),
        "left_out": left_out,
        "strings": tree.strings.texts,
        "frames": {
            "function": tree.frames.iter().map(|of| of.function).collect::<Vec<_>>(),
            "file": tree.frames.iter().map(|of| of.file).collect::<Vec<_>>(),
            "line": tree.frames.iter().map(|of| of.line).collect::<Vec<_>>(),
            "own": tree.frames.iter().map(|of| u8::from(of.own)).collect::<Vec<_>>(),
        },
        "nodes": {
            "parent": tree.nodes.iter().map(|of| of.0).collect::<Vec<_>>(),
            "frame": tree.nodes.iter().map(|of| of.1).collect::<Vec<_>>(),
        },
        "labels": tree.labels.sets,
        "samples": {
            "node": tree.samples.iter().map(|of| of.node).collect::<Vec<_>>(),
            "origin": tree.samples.iter().map(|of| of.origin).collect::<Vec<_>>(),
            "labels": tree.samples.iter().map(|of| of.labels).collect::<Vec<_>>(),
            "values": tree.columns(types.len(), |of, at| of.sample.values.get(at).copied().into()),
            "errors": tree.errors(profile),
        },
    });
    format!("{document}\n")
}

/// Largest first; equal ones as they stand in the profile.
fn by_value(profile: &Profile, type_index: usize) -> Vec<&Sample> {
    let mut samples: Vec<&Sample> = profile.samples.iter().collect();
    let value = |of: &&Sample| of.values.get(type_index).copied().unwrap_or(0);
    samples.sort_by_key(|of| std::cmp::Reverse(value(of).unsigned_abs()));
    samples
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Frame {
    function: usize,
    file: usize,
    line: u32,
    own: bool,
}

struct Row<'a> {
    node: i64,
    /// -1 for a stack without frames.
    origin: i64,
    labels: usize,
    sample: &'a Sample,
}

struct Tree<'a> {
    strings: Strings,
    frames: Vec<Frame>,
    /// Frames of each location of the profile, outermost first.
    of_location: Vec<Vec<usize>>,
    /// Parent and frame.
    nodes: Vec<(i64, usize)>,
    known: HashMap<(i64, usize), i64>,
    labels: LabelSets,
    samples: Vec<Row<'a>>,
}

impl<'a> Tree<'a> {
    fn new(profile: &Profile) -> Self {
        let mut tree = Tree {
            strings: Strings::default(),
            frames: Vec::new(),
            of_location: Vec::new(),
            nodes: Vec::new(),
            known: HashMap::new(),
            labels: LabelSets::default(),
            samples: Vec::new(),
        };
        let origins = origin::origins(profile);
        let mut known = HashMap::new();
        for location in &profile.locations {
            let frames = tree.frames_at(profile, location, &origins);
            let numbers = frames.into_iter().map(|frame| {
                *known.entry(frame).or_insert_with(|| {
                    tree.frames.push(frame);
                    tree.frames.len() - 1
                })
            });
            let numbers = numbers.collect();
            tree.of_location.push(numbers);
        }
        tree
    }

    fn frames_at(
        &mut self,
        profile: &Profile,
        location: &Location,
        origins: &[Origin],
    ) -> Vec<Frame> {
        let lines = location.lines.iter().rev();
        let named = lines.filter_map(|line| Some((line, profile.functions.get(line.function)?)));
        let frames: Vec<Frame> = named
            .map(|(line, function)| Frame {
                function: self.strings.number(stacks::shortened(&function.name)),
                file: self.strings.number(stacks::shortened(&function.file)),
                line: line.line,
                own: origins.get(line.function) == Some(&Origin::Program),
            })
            .collect();
        if frames.is_empty() {
            let place = stacks::place(profile, location);
            return vec![Frame {
                function: self.strings.number(&place),
                file: self.strings.number(""),
                line: 0,
                own: false,
            }];
        }
        frames
    }

    /// Whether there was room for it.
    fn add(&mut self, sample: &'a Sample) -> bool {
        let locations = sample.locations.iter().rev();
        let frames = locations.filter_map(|&at| self.of_location.get(at));
        let stack: Vec<usize> = frames.flatten().copied().collect();
        if self.nodes.len() + stack.len() > MAX_NODES {
            return false;
        }
        let mut node = -1;
        for &frame in &stack {
            let next = self.nodes.len() as i64;
            let known = *self.known.entry((node, frame)).or_insert(next);
            if known == next {
                self.nodes.push((node, frame));
            }
            node = known;
        }
        let is_own = |at: &&usize| self.frames.get(**at).is_some_and(|of| of.own);
        let origin = stack.iter().rfind(is_own).or(stack.last());
        let origin = origin.map_or(-1, |&at| at as i64);
        let labels = self.labels.number(&sample.labels);
        self.samples.push(Row {
            node,
            origin,
            labels,
            sample,
        });
        true
    }

    fn columns(&self, types: usize, value: impl Fn(&Row<'a>, usize) -> Value) -> Vec<Vec<Value>> {
        let column = |at| self.samples.iter().map(|of| value(of, at)).collect();
        (0..types).map(column).collect()
    }

    /// Nothing unless that of each sample is known.
    fn errors(&self, profile: &Profile) -> Option<Vec<Vec<Value>>> {
        let known = self.samples.iter().all(|of| of.sample.variances.is_some());
        let error = |row: &Row<'a>, at: usize| {
            let kind = &profile.types.get(at)?.kind;
            let variance = row.sample.variances?.of(kind)?;
            Some(variance.max(0.0).sqrt().round())
        };
        known.then(|| self.columns(profile.types.len(), |row, at| error(row, at).into()))
    }
}

/// Each text once, the empty one first.
struct Strings {
    numbers: HashMap<String, usize>,
    texts: Vec<String>,
}

impl Default for Strings {
    fn default() -> Self {
        Strings {
            numbers: HashMap::from([(String::new(), 0)]),
            texts: vec![String::new()],
        }
    }
}

impl Strings {
    fn number(&mut self, text: &str) -> usize {
        if let Some(&number) = self.numbers.get(text) {
            return number;
        }
        let number = self.texts.len();
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

/// Each set of labels once.
#[derive(Default)]
struct LabelSets {
    numbers: HashMap<Labels, usize>,
    sets: Vec<Vec<[String; 2]>>,
}

impl LabelSets {
    fn number(&mut self, labels: &Labels) -> usize {
        if let Some(&number) = self.numbers.get(labels) {
            return number;
        }
        let pairs = labels
            .iter()
            .map(|(key, value)| [key.clone(), value.clone()]);
        self.sets.push(pairs.collect());
        let number = self.sets.len() - 1;
        self.numbers.insert(labels.clone(), number);
        number
    }
}
