//! What std's `HashMap` implements.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};
use std::ops::Index;

use super::TrackedHashMap;
use crate::collection::{container, equality_traits, hashed_traits, iter_mut_trait, room_for};
use crate::handle::Handle;
use crate::swiss::{self, HashTable};
use crate::watched::{Watched, tracking_traits};

impl<K, V, S> HashTable for HashMap<K, V, S> {
    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }
}

container!(map HashMap<K, V, S>, swiss);
tracking_traits!([K, V, S] TrackedHashMap<K, V, S>, HashMap<K, V, S>);
equality_traits!([K, V, S] TrackedHashMap<K, V, S>, HashMap<K, V, S>);
iter_mut_trait!([K, V, S] TrackedHashMap<K, V, S>, HashMap<K, V, S>);
hashed_traits!(TrackedHashMap<K, V>, (K, V));

/// A clone is another map of the same group.
impl<K: Clone, V: Clone, S: Clone> Clone for TrackedHashMap<K, V, S> {
    fn clone(&self) -> Self {
        Self(Watched::cloned(self.0.read().clone(), &self.0))
    }

    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

impl<K, Q, V, S> Index<&Q> for TrackedHashMap<K, V, S>
where
    K: Eq + Hash + Borrow<Q>,
    Q: Eq + Hash + ?Sized,
    S: BuildHasher,
{
    type Output = V;

    /// # Panics
    /// If the key is not there, as std's.
    #[inline]
    fn index(&self, key: &Q) -> &V {
        &self.0.read()[key]
    }
}

impl<K, V, S> Extend<(K, V)> for TrackedHashMap<K, V, S>
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

impl<'a, K, V, S> Extend<(&'a K, &'a V)> for TrackedHashMap<K, V, S>
where
    K: Eq + Hash + Copy,
    V: Copy,
    S: BuildHasher,
{
    fn extend<T: IntoIterator<Item = (&'a K, &'a V)>>(&mut self, iter: T) {
        self.extend(iter.into_iter().map(|(key, value)| (*key, *value)));
    }
}
