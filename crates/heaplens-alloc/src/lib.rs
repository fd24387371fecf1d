//! A global allocator wrapper that samples allocations per call site, cheap
//! enough to be always on.
//!
//! ```
//! use heaplens_alloc::Alloc;
//!
//! #[global_allocator]
//! static ALLOC: Alloc<std::alloc::System> = Alloc::with(std::alloc::System);
//!
//! fn main() {
//!     heaplens_alloc::set_sample_interval(1); // every allocation
//!     let kept = vec![0u8; 1000];
//!     let totals = heaplens_alloc::snapshot().totals();
//!     assert!(totals.inuse.bytes >= 1000.0);
//!     drop(kept);
//! }
//! ```
//!
//! # How it works
//!
//! Each thread counts down an exponential number of bytes ([`sampler`]). The
//! allocation that brings the count below zero is sampled: its stack is walked,
//! the block is entered in a table, and it is handed out at an address by which
//! its free is recognised, so that frees of other blocks look nothing up. Every
//! sample keeps the weight that its own size and the interval in force gave it;
//! estimates are unbiased whatever the mix of sizes and however often the
//! interval is changed.
//!
//! Data flows one way: `global → thread → record → stack → stacks + sites + live
//! → snapshot`.
//!
//! # Promises
//!
//! The allocation path takes no lock, does not panic, does not allocate through
//! the wrapped allocator, and restores `errno`. Its memory is bounded by
//! [`DEFAULT_MEMORY_BUDGET`] or what was set; what does not fit is counted
//! ([`Counters::drops`]).
//!
//! # Features
//!
//! * `jemalloc` (default): [`Alloc::new`] over jemalloc.
//! * `jemalloc-stats`: jemalloc built with its statistics.

mod ages;
mod arena;
mod base;
pub mod cgroup;
mod config;
pub mod counters;
mod filter;
mod global;
mod held;
pub mod holder;
mod index;
#[cfg(feature = "jemalloc")]
pub mod jemalloc;
mod label;
mod label_sets;
mod lifetimes;
mod live;
mod mark;
mod os;
mod pace;
pub mod peak;
mod publish;
mod record;
mod registry;
pub mod retained;
pub mod sampler;
mod scan;
mod sites;
mod snapshot;
mod stack;
mod stacks;
pub mod stats;
mod store;
mod sums;
mod tag;
mod tally;
mod thread;
mod visit;
pub mod watch;
mod watches;
mod word;

pub use ages::{AGE_BOUNDS, AGE_CLASSES, age_class, age_class_name};
pub use base::Base;
pub use config::{
    DEFAULT_MAX_OVERHEAD, DEFAULT_MEMORY_BUDGET, DEFAULT_SAMPLE_INTERVAL, EnvironmentError,
    MAX_SAMPLE_INTERVAL, MEMORY_BUDGET_RANGE, check_environment, sample_interval,
};
pub use counters::{Counters, DropReason, Walker};
pub use global::Alloc;
#[cfg(feature = "jemalloc")]
pub use jemalloc::Jemalloc;
pub use label::{LabelExt, LabelScope, Labelled, Labels, MAX_LABEL_KEY, MAX_LABEL_VALUE, label};
pub use label_sets::{MAX_LABEL_SETS, MAX_LABELS};
pub use lifetimes::{ByAge, Lifetimes, SiteLifetimes, lifetimes};
pub use retained::{allow_what_if, is_what_if_allowed, retained};
pub use snapshot::{Site, Snapshot, Stack, snapshot, survivors};
pub use stacks::StackKind;
pub use stats::{AllocatorStats, SizeClass, StatsSource, allocator_stats};
pub use store::counters;
pub use tally::{Tally, Totals};
pub use thread::{set_sample_interval, untracked};
pub use visit::{LiveSample, each_live, each_site};

/// For this project's own tests: not part of the interface.
#[doc(hidden)]
pub mod testing {
    pub use crate::thread::reseed_thread;
}
