//! What std's `BTreeMap` implements.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::ops::Index;

use super::TrackedBTreeMap;
use crate::collection::{container, equality_traits, iter_mut_trait};
use crate::handle::Handle;
use crate::nodes::{self, Tree};
use crate::watched::{Watched, tracking_traits};

impl<K, V> Tree for BTreeMap<K, V> {}

container!(map BTreeMap<K, V>, nodes);
tracking_traits!([K, V] TrackedBTreeMap<K, V>, BTreeMap<K, V>);
equality_traits!([K, V] TrackedBTreeMap<K, V>, BTreeMap<K, V>);
iter_mut_trait!([K, V] TrackedBTreeMap<K, V>, BTreeMap<K, V>);

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
