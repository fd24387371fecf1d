#![forbid(unsafe_code)]
#![doc = include_str!("docs/crate.md")]
#![doc = include_str!("docs/configuration.md")]

mod agent;
mod auth;
mod body;
mod builder;
mod clients;
mod config;
#[cfg(test)]
mod configurations;
mod coverage;
#[cfg(feature = "cpu-profile")]
mod cpu;
mod deadline;
mod error;
mod fields;
mod flight;
mod guard;
mod handlers;
mod history;
mod host;
mod inquiries;
#[cfg(feature = "tracing")]
mod label_layer;
pub mod leaks;
mod listen;
mod map_group;
mod memory;
mod metrics;
mod outlook;
mod params;
mod peak;
mod pulse;
mod respond;
mod router;
mod routes;
mod server;
mod state;
mod survey;
pub mod testing;
mod ui;
mod units;
mod waste;
mod watch;
mod work;

pub use agent::Agent;
pub use builder::Builder;
pub use config::{Config, DEFAULT_LISTEN};
pub use error::Error;
pub use history::DEFAULT_HISTORY_BYTES;
#[cfg(feature = "tracing")]
pub use label_layer::LabelLayer;
pub use metrics::collector::Collector;
pub use router::{Routes, router};
pub use watch::VerdictChange;

#[cfg(feature = "jemalloc")]
#[doc(inline)]
pub use heaplens_alloc::Jemalloc;
#[doc(inline)]
pub use heaplens_alloc::{
    Alloc, AllocatorStats, Counters, DEFAULT_MEMORY_BUDGET, DEFAULT_SAMPLE_INTERVAL, DropReason,
    EnvironmentError, LabelExt, LabelScope, Labelled, Labels, Lifetimes, Site, Snapshot, Stack,
    StackKind, StatsSource, Tally, Totals, Walker, allocator_stats, allow_what_if, counters,
    is_what_if_allowed, label, lifetimes, retained, sample_interval, set_sample_interval, snapshot,
    untracked,
};
#[doc(inline)]
pub use heaplens_maps as maps;
#[cfg(feature = "cache")]
#[doc(inline)]
pub use heaplens_maps::TrackedCache;
#[cfg(feature = "hashbrown")]
#[doc(inline)]
pub use heaplens_maps::TrackedHashbrownMap;
#[doc(inline)]
pub use heaplens_maps::{
    MapMetrics, Tracked, TrackedBTreeMap, TrackedBTreeSet, TrackedHashMap, TrackedHashSet, probe,
};
#[cfg(feature = "indexmap")]
#[doc(inline)]
pub use heaplens_maps::{TrackedIndexMap, TrackedIndexSet};
#[doc(inline)]
pub use heaplens_profile as profile;
