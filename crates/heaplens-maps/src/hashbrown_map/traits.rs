//! What hashbrown's `HashMap` implements.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::Index;

use hashbrown::{Equivalent, HashMap, hash_map};

use super::TrackedHashbrownMap;
use crate::handle::Handle;
use crate::swiss::{self, HashTable};
use crate::watched::{Container, Watched, tracking_traits};

impl<K, V, S> Container for HashMap<K, V, S> {
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
        swiss::publish(self, handle);
    }

    #[inline]
    fn heal(&self, handle: &Handle) {
        swiss::heal(self, handle);
    }

    fn adopt(&self, handle: &mut Handle, high_water: usize) {
        swiss::adopt(self, handle, high_water);
    }
}

impl<K, V, S> HashTable for HashMap<K, V, S> {
    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }
}

tracking_traits!([K, V, S] TrackedHashbrownMap<K, V, S>, HashMap<K, V, S>);

impl<K, V, S: Default> Default for TrackedHashbrownMap<K, V, S> {
    #[track_caller]
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

/// A clone is another map of the same group.
impl<K: Clone, V: Clone, S: Clone> Clone for TrackedHashbrownMap<K, V, S> {
    fn clone(&self) -> Self {
        Self(Watched::cloned(self.0.read().clone(), &self.0))
    }

    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

impl<K: fmt::Debug, V: fmt::Debug, S> fmt::Debug for TrackedHashbrownMap<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read().fmt(f)
    }
}

impl<K, V, S> PartialEq for TrackedHashbrownMap<K, V, S>
where
    K: Eq + Hash,
    V: PartialEq,
    S: BuildHasher,
{
    fn eq(&self, other: &Self) -> bool {
        self.0.read() == other.0.read()
    }
}

impl<K, V, S> PartialEq<HashMap<K, V, S>> for TrackedHashbrownMap<K, V, S>
where
    K: Eq + Hash,
    V: PartialEq,
    S: BuildHasher,
{
    fn eq(&self, other: &HashMap<K, V, S>) -> bool {
        self.0.read() == other
    }
}

impl<K, V, S> Eq for TrackedHashbrownMap<K, V, S>
where
    K: Eq + Hash,
    V: Eq,
    S: BuildHasher,
{
}

impl<K, Q, V, S> Index<&Q> for TrackedHashbrownMap<K, V, S>
where
    K: Eq + Hash,
    Q: Hash + Equivalent<K> + ?Sized,
    S: BuildHasher,
{
    type Output = V;

    /// # Panics
    /// If the key is not there, as hashbrown's.
    #[inline]
    fn index(&self, key: &Q) -> &V {
        &self.0.read()[key]
    }
}

impl<K, V, S> IntoIterator for TrackedHashbrownMap<K, V, S> {
    type Item = (K, V);
    type IntoIter = hash_map::IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, K, V, S> IntoIterator for &'a TrackedHashbrownMap<K, V, S> {
    type Item = (&'a K, &'a V);
    type IntoIter = hash_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, K, V, S> IntoIterator for &'a mut TrackedHashbrownMap<K, V, S> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = hash_map::IterMut<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<K, V, S> Extend<(K, V)> for TrackedHashbrownMap<K, V, S>
where
    K: Eq + Hash,
    S: BuildHasher,
{
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, iter: T) {
        let iter = iter.into_iter();
        // As hashbrown's: all of it for an empty map, else half, as if every second
        // key were there.
        let room = match iter.size_hint().0 {
            lower if self.is_empty() => lower,
            lower => lower.div_ceil(2),
        };
        self.0.change(|map, _| map.reserve(room));
        iter.for_each(|(key, value)| {
            self.put(key, value);
        });
    }
}

impl<'a, K, V, S> Extend<(&'a K, &'a V)> for TrackedHashbrownMap<K, V, S>
where
    K: Eq + Hash + Copy,
    V: Copy,
    S: BuildHasher,
{
    fn extend<T: IntoIterator<Item = (&'a K, &'a V)>>(&mut self, iter: T) {
        self.extend(iter.into_iter().map(|(key, value)| (*key, *value)));
    }
}

impl<'a, K, V, S> Extend<&'a (K, V)> for TrackedHashbrownMap<K, V, S>
where
    K: Eq + Hash + Copy,
    V: Copy,
    S: BuildHasher,
{
    fn extend<T: IntoIterator<Item = &'a (K, V)>>(&mut self, iter: T) {
        self.extend(iter.into_iter().copied());
    }
}

impl<K, V, S> FromIterator<(K, V)> for TrackedHashbrownMap<K, V, S>
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

impl<K, V, const N: usize> From<[(K, V); N]> for TrackedHashbrownMap<K, V>
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
