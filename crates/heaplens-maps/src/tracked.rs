//! Any container of the program's own that publishes what it tells of itself.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::group::{Cause, Group};
use crate::handle::Handle;
use crate::map_metrics::{CacheMetrics, MapMetrics};
use crate::origin::Origin;
use crate::traffic::{Traffic, What};

/// A container of any type that publishes what its [`MapMetrics`] tell.
///
/// ```
/// use heaplens_maps::Tracked;
///
/// let mut queue = Tracked::named("queue", Vec::new());
/// queue.push("job");
/// assert_eq!(queue.len(), 1);
/// ```
///
/// It is the container by `Deref` and `DerefMut`. What the program does through
/// `&mut` shows with its next access, reading ones included, so the figures are
/// at most one access late. Of entries that came and went within one access only
/// the difference counts as inserted or removed.
///
/// Heap samples of what it holds are labelled only if the program says so:
/// [`Group::hold`] for a value on its way in, [`Group::scope`] for what is
/// allocated meanwhile.
///
/// For the maps of std, indexmap and hashbrown there are types of their own,
/// which know more. What is changed through `&self`, or shared as an
/// `Arc`, is for [`probe`](crate::probe()).
///
/// An access costs some 2 ns, and what [`MapMetrics`] costs for the type.
pub struct Tracked<M> {
    inner: M,
    handle: Handle,
    /// What a cache had counted when that was last published.
    published: Option<Box<CacheMetrics>>,
}

impl<M: MapMetrics> Tracked<M> {
    /// Tracks a container in the group of the caller's place in the source.
    #[must_use]
    #[track_caller]
    pub fn new(inner: M) -> Self {
        Self::with_handle(inner, Handle::here())
    }

    /// Tracks a container in the group `name`.
    #[must_use]
    pub fn named(name: &'static str, inner: M) -> Self {
        Self::with_handle(inner, Handle::new(Origin::Name(name)))
    }

    /// Tracks a container in a group.
    #[must_use]
    pub fn in_group(group: Group, inner: M) -> Self {
        Self::with_handle(inner, Handle::in_group(group))
    }

    fn with_handle(inner: M, handle: Handle) -> Self {
        let mut tracked = Tracked {
            inner,
            handle,
            published: None,
        };
        if let Some(entries) = tracked.inner.max_entries() {
            let _ = tracked.group().max_entries(entries);
        }
        if let Some(ttl) = tracked.inner.expected_ttl() {
            let _ = tracked.group().expected_ttl(ttl);
        }
        tracked.publish();
        tracked
    }

    /// The container. For the group, its entries were removed.
    #[must_use]
    pub fn into_inner(mut self) -> M {
        self.publish();
        self.inner
    }

    /// Moves this container to the group `name`.
    #[must_use]
    pub fn rename(mut self, name: &'static str) -> Self {
        self.publish();
        let handle = self.handle.moved_to(Origin::Name(name));
        // Leaves one group before it enters the other.
        drop(std::mem::replace(&mut self.handle, handle));
        self.publish();
        self
    }

    /// Declares for the group that none of its containers is meant to hold more
    /// than this. Does not enforce anything.
    #[must_use]
    pub fn max_entries(self, entries: u64) -> Self {
        let _ = self.group().max_entries(entries);
        self
    }

    /// Declares for the group that no entry is meant to live longer. Does not
    /// enforce anything.
    #[must_use]
    pub fn expected_ttl(self, ttl: Duration) -> Self {
        let _ = self.group().expected_ttl(ttl);
        self
    }

    /// The group that this container counts for.
    pub fn group(&self) -> Group {
        self.handle.group()
    }

    fn entries(&self) -> usize {
        plausible(self.inner.entries().unwrap_or(0))
    }

    fn capacity(&self) -> Option<usize> {
        self.inner.capacity().map(plausible)
    }

    fn bytes(&self) -> u64 {
        const MOST: u64 = 1 << 48;
        self.inner.table_bytes().unwrap_or(0).min(MOST)
    }

    #[inline]
    fn publish(&mut self) {
        let entries = self.entries();
        if let Some(capacity) = self.capacity() {
            if self.handle.publish(entries, capacity) {
                if !self.handle.answers(&self.inner, capacity) {
                    let bytes = self.bytes();
                    self.handle.resized(entries, capacity, bytes);
                }
            } else if capacity < self.handle.high_water() && self.inner.capacity_is_exact() {
                let bytes = self.bytes();
                self.handle.shrunk(capacity, bytes, false);
            }
        } else {
            let bytes = self.bytes();
            if self.handle.publish_nodes(entries, bytes) {
                self.handle.answer(&self.inner);
            }
        }
        if let Some(cache) = self.inner.cache() {
            self.publish_cache(cache);
        }
    }

    /// Adds to the group's counters what a cache has counted since.
    fn publish_cache(&mut self, now: CacheMetrics) {
        let group = self.group();
        let before = self.published.get_or_insert_default();
        let Some(traffic) = Traffic::of(group) else {
            return;
        };
        for (what, before, now) in [
            (What::Hits, before.hits, now.hits),
            (What::Misses, before.misses, now.misses),
            (What::Puts, before.puts, now.puts),
            (
                What::EvictionWeight,
                before.eviction_weight,
                now.eviction_weight,
            ),
            (
                What::Uncaused,
                before.evictions_uncaused,
                now.evictions_uncaused,
            ),
        ] {
            if let Some(now) = now {
                traffic.count(what, since(before, now));
            }
        }
        for (cause, (before, now)) in Cause::ALL
            .iter()
            .zip(before.evictions.iter().zip(now.evictions))
        {
            if let Some(now) = now {
                group.count_evictions(*cause, since(*before, now));
            }
        }
        **before = now;
    }

    /// Publishes what was changed last time, and lets it be changed again.
    #[inline]
    fn expose(&mut self) -> &mut M {
        self.publish();
        self.handle.expose(0);
        &mut self.inner
    }

    /// Publishes what was changed last time, by any number of threads.
    #[inline]
    fn heal(&self) {
        let entries = self.entries();
        if let Some(capacity) = self.capacity() {
            if self.handle.read(entries, capacity) {
                self.handle.answer(&self.inner);
                self.handle.heal(entries, capacity, self.bytes());
            }
        } else if self.handle.read(entries, 0) {
            self.handle.answer(&self.inner);
            self.handle.heal_nodes(entries, self.bytes());
        }
    }
}

/// As many entries as there can be: a container may tell anything, and sums of
/// it must not overflow.
fn plausible(entries: u64) -> usize {
    const MOST: u64 = 1 << 40;
    usize::try_from(entries.min(MOST)).unwrap_or(usize::MAX)
}

/// What a counter has counted since; a counter that was set back begins anew.
fn since(before: Option<u64>, now: u64) -> u64 {
    let before = before.unwrap_or(0);
    if now < before { now } else { now - before }
}

impl<M: MapMetrics> Deref for Tracked<M> {
    type Target = M;

    #[inline]
    fn deref(&self) -> &M {
        self.heal();
        &self.inner
    }
}

/// What is done through it shows with the next access.
impl<M: MapMetrics> DerefMut for Tracked<M> {
    #[inline]
    fn deref_mut(&mut self) -> &mut M {
        self.expose()
    }
}

impl<M: MapMetrics> AsRef<M> for Tracked<M> {
    fn as_ref(&self) -> &M {
        self
    }
}

impl<M: MapMetrics> AsMut<M> for Tracked<M> {
    fn as_mut(&mut self) -> &mut M {
        self
    }
}

impl<M: MapMetrics + Default> Default for Tracked<M> {
    #[track_caller]
    fn default() -> Self {
        Self::with_handle(M::default(), Handle::here())
    }
}

impl<M: MapMetrics> From<M> for Tracked<M> {
    #[track_caller]
    fn from(inner: M) -> Self {
        Self::with_handle(inner, Handle::here())
    }
}

/// A clone is another container of the same group.
impl<M: MapMetrics + Clone> Clone for Tracked<M> {
    fn clone(&self) -> Self {
        let inner = M::clone(self);
        let mut clone = Tracked {
            // What the original has counted is counted.
            published: inner.cache().map(Box::new),
            inner,
            handle: self.handle.sibling(),
        };
        clone.publish();
        clone
    }
}

impl<M: fmt::Debug> fmt::Debug for Tracked<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

impl<M: PartialEq> PartialEq for Tracked<M> {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
    }
}

impl<M: Eq> Eq for Tracked<M> {}

impl<M: MapMetrics + IntoIterator> IntoIterator for Tracked<M> {
    type Item = M::Item;
    type IntoIter = M::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

#[expect(
    clippy::into_iter_without_iter,
    reason = "`iter` is the container's own"
)]
impl<'a, M: MapMetrics> IntoIterator for &'a Tracked<M>
where
    &'a M: IntoIterator,
{
    type Item = <&'a M as IntoIterator>::Item;
    type IntoIter = <&'a M as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (**self).into_iter()
    }
}

#[expect(
    clippy::into_iter_without_iter,
    reason = "`iter_mut` is the container's own"
)]
impl<'a, M: MapMetrics> IntoIterator for &'a mut Tracked<M>
where
    &'a mut M: IntoIterator,
{
    type Item = <&'a mut M as IntoIterator>::Item;
    type IntoIter = <&'a mut M as IntoIterator>::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        (**self).into_iter()
    }
}

impl<T, M: MapMetrics + Extend<T>> Extend<T> for Tracked<M> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, iter: I) {
        self.expose().extend(iter);
        self.publish();
    }
}

impl<T, M: MapMetrics + FromIterator<T>> FromIterator<T> for Tracked<M> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        let handle = Handle::here();
        Self::with_handle(M::from_iter(iter), handle)
    }
}
