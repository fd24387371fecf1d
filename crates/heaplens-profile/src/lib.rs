#![forbid(unsafe_code)]
//! Heaplens snapshots as profiles that people and tools can read.
//!
//! Data flows one way: a [`heaplens_alloc::Snapshot`] (addresses and
//! estimates) and the process's [`Mappings`] become a [`Profile`]; a
//! [`Profile`] becomes bytes.
//!
//! | Module | What | Reads files? |
//! |---|---|---|
//! | [`mappings`] | the executable mappings of a process, build ids | [`Mappings::of_current_process`] only |
//! | [`symbolize`] | addresses to functions, files and lines | yes: the mapped ELF files |
//! | [`model`] | the profile: samples, locations, functions, comments | no |
//! | [`trim`] | which leaf frames belong to the allocator itself | no |
//! | [`diff`] | what changed between two profiles | no |
//! | [`pprof`] | gzip'ed `profile.proto`, written and read | no |
//! | [`filter`] | which samples are kept | no |
//! | [`text`] | Go's `debug=1` text | no |
//! | [`folded`] | folded stacks, written and read | no |
//! | [`speedscope`] | JSON of speedscope, written and read | no |
//! | [`offline`] | names for profiles that were made without | yes: files of the same builds |
//! | [`check`] | the rules of those who read profiles | no |
//! | [`json`] | JSON with standard errors | no |
//! | [`origin`] | which frames are the program's own code | no |
//! | [`place`] | the line of the program that a stack is about | no |
//! | [`sites`] | JSON by line of the program's own code | no |
//! | [`tree`] | JSON of all stacks as a tree, compact | no |
//! | [`flamegraph`] | interactive SVG, of one profile or of a difference | no |
//! | [`rfc3339`] | moments as comments write them | no |
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use heaplens_profile::{DefaultType, Mappings, Profile, Symbolizer, pprof};
//!
//! let snapshot = heaplens_alloc::snapshot();
//! let mappings = Mappings::of_current_process()?;
//! let mut symbolizer = Symbolizer::new();
//! let profile = Profile::new(&snapshot, &mappings, Some(&mut symbolizer));
//! std::fs::write("heap.pb.gz", pprof::encode(&profile, DefaultType::InuseSpace))?;
//! # Ok(())
//! # }
//! ```

pub mod check;
mod comments;
mod compact;
mod debug_file;
pub mod diff;
mod elf;
pub mod filter;
pub mod flamegraph;
pub mod folded;
mod image;
mod intern;
pub mod json;
mod lifetimes;
pub mod mappings;
mod merge;
pub mod model;
mod named;
mod names;
pub mod offline;
pub mod origin;
pub mod place;
pub mod pprof;
pub mod proto;
mod retained;
pub mod rfc3339;
mod rows;
mod site_id;
pub mod sites;
mod source;
pub mod speedscope;
mod stacks;
mod symbol_table;
pub mod symbolize;
pub mod text;
pub mod tree;
pub mod trim;
mod units;

pub use filter::Filter;
pub use lifetimes::{AGE_LABEL, LIFETIME_KINDS};
pub use mappings::{Mapping, Mappings};
pub use model::{
    Function, Labels, Line, Location, NumberLabel, Profile, Sample, SampledCounts, ValueType,
    Variances,
};
pub use place::Place;
pub use pprof::{DecodeError, DefaultType};
pub use retained::{MAP_LABEL, RETAINED_KINDS};
pub use site_id::{SiteId, SiteIdError, SiteIds};
pub use symbolize::{Frame, Symbolizer};
