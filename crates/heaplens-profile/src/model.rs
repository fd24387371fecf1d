//! The profile: what every output format is made from.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use heaplens_alloc::Snapshot;

use crate::mappings::{Mapping, Mappings};
use crate::symbolize::Symbolizer;
use crate::{comments, compact, rows};

/// What a value measures, and its unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ValueType {
    /// For example `inuse_space`.
    pub kind: Cow<'static, str>,
    /// For example `count` or `bytes`.
    pub unit: Cow<'static, str>,
}

impl ValueType {
    /// A type of these names.
    pub const fn new(kind: &'static str, unit: &'static str) -> Self {
        ValueType {
            kind: Cow::Borrowed(kind),
            unit: Cow::Borrowed(unit),
        }
    }
}

/// The four types of a heap profile, in Go's order; viewers take the last one
/// as the default.
pub const HEAP_TYPES: [ValueType; 4] = [
    ValueType::new("alloc_objects", "count"),
    ValueType::new("alloc_space", "bytes"),
    ValueType::new("inuse_objects", "count"),
    ValueType::new("inuse_space", "bytes"),
];

/// What the period of a heap profile is measured in.
pub const SPACE: ValueType = ValueType::new("space", "bytes");

/// A function in source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Function {
    /// Demangled, without hash.
    pub name: String,
    /// As linkers see it; equal to `name` where nothing is mangled, empty where
    /// the debug information gives no linkage name.
    pub system_name: String,
    /// Source file; empty = not known.
    pub file: String,
}

/// One function at a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Index into [`Profile::functions`].
    pub function: usize,
    /// Line, from 1; 0 = not known.
    pub line: u32,
    /// Column, from 1; 0 = not known.
    pub column: u32,
}

/// A place in the program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Location {
    /// Index into [`Profile::mappings`]; `None` for code outside of any
    /// object and for the pseudo frames `[truncated]`, `[unknown stack]`,
    /// `[stack table full]` and `map=NAME`.
    pub mapping: Option<usize>,
    /// An address inside the call instruction: return address minus 1.
    /// 0 in pseudo frames only.
    pub address: u64,
    /// Bytes from the start of the physical function to `address`.
    pub offset: Option<u64>,
    /// The functions there, innermost (inlined) first; the physical one last.
    /// Empty if no name is known.
    pub lines: Vec<Line>,
}

/// A mapping, and what is known of the locations in it.
#[expect(clippy::struct_excessive_bools, reason = "the flags of the format")]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileMapping {
    /// The mapping itself.
    pub mapping: Mapping,
    /// Every location in it has a function.
    pub has_functions: bool,
    /// Every line of every location in it has a file.
    pub has_filenames: bool,
    /// Every line of every location in it has a line number.
    pub has_line_numbers: bool,
    /// Inlined functions were looked for, with success at every location.
    pub has_inline_frames: bool,
}

/// Samples as they were drawn, not scaled up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SampledCounts {
    /// Samples since the start.
    pub alloc_objects: u64,
    /// Their requested bytes.
    pub alloc_bytes: u64,
    /// Samples not freed yet.
    pub inuse_objects: u64,
    /// Their requested bytes.
    pub inuse_bytes: u64,
}

/// How far the values of a sample may be off: the variance of each estimate, in
/// its unit squared. Those of different samples add up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Variances {
    /// Of `alloc_objects`.
    pub alloc_objects: f64,
    /// Of `alloc_space`.
    pub alloc_space: f64,
    /// Of `inuse_objects`.
    pub inuse_objects: f64,
    /// Of `inuse_space`.
    pub inuse_space: f64,
}

impl Variances {
    /// The variance of the estimate of this type, if it is one of [`HEAP_TYPES`], or of
    /// [`RETAINED_KINDS`](crate::RETAINED_KINDS), which are in use.
    pub fn of(&self, kind: &str) -> Option<f64> {
        match kind {
            "alloc_objects" => Some(self.alloc_objects),
            "alloc_space" => Some(self.alloc_space),
            "inuse_objects" | "retained_objects" => Some(self.inuse_objects),
            "inuse_space" | "retained_space" => Some(self.inuse_space),
            _ => None,
        }
    }
}

/// Labels of a sample: pairs of key and value.
pub type Labels = Arc<[(String, String)]>;

/// A label whose value is a number, other than the size class.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct NumberLabel {
    /// For example `request`.
    pub key: String,
    /// Its value.
    pub value: i64,
    /// For example `bytes`; empty = not stated.
    pub unit: String,
}

/// A stack with its values. No two samples of a profile have the same
/// locations, size class and labels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Indices into [`Profile::locations`], leaf first.
    pub locations: Vec<usize>,
    /// Upper bound in bytes of the size class; 0 = objects of all sizes.
    pub size_class: u64,
    /// What the sample is told apart by besides (key, value), for example
    /// (`map`, `sessions`). Samples with equal labels share one list.
    pub labels: Labels,
    /// Numbers that it is told apart by as well. Only profiles of other programs
    /// have any.
    pub numbers: Arc<[NumberLabel]>,
    /// Estimates, one a type of [`Profile::types`]. What is in use may exceed
    /// what was allocated where labels say who holds it; summed over labels it
    /// does not.
    pub values: Vec<i64>,
    /// What the estimates are based on; nothing in profiles that were read from
    /// a file.
    pub sampled: SampledCounts,
    /// How far the estimates may be off; `None` where that is not known, as in
    /// differences and in profiles that were read from a file.
    pub variances: Option<Variances>,
}

/// A heap profile.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Profile {
    /// When it was taken.
    pub time: SystemTime,
    /// Length of the interval that it covers; `None` for a profile of all
    /// that was allocated since the start.
    pub duration: Option<Duration>,
    /// Mean distance between samples in the unit of the period's type: bytes in
    /// a heap profile, where it is at least 1.
    pub period: u64,
    /// What the period is measured in: `space` in `bytes` in a heap profile.
    pub period_type: ValueType,
    /// What the values of a sample are.
    pub types: Vec<ValueType>,
    /// In the order in which the snapshot has their stacks and size classes;
    /// those that differ in labels only stand next to each other.
    pub samples: Vec<Sample>,
    /// Locations that samples refer to.
    pub locations: Vec<Location>,
    /// Functions that lines refer to.
    pub functions: Vec<Arc<Function>>,
    /// Executable mappings: the program's own first.
    pub mappings: Vec<ProfileMapping>,
    /// For people: version, interval, losses, standard error.
    pub comments: Vec<String>,
}

impl Profile {
    /// Makes a profile of `snapshot`. With a symbolizer, locations have names
    /// and the allocator's own frames are left out at the leaf end; without
    /// one there are addresses and mappings, for offline use.
    ///
    /// Sites that differ only in what is left out become one sample. Costs
    /// about a microsecond a site, and what the symbolizer takes.
    pub fn new(
        snapshot: &Snapshot,
        mappings: &Mappings,
        symbolizer: Option<&mut Symbolizer>,
    ) -> Profile {
        let tables = rows::build(snapshot, mappings, symbolizer);
        Profile {
            time: snapshot.taken_at,
            duration: snapshot.window,
            period: snapshot.counters.sample_interval.max(1),
            period_type: SPACE,
            types: HEAP_TYPES.to_vec(),
            samples: tables.samples,
            locations: tables.locations,
            functions: tables.functions,
            mappings: tables.mappings,
            comments: comments::of(snapshot),
        }
    }

    /// The index of the type of this name in [`types`](Profile::types).
    pub fn type_index(&self, kind: &str) -> Option<usize> {
        self.types.iter().position(|of| of.kind == kind)
    }

    /// The sum of the values of this type over all samples.
    pub fn total(&self, type_index: usize) -> i128 {
        let values = self
            .samples
            .iter()
            .filter_map(|of| of.values.get(type_index));
        values.map(|&value| i128::from(value)).sum()
    }

    /// The standard error of [`total`](Profile::total), if that of every sample
    /// is known.
    pub fn total_error(&self, type_index: usize) -> Option<f64> {
        let kind = &self.types.get(type_index)?.kind;
        let variance = |sample: &Sample| sample.variances?.of(kind);
        let sum = self
            .samples
            .iter()
            .map(variance)
            .try_fold(0.0, |sum, of| Some(sum + of?))?;
        Some(f64::max(sum, 0.0).sqrt())
    }

    /// Leaves out the locations and functions that no sample refers to.
    pub fn compact(&mut self) {
        compact::compact(self);
    }
}
