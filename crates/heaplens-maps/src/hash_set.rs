//! `HashSet` that publishes what it holds.

mod iter;
mod traits;

use std::borrow::Borrow;
use std::collections::hash_map::RandomState;
use std::collections::{HashSet, TryReserveError};
use std::hash::{BuildHasher, Hash};

use crate::constructors::constructors;
use crate::group::Group;
use crate::handle::Handle;
use crate::methods::{retain_values, swiss_table_methods};
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

constructors!([T] TrackedHashSet, HashSet, RandomState);

impl<T, S> TrackedHashSet<T, S> {
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

    retain_values!(HashSet);

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
    swiss_table_methods!(HashSet);

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
}
