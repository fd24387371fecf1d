//! `HashSet` that publishes what it holds.

mod iter;
mod traits;

use std::borrow::Borrow;
use std::collections::hash_map::RandomState;
use std::collections::{HashSet, TryReserveError};
use std::hash::{BuildHasher, Hash};

use crate::group::Group;
use crate::handle::Handle;
use crate::origin::Origin;
use crate::watched::{Watched, tracking_methods};

pub use iter::{Drain, ExtractIf};

/// A [`HashSet`] that publishes its entries, table and traffic, and marks the
/// heap samples of what it holds.
///
/// ```
/// use heaplens_maps::TrackedHashSet;
///
/// let mut seen = TrackedHashSet::named("seen");
/// assert!(seen.insert("a"));
/// assert!(!seen.insert("a"));
/// ```
///
/// It has every method of std's set. What is exact, what is late and what it
/// costs is as with [`TrackedHashMap`](crate::TrackedHashMap), except that a set
/// has no entries to change.
pub struct TrackedHashSet<T, S = RandomState>(Watched<HashSet<T, S>>);

impl<T> TrackedHashSet<T, RandomState> {
    /// As [`HashSet::new`], in the group of the caller's place in the source.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::with_hasher(RandomState::new())
    }

    /// An empty set of the group `name`. As [`Group::named`], except that a
    /// known name costs no lock.
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        Self::named_with_hasher(name, RandomState::new())
    }

    /// An empty set of a group.
    #[must_use]
    pub fn in_group(group: Group) -> Self {
        Self(Watched::new(HashSet::new(), Handle::in_group(group)))
    }

    /// As [`HashSet::with_capacity`], in the group of the caller's place in the
    /// source.
    #[must_use]
    #[track_caller]
    pub fn with_capacity(capacity: usize) -> Self {
        Self::with_capacity_and_hasher(capacity, RandomState::new())
    }
}

impl<T, S> TrackedHashSet<T, S> {
    /// As [`HashSet::with_hasher`]: constant, for sets in statics. In the group
    /// of the caller's place in the source.
    #[must_use]
    #[track_caller]
    pub const fn with_hasher(hasher: S) -> Self {
        let set = HashSet::with_hasher(hasher);
        Self(Watched::new(set, Handle::here()))
    }

    /// As [`TrackedHashSet::named`], with a hasher; constant.
    #[must_use]
    pub const fn named_with_hasher(name: &'static str, hasher: S) -> Self {
        let set = HashSet::with_hasher(hasher);
        Self(Watched::new(set, Handle::new(Origin::Name(name))))
    }

    /// As [`HashSet::with_capacity_and_hasher`], in the group of the caller's
    /// place in the source.
    #[must_use]
    #[track_caller]
    pub fn with_capacity_and_hasher(capacity: usize, hasher: S) -> Self {
        Self::from_inner(HashSet::with_capacity_and_hasher(capacity, hasher))
    }

    tracking_methods!(HashSet<T, S>);

    /// As [`HashSet::drain`]. All entries count as removed at once.
    pub fn drain(&mut self) -> Drain<'_, T> {
        let (set, table) = self.0.drain();
        Drain::new(set.drain(), table)
    }

    /// As [`HashSet::extract_if`].
    pub fn extract_if<F>(&mut self, pred: F) -> ExtractIf<'_, T, F>
    where
        F: FnMut(&T) -> bool,
    {
        let (set, taking) = self.0.extract();
        ExtractIf::new(set.extract_if(pred), taking)
    }

    /// As [`HashSet::retain`].
    pub fn retain<F>(&mut self, mut f: F)
    where
        F: FnMut(&T) -> bool,
    {
        self.0.settle();
        self.0.change(|set, handle| {
            set.retain(|value| {
                let keep = f(value);
                if !keep {
                    handle.release(value);
                }
                keep
            });
        });
    }

    /// As [`HashSet::clear`].
    pub fn clear(&mut self) {
        self.0.clear(HashSet::clear);
    }
}

impl<T, S> TrackedHashSet<T, S>
where
    T: Eq + Hash,
    S: BuildHasher,
{
    /// Lets the table shrink by itself when it is at most 1/8 full, with
    /// hysteresis, never below what was reserved. The move takes some 50 ns an
    /// entry that is left, within the `insert` or `remove` that finds the table
    /// so.
    #[must_use]
    pub fn auto_shrink(mut self, on: bool) -> Self {
        self.0.set_auto_shrink(on);
        self
    }

    /// As [`HashSet::insert`].
    #[inline]
    pub fn insert(&mut self, value: T) -> bool {
        let is_new = self.put(value);
        self.shrink_if_due();
        is_new
    }

    #[inline]
    fn put(&mut self, value: T) -> bool {
        self.0.handle.hold(&value);
        self.0.change(|set, _| set.insert(value))
    }

    /// As [`HashSet::replace`].
    pub fn replace(&mut self, value: T) -> Option<T> {
        self.0.handle.hold(&value);
        let old = self.0.change(|set, _| set.replace(value));
        if let Some(old) = &old {
            self.0.handle.replaced(old);
        }
        old
    }

    /// As [`HashSet::contains`].
    #[inline]
    pub fn contains<Q>(&self, value: &Q) -> bool
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.read().contains(value)
    }

    /// As [`HashSet::remove`].
    #[inline]
    pub fn remove<Q>(&mut self, value: &Q) -> bool
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let was_there = self.0.take_out(|set| set.remove(value));
        self.shrink_if_due();
        was_there
    }

    /// As [`HashSet::take`].
    pub fn take<Q>(&mut self, value: &Q) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let taken = self.0.take_out(|set| set.take(value));
        if let Some(taken) = &taken {
            self.0.handle.release(taken);
        }
        self.shrink_if_due();
        taken
    }

    #[inline]
    fn shrink_if_due(&mut self) {
        if self.0.handle.may_shrink() {
            self.0.shrink_if_due(HashSet::shrink_to);
        }
    }

    /// As [`HashSet::shrink_to_fit`].
    pub fn shrink_to_fit(&mut self) {
        self.0.shrink(0, false, HashSet::shrink_to);
    }

    /// As [`HashSet::shrink_to`].
    pub fn shrink_to(&mut self, min_capacity: usize) {
        self.0.shrink(min_capacity, false, HashSet::shrink_to);
    }

    /// As [`HashSet::reserve`].
    ///
    /// # Panics
    /// If the new size overflows `usize`, as std's.
    pub fn reserve(&mut self, additional: usize) {
        self.0.change(|set, _| set.reserve(additional));
        self.0.reserved(additional);
    }

    /// As [`HashSet::try_reserve`].
    ///
    /// # Errors
    /// If the capacity overflows, or the allocator has no memory.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.0.change(|set, _| set.try_reserve(additional))?;
        self.0.reserved(additional);
        Ok(())
    }
}
