//! What a container can tell of itself.

mod locks;
mod std_collections;
mod tables;

use std::time::Duration;

use crate::group::Cause;
#[cfg(any(feature = "parking_lot", feature = "tokio"))]
pub(crate) use locks::locks;
#[cfg(any(feature = "hashbrown", feature = "indexmap"))]
pub(crate) use tables::tables;

/// What a container tells of itself: asked by every report for a
/// [`probe`](crate::probe()), and after every change for a
/// [`Tracked`](crate::Tracked).
///
/// Every method must be cheap, at most a few loads for each shard, must not
/// wait for a lock that the program may hold for long, and must not panic (a
/// probe that panics is removed and counted). `None` means that the container
/// does not know, or that finding out would take longer: nothing is ever
/// estimated in its place.
///
/// ```
/// use heaplens_maps::MapMetrics;
///
/// struct Queue(Vec<String>);
///
/// impl MapMetrics for Queue {
///     fn entries(&self) -> Option<u64> {
///         Some(self.0.len() as u64)
///     }
///
///     fn capacity(&self) -> Option<u64> {
///         Some(self.0.capacity() as u64)
///     }
/// }
/// ```
pub trait MapMetrics {
    /// Entries now.
    fn entries(&self) -> Option<u64>;

    /// Entries that the table can hold. `None` for containers without a table,
    /// such as trees and lists.
    fn capacity(&self) -> Option<u64> {
        None
    }

    /// Whether [`MapMetrics::capacity`] falls only when the table gets smaller.
    /// It is `false` for std's hash maps, where removed entries may take up
    /// capacity until the table is rebuilt.
    fn capacity_is_exact(&self) -> bool {
        true
    }

    /// Bytes of the container's own table, nodes or buffer on the heap. What
    /// keys and values own is not part of it.
    fn table_bytes(&self) -> Option<u64> {
        None
    }

    /// Entries that the container enforces as its bound, or that its owner
    /// declares as normal: what stays within is not a leak.
    fn max_entries(&self) -> Option<u64> {
        None
    }

    /// How long an entry lives at most.
    fn expected_ttl(&self) -> Option<Duration> {
        None
    }

    /// The figures of a cache; `None` if the container is none.
    fn cache(&self) -> Option<CacheMetrics> {
        None
    }

    /// Calls `f` once while nothing changes the container: for a
    /// [what-if drop](crate::retained()), which takes some milliseconds. `false`,
    /// without a call, if that cannot be had at once, by a lock that would have to be
    /// waited for.
    ///
    /// As it is here, for containers that nobody can hold still, it calls `f` at any
    /// moment: what is being changed just then may be counted wrongly, or the drop may
    /// fail. The program comes to no harm by that.
    fn hold_still(&self, f: &mut dyn FnMut()) -> bool {
        f();
        true
    }

    /// All of the above. `None` if the container is busy, by a lock that would
    /// have to be waited for: then what it told last counts on.
    fn figures(&self) -> Option<Figures> {
        Some(Figures {
            entries: self.entries(),
            capacity: self.capacity(),
            table_bytes: self.table_bytes(),
            max_entries: self.max_entries(),
            expected_ttl: self.expected_ttl(),
            cache: self.cache(),
        })
    }
}

/// What a container told at one moment. What is `None` is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// As [`MapMetrics::entries`].
    pub entries: Option<u64>,
    /// As [`MapMetrics::capacity`].
    pub capacity: Option<u64>,
    /// As [`MapMetrics::table_bytes`], in bytes.
    pub table_bytes: Option<u64>,
    /// As [`MapMetrics::max_entries`].
    pub max_entries: Option<u64>,
    /// As [`MapMetrics::expected_ttl`].
    pub expected_ttl: Option<Duration>,
    /// As [`MapMetrics::cache`].
    pub cache: Option<CacheMetrics>,
}

impl Figures {
    /// A container of so many entries, of which nothing else is known.
    #[must_use]
    pub fn of_entries(entries: u64) -> Figures {
        Figures {
            entries: Some(entries),
            ..Figures::default()
        }
    }
}

/// What a cache counts. The counters begin with the cache and never decrease;
/// what is `None` is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheMetrics {
    /// Lookups that found an entry.
    pub hits: Option<u64>,
    /// Lookups that found none.
    pub misses: Option<u64>,
    /// Entries put in, new values for known keys included.
    pub puts: Option<u64>,
    /// Entries that left, in the order of [`Cause::ALL`].
    pub evictions: [Option<u64>; Cause::ALL.len()],
    /// Entries that left for a cause that the cache does not tell.
    pub evictions_uncaused: Option<u64>,
    /// Weight of the entries that left, in the cache's own units.
    pub eviction_weight: Option<u64>,
    /// Weight of the entries now, in the cache's own units.
    pub weight: Option<u64>,
    /// Weight at which it evicts.
    pub max_weight: Option<u64>,
}

impl CacheMetrics {
    /// Adds another cache's figures. What only one of them knows counts alone.
    pub(crate) fn add(&mut self, other: &CacheMetrics) {
        self.add_counters(other);
        add(&mut self.weight, other.weight);
        add(&mut self.max_weight, other.max_weight);
    }

    /// As `add`, without what goes when the cache goes.
    pub(crate) fn add_counters(&mut self, other: &CacheMetrics) {
        add(&mut self.hits, other.hits);
        add(&mut self.misses, other.misses);
        add(&mut self.puts, other.puts);
        for (sum, more) in self.evictions.iter_mut().zip(other.evictions) {
            add(sum, more);
        }
        add(&mut self.evictions_uncaused, other.evictions_uncaused);
        add(&mut self.eviction_weight, other.eviction_weight);
    }
}

/// Adds what is known.
fn add(sum: &mut Option<u64>, more: Option<u64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}
