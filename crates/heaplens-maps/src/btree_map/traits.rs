//! What std's `BTreeMap` implements.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Index;

use super::TrackedBTreeMap;
use crate::handle::Handle;
use crate::nodes::{self, Tree};
use crate::watched::{Container, Watched, tracking_traits};

impl<K, V> Container for BTreeMap<K, V> {
    type Key = K;
    type Value = V;

    #[inline]
    fn count(&self) -> usize {
        self.len()
    }

    fn each(&self, mut visit: impl FnMut(&K, &V)) {
        for (key, value) in self {
            visit(key, value);
        }
    }

    #[inline]
    fn publish(&self, handle: &mut Handle) {
        nodes::publish(self, handle);
    }

    #[inline]
    fn heal(&self, handle: &Handle) {
        nodes::heal(self, handle);
    }

    fn adopt(&self, handle: &mut Handle, _high_water: usize) {
        nodes::adopt(self, handle);
    }
}

impl<K, V> Tree for BTreeMap<K, V> {}

tracking_traits!([K, V] TrackedBTreeMap<K, V>, BTreeMap<K, V>);

impl<K, V> Default for TrackedBTreeMap<K, V> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// A clone is another map of the same group.
impl<K: Clone, V: Clone> Clone for TrackedBTreeMap<K, V> {
    fn clone(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for TrackedBTreeMap<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read().fmt(f)
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq for TrackedBTreeMap<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0.read() == other.0.read()
    }
}

impl<K: PartialEq, V: PartialEq> PartialEq<BTreeMap<K, V>> for TrackedBTreeMap<K, V> {
    fn eq(&self, other: &BTreeMap<K, V>) -> bool {
        self.0.read() == other
    }
}

impl<K: Eq, V: Eq> Eq for TrackedBTreeMap<K, V> {}

impl<K: PartialOrd, V: PartialOrd> PartialOrd for TrackedBTreeMap<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0.read().partial_cmp(other.0.read())
    }
}

impl<K: Ord, V: Ord> Ord for TrackedBTreeMap<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.read().cmp(other.0.read())
    }
}

impl<K: Hash, V: Hash> Hash for TrackedBTreeMap<K, V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.read().hash(state);
    }
}

impl<K, Q, V> Index<&Q> for TrackedBTreeMap<K, V>
where
    K: Borrow<Q> + Ord,
    Q: Ord + ?Sized,
{
    type Output = V;

    /// # Panics
    /// If the key is not there, as std's.
    #[inline]
    fn index(&self, key: &Q) -> &V {
        &self.0.read()[key]
    }
}

impl<K, V> IntoIterator for TrackedBTreeMap<K, V> {
    type Item = (K, V);
    type IntoIter = btree_map::IntoIter<K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, K, V> IntoIterator for &'a TrackedBTreeMap<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = btree_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a mut TrackedBTreeMap<K, V> {
    type Item = (&'a K, &'a mut V);
    type IntoIter = btree_map::IterMut<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

impl<K: Ord, V> Extend<(K, V)> for TrackedBTreeMap<K, V> {
    fn extend<T: IntoIterator<Item = (K, V)>>(&mut self, iter: T) {
        iter.into_iter().for_each(|(key, value)| {
            self.insert(key, value);
        });
    }
}

impl<'a, K: Ord + Copy, V: Copy> Extend<(&'a K, &'a V)> for TrackedBTreeMap<K, V> {
    fn extend<T: IntoIterator<Item = (&'a K, &'a V)>>(&mut self, iter: T) {
        self.extend(iter.into_iter().map(|(key, value)| (*key, *value)));
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for TrackedBTreeMap<K, V> {
    #[track_caller]
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        // What the iterator allocates is no node.
        let entries: Vec<_> = iter.into_iter().collect();
        Self(Watched::built(Handle::here(), || {
            entries.into_iter().collect()
        }))
    }
}

impl<K: Ord, V, const N: usize> From<[(K, V); N]> for TrackedBTreeMap<K, V> {
    #[track_caller]
    fn from(entries: [(K, V); N]) -> Self {
        Self(Watched::built(Handle::here(), || entries.into()))
    }
}
