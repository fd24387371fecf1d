//! What indexmap's `IndexMap` implements.

use std::hash::{BuildHasher, Hash};
use std::ops::{Index, IndexMut};

use indexmap::{Equivalent, IndexMap};

use super::TrackedIndexMap;
use crate::collection::{container, hashed_traits, iter_mut_trait, room_for};
use crate::handle::Handle;
use crate::indexed::{self, Indexed};
use crate::watched::{Watched, tracking_traits};

impl<K, V, S> Indexed for IndexMap<K, V, S> {
    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }
}

container!(map IndexMap<K, V, S>, indexed);
tracking_traits!([K, V, S] TrackedIndexMap<K, V, S>, IndexMap<K, V, S>);
iter_mut_trait!([K, V, S] TrackedIndexMap<K, V, S>, IndexMap<K, V, S>);
hashed_traits!(TrackedIndexMap<K, V>, (K, V));

/// A clone is another map of the same group.
impl<K: Clone, V: Clone, S: Clone> Clone for TrackedIndexMap<K, V, S> {
    fn clone(&self) -> Self {
        let clone = self.0.read().clone();
        Self(Watched::adopted(clone, self.0.handle.sibling()))
    }

    /// The map stays in its own group.
    fn clone_from(&mut self, source: &Self) {
        let clone = source.0.read().clone();
        *self = Self(Watched::adopted(clone, self.0.handle.sibling()));
    }
}

impl<K, V1, V2, S1, S2> PartialEq<TrackedIndexMap<K, V2, S2>> for TrackedIndexMap<K, V1, S1>
where
    K: Eq + Hash,
    V1: PartialEq<V2>,
    S1: BuildHasher,
    S2: BuildHasher,
{
    fn eq(&self, other: &TrackedIndexMap<K, V2, S2>) -> bool {
        self.0.read() == other.0.read()
    }
}

impl<K, V1, V2, S1, S2> PartialEq<IndexMap<K, V2, S2>> for TrackedIndexMap<K, V1, S1>
where
    K: Eq + Hash,
    V1: PartialEq<V2>,
    S1: BuildHasher,
    S2: BuildHasher,
{
    fn eq(&self, other: &IndexMap<K, V2, S2>) -> bool {
        self.0.read() == other
    }
}

impl<K, V, S> Eq for TrackedIndexMap<K, V, S>
where
    K: Eq + Hash,
    V: Eq,
    S: BuildHasher,
{
}

impl<K, Q, V, S> Index<&Q> for TrackedIndexMap<K, V, S>
where
    Q: Hash + Equivalent<K> + ?Sized,
    S: BuildHasher,
{
    type Output = V;

    /// # Panics
    /// If the key is not there, as indexmap's.
    #[inline]
    fn index(&self, key: &Q) -> &V {
        &self.0.read()[key]
    }
}

impl<K, Q, V, S> IndexMut<&Q> for TrackedIndexMap<K, V, S>
where
    Q: Hash + Equivalent<K> + ?Sized,
    S: BuildHasher,
{
    /// # Panics
    /// If the key is not there, as indexmap's.
    #[inline]
    fn index_mut(&mut self, key: &Q) -> &mut V {
        &mut self.0.expose_one().inner[key]
    }
}

impl<K, V, S> Index<usize> for TrackedIndexMap<K, V, S> {
    type Output = V;

    /// # Panics
    /// If there is no such place, as indexmap's.
    #[inline]
    fn index(&self, index: usize) -> &V {
        &self.0.read()[index]
    }
}

impl<K, V, S> IndexMut<usize> for TrackedIndexMap<K, V, S> {
    /// # Panics
    /// If there is no such place, as indexmap's.
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut V {
        &mut self.0.expose_one().inner[index]
    }
}

impl<K, V, S> Extend<(K, V)> for TrackedIndexMap<K, V, S>
where
    K: Eq + Hash,
    S: BuildHasher,
{
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, iter: T) {
        let iter = iter.into_iter();
        let room = room_for(&iter, self.is_empty());
        self.0.change(|map, _| map.reserve(room));
        iter.for_each(|(key, value)| {
            self.insert(key, value);
        });
    }
}

impl<'a, K, V, S> Extend<(&'a K, &'a V)> for TrackedIndexMap<K, V, S>
where
    K: Eq + Hash + Copy,
    V: Copy,
    S: BuildHasher,
{
    fn extend<T: IntoIterator<Item = (&'a K, &'a V)>>(&mut self, iter: T) {
        self.extend(iter.into_iter().map(|(key, value)| (*key, *value)));
    }
}
