//! Drop-in collections that publish what they hold, and tie the heap to the map
//! that holds it.
//!
//! ```
//! use heaplens_maps::TrackedHashMap;
//!
//! let mut sessions = TrackedHashMap::named("sessions");
//! sessions.insert("id".to_owned(), vec![0u8; 100]);
//!
//! let report = heaplens_maps::report();
//! let group = report.groups.iter().find(|group| group.name == "sessions");
//! assert_eq!(group.map(|group| (group.instances, group.entries)), Some((1, 1)));
//! ```
#![forbid(unsafe_code)]

mod adapters;
mod btree_map;
mod btree_set;
#[cfg(feature = "cache")]
mod cache;
mod cache_report;
mod census;
mod clock;
mod collection;
mod constructors;
mod contained;
mod group;
mod growth;
mod handle;
pub mod hash_map;
pub mod hash_set;
#[cfg(feature = "hashbrown")]
pub mod hashbrown_map;
#[cfg(feature = "indexmap")]
pub mod index_map;
#[cfg(feature = "indexmap")]
pub mod index_set;
#[cfg(feature = "indexmap")]
mod indexed;
mod leaving;
mod map_metrics;
mod methods;
mod nodes;
mod origin;
mod pool;
mod probe;
mod report;
mod retained;
mod shrink;
mod sized;
mod slab;
mod slot;
mod swiss;
mod sync;
mod table_bytes;
mod tracked;
mod traffic;
mod watched;

#[cfg(any(feature = "moka", feature = "moka-future"))]
pub use adapters::moka;
#[cfg(feature = "quick_cache")]
pub use adapters::quick_cache;
pub use btree_map::TrackedBTreeMap;
pub use btree_set::TrackedBTreeSet;
#[cfg(feature = "cache")]
pub use cache::{CacheBuilder, TrackedCache};
pub use cache_report::CacheReport;
pub use clock::tick;
pub use group::{Cause, Group, MAX_GROUPS, OTHER};
pub use hash_map::TrackedHashMap;
pub use hash_set::TrackedHashSet;
#[cfg(feature = "hashbrown")]
pub use hashbrown_map::TrackedHashbrownMap;
#[cfg(feature = "indexmap")]
pub use index_map::TrackedIndexMap;
#[cfg(feature = "indexmap")]
pub use index_set::TrackedIndexSet;
pub use map_metrics::{CacheMetrics, Figures, MapMetrics};
pub use probe::{MAX_PROBES, ProbeGuard, probe, probe_owned, probe_static, probe_with};
pub use report::{GroupReport, Report, report};
pub use retained::{AskError, GroupRetained, MAX_MEASURED, retained};
pub use sized::{SizedHashMap, SizedMut};
pub use tracked::Tracked;
