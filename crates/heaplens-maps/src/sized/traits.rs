//! What a map with a sizer implements: reading as a `HashMap`, and all that
//! keeps the sum.

use std::collections::{HashMap, hash_map};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::Deref;

use super::SizedHashMap;

impl<K, V, S, F> Deref for SizedHashMap<K, V, S, F> {
    type Target = HashMap<K, V, S>;

    #[inline]
    fn deref(&self) -> &HashMap<K, V, S> {
        &self.map
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S, F> fmt::Debug for SizedHashMap<K, V, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map.fmt(f)
    }
}

/// A clone is another map of the same group, and measured for itself: a clone
/// may own less, since it has no spare capacity.
impl<K, V, S, F> Clone for SizedHashMap<K, V, S, F>
where
    K: Clone,
    V: Clone,
    S: Clone,
    F: Fn(&K, &V) -> usize + Clone,
{
    fn clone(&self) -> Self {
        SizedHashMap::new(self.map.clone(), self.sizer.clone())
    }
}

impl<K, V, S, F> PartialEq for SizedHashMap<K, V, S, F>
where
    K: Eq + Hash,
    V: PartialEq,
    S: BuildHasher,
{
    fn eq(&self, other: &Self) -> bool {
        self.map == other.map
    }
}

impl<K, V, S, F> Eq for SizedHashMap<K, V, S, F>
where
    K: Eq + Hash,
    V: Eq,
    S: BuildHasher,
{
}

impl<K, V, S, F> Extend<(K, V)> for SizedHashMap<K, V, S, F>
where
    K: Eq + Hash,
    S: BuildHasher,
    F: Fn(&K, &V) -> usize,
{
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, iter: T) {
        for (key, value) in iter {
            self.insert(key, value);
        }
    }
}

impl<'a, K, V, S, F> Extend<(&'a K, &'a V)> for SizedHashMap<K, V, S, F>
where
    K: Eq + Hash + Copy,
    V: Copy,
    S: BuildHasher,
    F: Fn(&K, &V) -> usize,
{
    fn extend<T: IntoIterator<Item = (&'a K, &'a V)>>(&mut self, iter: T) {
        self.extend(iter.into_iter().map(|(key, value)| (*key, *value)));
    }
}

impl<K, V, S, F> IntoIterator for SizedHashMap<K, V, S, F> {
    type Item = (K, V);
    type IntoIter = hash_map::IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, K, V, S, F> IntoIterator for &'a SizedHashMap<K, V, S, F> {
    type Item = (&'a K, &'a V);
    type IntoIter = hash_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
