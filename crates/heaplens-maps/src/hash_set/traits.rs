//! What std's `HashSet` implements.

use std::collections::{HashSet, hash_set};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::{BitAnd, BitOr, BitXor, Sub};

use super::TrackedHashSet;
use crate::handle::Handle;
use crate::swiss::{self, HashTable};
use crate::watched::{Container, Watched, tracking_traits};

impl<T, S> Container for HashSet<T, S> {
    type Key = T;
    type Value = ();

    #[inline]
    fn count(&self) -> usize {
        self.len()
    }

    fn each(&self, mut visit: impl FnMut(&T, &())) {
        for value in self {
            visit(value, &());
        }
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

impl<T, S> HashTable for HashSet<T, S> {
    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }
}

tracking_traits!([T, S] TrackedHashSet<T, S>, HashSet<T, S>);

impl<T, S: Default> Default for TrackedHashSet<T, S> {
    #[track_caller]
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

/// A clone is another set of the same group.
impl<T: Clone, S: Clone> Clone for TrackedHashSet<T, S> {
    fn clone(&self) -> Self {
        Self(Watched::cloned(self.0.read().clone(), &self.0))
    }

    fn clone_from(&mut self, source: &Self) {
        self.0.clone_from(&source.0);
    }
}

impl<T: fmt::Debug, S> fmt::Debug for TrackedHashSet<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read().fmt(f)
    }
}

impl<T: Eq + Hash, S: BuildHasher> PartialEq for TrackedHashSet<T, S> {
    fn eq(&self, other: &Self) -> bool {
        self.0.read() == other.0.read()
    }
}

impl<T: Eq + Hash, S: BuildHasher> PartialEq<HashSet<T, S>> for TrackedHashSet<T, S> {
    fn eq(&self, other: &HashSet<T, S>) -> bool {
        self.0.read() == other
    }
}

impl<T: Eq + Hash, S: BuildHasher> Eq for TrackedHashSet<T, S> {}

impl<T, S> IntoIterator for TrackedHashSet<T, S> {
    type Item = T;
    type IntoIter = hash_set::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, T, S> IntoIterator for &'a TrackedHashSet<T, S> {
    type Item = &'a T;
    type IntoIter = hash_set::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Eq + Hash, S: BuildHasher> Extend<T> for TrackedHashSet<T, S> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, iter: I) {
        let iter = iter.into_iter();
        // As std's: all of it for an empty set, else half, as if every second
        // entry were there.
        let room = match iter.size_hint().0 {
            lower if self.is_empty() => lower,
            lower => lower.div_ceil(2),
        };
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

impl<T: Eq + Hash, S: BuildHasher + Default> FromIterator<T> for TrackedHashSet<T, S> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        let mut set = Self::default();
        set.extend(iter);
        set
    }
}

impl<T: Eq + Hash, const N: usize> From<[T; N]> for TrackedHashSet<T> {
    #[track_caller]
    fn from(values: [T; N]) -> Self {
        let mut set = Self::new();
        set.extend(values);
        set
    }
}

/// The operators: as std's, with a new set in the group of the caller's place in
/// the source.
macro_rules! operator {
    ($operator:ident, $method:ident) => {
        impl<T, S> $operator<&TrackedHashSet<T, S>> for &TrackedHashSet<T, S>
        where
            T: Eq + Hash + Clone,
            S: BuildHasher + Default,
        {
            type Output = TrackedHashSet<T, S>;

            #[track_caller]
            fn $method(self, other: &TrackedHashSet<T, S>) -> TrackedHashSet<T, S> {
                TrackedHashSet::from_inner(self.0.read().$method(other.0.read()))
            }
        }
    };
}

operator!(BitOr, bitor);
operator!(BitAnd, bitand);
operator!(BitXor, bitxor);
operator!(Sub, sub);
