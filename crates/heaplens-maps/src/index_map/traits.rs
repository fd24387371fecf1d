//! What indexmap's `IndexMap` implements.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::{Index, IndexMut};

use indexmap::{Equivalent, IndexMap, map};

use super::TrackedIndexMap;
use crate::handle::Handle;
use crate::indexed::{self, Indexed};
use crate::watched::{Container, Watched, tracking_traits};

impl<K, V, S> Container for IndexMap<K, V, S> {
    type Key = K;
    type Value = V;

    #[inline]
    fn count(&self) -> usize {
        self.len()
    }

    fn each(&self, mut visit: impl FnMut(&K, &V)) {
        self.iter().for_each(|(key, value)| visit(key, value));
    }

    #[inline]
    fn publish(&self, handle: &mut Handle) {
        indexed::publish(self, handle);
    }

    #[inline]
    fn heal(&self, handle: &Handle) {
        indexed::heal(self, handle);
    }

    fn adopt(&self, handle: &mut Handle, high_water: usize) {
        indexed::adopt(self, handle, high_water);
    }
}

impl<K, V, S> Indexed for IndexMap<K, V, S> {
    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }
}

tracking_traits!([K, V, S] TrackedIndexMap<K, V, S>, IndexMap<K, V, S>);

impl<K, V, S: Default> Default for TrackedIndexMap<K, V, S> {
    #[track_caller]
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

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

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for TrackedIndexMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read().fmt(f)
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

impl<K, V, S> IntoIterator for TrackedIndexMap<K, V, S> {
    type Item = (K, V);
    type IntoIter = map::IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, K, V, S> IntoIterator for &'a TrackedIndexMap<K, V, S> {
    type Item = (&'a K, &'a V);
    type IntoIter = map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, K, V, S> IntoIterator for &'a mut TrackedIndexMap<K, V, S> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = map::IterMut<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<K, V, S> Extend<(K, V)> for TrackedIndexMap<K, V, S>
where
    K: Eq + Hash,
    S: BuildHasher,
{
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, iter: T) {
        let iter = iter.into_iter();
        // As the map's own: all of it for an empty map, else half, as if every second
        // key were there.
        let room = match iter.size_hint().0 {
            lower if self.is_empty() => lower,
            lower => lower.div_ceil(2),
        };
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

impl<K, V, S> FromIterator<(K, V)> for TrackedIndexMap<K, V, S>
where
    K: Eq + Hash,
    S: BuildHasher + Default,
{
    #[track_caller]
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        let mut map = Self::default();
        map.extend(iter);
        map
    }
}

impl<K, V, const N: usize> From<[(K, V); N]> for TrackedIndexMap<K, V>
where
    K: Eq + Hash,
{
    #[track_caller]
    fn from(entries: [(K, V); N]) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}
