//! What std's `HashSet` implements.

use std::collections::HashSet;
use std::hash::{BuildHasher, Hash};

use super::TrackedHashSet;
use crate::collection::{container, equality_traits, hashed_traits, room_for, set_operators};
use crate::handle::Handle;
use crate::swiss::{self, HashTable};
use crate::watched::{Watched, tracking_traits};

impl<T, S> HashTable for HashSet<T, S> {
    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }
}

container!(set HashSet<T, S>, swiss);
tracking_traits!([T, S] TrackedHashSet<T, S>, HashSet<T, S>);
equality_traits!([T, S] TrackedHashSet<T, S>, HashSet<T, S>);
hashed_traits!(TrackedHashSet<T>, T);
set_operators!([T: Eq + Hash + Clone, S: BuildHasher + Default] TrackedHashSet<T, S>);

/// A clone is another set of the same group.
impl<T: Clone, S: Clone> Clone for TrackedHashSet<T, S> {
    fn clone(&self) -> Self {
        Self(Watched::cloned(self.0.read().clone(), &self.0))
    }

    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

impl<T: Eq + Hash, S: BuildHasher> Extend<T> for TrackedHashSet<T, S> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, iter: I) {
        let iter = iter.into_iter();
        let room = room_for(&iter, self.is_empty());
        self.0.change(|set, _| set.reserve(room));
        iter.for_each(|value| {
            self.put(value);
        });
    }
}

impl<'a, T: Eq + Hash + Copy + 'a, S: BuildHasher> Extend<&'a T> for TrackedHashSet<T, S> {
    fn extend<I: IntoIterator<Item = &'a T>>(&mut self, iter: I) {
        self.extend(iter.into_iter().copied());
    }
}
