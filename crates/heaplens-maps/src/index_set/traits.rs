//! What indexmap's `IndexSet` implements.

use std::hash::{BuildHasher, Hash};
use std::ops::Index;

use indexmap::IndexSet;

use super::TrackedIndexSet;
use crate::collection::{container, hashed_traits, room_for, set_operators};
use crate::handle::Handle;
use crate::indexed::{self, Indexed};
use crate::watched::{Watched, tracking_traits};

impl<T, S> Indexed for IndexSet<T, S> {
    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }
}

container!(set IndexSet<T, S>, indexed);
tracking_traits!([T, S] TrackedIndexSet<T, S>, IndexSet<T, S>);
hashed_traits!(TrackedIndexSet<T>, T);
set_operators!([T: Eq + Hash + Clone, S: BuildHasher + Default] TrackedIndexSet<T, S>);

/// A clone is another set of the same group.
impl<T: Clone, S: Clone> Clone for TrackedIndexSet<T, S> {
    fn clone(&self) -> Self {
        let clone = self.0.read().clone();
        Self(Watched::adopted(clone, self.0.handle.sibling()))
    }

    /// The set stays in its own group.
    fn clone_from(&mut self, source: &Self) {
        let clone = source.0.read().clone();
        *self = Self(Watched::adopted(clone, self.0.handle.sibling()));
    }
}

impl<T, S1, S2> PartialEq<TrackedIndexSet<T, S2>> for TrackedIndexSet<T, S1>
where
    T: Eq + Hash,
    S1: BuildHasher,
    S2: BuildHasher,
{
    fn eq(&self, other: &TrackedIndexSet<T, S2>) -> bool {
        self.0.read() == other.0.read()
    }
}

impl<T, S1, S2> PartialEq<IndexSet<T, S2>> for TrackedIndexSet<T, S1>
where
    T: Eq + Hash,
    S1: BuildHasher,
    S2: BuildHasher,
{
    fn eq(&self, other: &IndexSet<T, S2>) -> bool {
        self.0.read() == other
    }
}

impl<T, S> Index<usize> for TrackedIndexSet<T, S> {
    type Output = T;

    /// # Panics
    /// If there is no such place, as indexmap's.
    #[inline]
    fn index(&self, index: usize) -> &T {
        &self.0.read()[index]
    }
}

impl<T: Eq + Hash, S: BuildHasher> Eq for TrackedIndexSet<T, S> {}

impl<T: Eq + Hash, S: BuildHasher> Extend<T> for TrackedIndexSet<T, S> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, iter: I) {
        let iter = iter.into_iter();
        let room = room_for(&iter, self.is_empty());
        self.0.change(|set, _| set.reserve(room));
        iter.for_each(|value| {
            self.insert(value);
        });
    }
}

impl<'a, T: Eq + Hash + Copy + 'a, S: BuildHasher> Extend<&'a T> for TrackedIndexSet<T, S> {
    fn extend<I: IntoIterator<Item = &'a T>>(&mut self, iter: I) {
        self.extend(iter.into_iter().copied());
    }
}
