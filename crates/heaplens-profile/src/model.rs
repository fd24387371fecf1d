//! The profile: what every output format is made from.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use heaplens_alloc::Snapshot;

use crate::mappings::{Mapping, Mappings};
use crate::symbolize::Symbolizer;
use crate::{comments, rows};

/// What a value measures, and its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ValueType {
    /// For example `inuse_space`.
    pub kind: &'static str,
    /// `count` or `bytes`.
    pub unit: &'static str,
}

/// The four types of a heap profile, in Go's order; viewers take the last one
/// as the default.
pub const HEAP_TYPES: [ValueType; 4] = [
    ValueType {
        kind: "alloc_objects",
        unit: "count",
    },
    ValueType {
        kind: "alloc_space",
        unit: "bytes",
    },
    ValueType {
        kind: "inuse_objects",
        unit: "count",
    },
    ValueType {
        kind: "inuse_space",
        unit: "bytes",
    },
];

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
    /// object and for the pseudo frames `[truncated]`, `[unknown stack]` and
    /// `[stack table full]`.
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

/// Labels of a sample: pairs of key and value.
pub type Labels = Arc<[(String, String)]>;

/// A stack with its values. No two samples of a profile have the same
/// locations, size class and labels.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// Indices into [`Profile::locations`], leaf first.
    pub locations: Vec<usize>,
    /// Upper bound in bytes of the size class; 0 = objects of all sizes.
    pub size_class: u64,
    /// What the sample is told apart by besides (key, value), for example
    /// (`map`, `sessions`). Samples with equal labels share one list.
    pub labels: Labels,
    /// Estimates, one a type of [`Profile::types`]. What is in use may exceed
    /// what was allocated where labels say who holds it; summed over labels it
    /// does not.
    pub values: Vec<i64>,
    /// What the estimates are based on.
    pub sampled: SampledCounts,
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
    /// Mean bytes between samples, at least 1.
    pub period: u64,
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
            types: HEAP_TYPES.to_vec(),
            samples: tables.samples,
            locations: tables.locations,
            functions: tables.functions,
            mappings: tables.mappings,
            comments: comments::of(snapshot),
        }
    }
}
