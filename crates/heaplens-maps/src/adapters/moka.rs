//! moka's caches: their sizes and bounds by a [probe](crate::probe_owned), and
//! what they evict by a [`listener`].
//!
//! ```
//! # #[cfg(feature = "moka")] {
//! use heaplens_maps::{Group, moka::listener, probe_owned};
//!
//! let group = Group::named("sessions");
//! let sessions = moka::sync::Cache::builder()
//!     .max_capacity(1)
//!     .eviction_listener(listener(group))
//!     .build();
//! let _shown = probe_owned("sessions", sessions.clone());
//!
//! sessions.insert(17, "Ada");
//! sessions.invalidate(&17);
//! sessions.run_pending_tasks();
//!
//! let report = heaplens_maps::report();
//! let cache = report.groups.iter().find(|group| group.name == "sessions")
//!     .and_then(|group| group.cache).expect("it is a cache");
//! assert_eq!(cache.evictions, [Some(0), Some(1), Some(0), Some(0)]); // explicit
//! # }
//! ```

use std::sync::Arc;

#[cfg(feature = "moka-future")]
use ::moka::future;
use ::moka::notification::RemovalCause;
#[cfg(feature = "moka")]
use ::moka::sync;

use super::weighted::weighted;
use crate::group::{Cause, Group};

/// An eviction listener that counts for a group what leaves a cache, by cause;
/// for `eviction_listener` of the builders of `moka::sync` and `moka::future`.
///
/// It does not panic, so that moka never switches it off; it takes an atomic
/// addition, and moka a clone of the value for each call. Replaced values are counted as
/// [`Cause::Replaced`].
pub fn listener<K, V>(group: Group) -> impl Fn(Arc<K>, V, RemovalCause) + Send + Sync + 'static {
    move |_, _, cause| count(group, cause)
}

/// As [`listener`], and counts weights too: `weigher` is the one that the cache
/// has. It must not panic.
pub fn weighing_listener<K, V>(
    group: Group,
    weigher: impl Fn(&K, &V) -> u32 + Send + Sync + 'static,
) -> impl Fn(Arc<K>, V, RemovalCause) + Send + Sync + 'static {
    move |key, value, cause| {
        count(group, cause);
        if cause.was_evicted() {
            group.count_eviction_weight(u64::from(weigher(&key, &value)));
        }
    }
}

/// Counts one entry that left: for a listener of the program's own, asynchronous
/// ones included.
pub fn count(group: Group, cause: RemovalCause) {
    group.count_evictions(cause.into(), 1);
}

impl From<RemovalCause> for Cause {
    fn from(cause: RemovalCause) -> Cause {
        match cause {
            RemovalCause::Expired => Cause::Expired,
            RemovalCause::Explicit => Cause::Explicit,
            RemovalCause::Replaced => Cause::Replaced,
            RemovalCause::Size => Cause::Size,
        }
    }
}

weighted! {
    "Estimates of the cache, which lag behind its writes until `run_pending_tasks`; a few \
     nanoseconds. The bound in entries is told while each weighs one. Hits are not counted by \
     moka, and evictions by a [`listener`] only.";
    #[cfg(feature = "moka")]
    sync::Cache<K, V, S>;
    #[cfg(feature = "moka-future")]
    future::Cache<K, V, S>;
}
