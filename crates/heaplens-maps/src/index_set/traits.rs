//! What indexmap's `IndexSet` implements.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::ops::{BitAnd, BitOr, BitXor, Index, Sub};

use indexmap::{IndexSet, set};

use super::TrackedIndexSet;
use crate::handle::Handle;
use crate::indexed::{self, Indexed};
use crate::watched::{Container, Watched, tracking_traits};

impl<T, S> Container for IndexSet<T, S> {
    type Key = T;
    type Value = ();

    #[inline]
    fn count(&self) -> usize {
        self.len()
    }

    fn each(&self, mut visit: impl FnMut(&T, &())) {
        self.iter().for_each(|value| visit(value, &()));
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

impl<T, S> Indexed for IndexSet<T, S> {
    #[inline]
    fn capacity(&self) -> usize {
        self.capacity()
    }
}

tracking_traits!([T, S] TrackedIndexSet<T, S>, IndexSet<T, S>);

impl<T, S: Default> Default for TrackedIndexSet<T, S> {
    #[track_caller]
    fn default() -> Self {
        Self::with_hasher(S::default())
    }
}

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

impl<T: fmt::Debug, S> fmt::Debug for TrackedIndexSet<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read().fmt(f)
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

impl<T, S> IntoIterator for TrackedIndexSet<T, S> {
    type Item = T;
    type IntoIter = set::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, T, S> IntoIterator for &'a TrackedIndexSet<T, S> {
    type Item = &'a T;
    type IntoIter = set::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Eq + Hash, S: BuildHasher> Extend<T> for TrackedIndexSet<T, S> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, iter: I) {
        let iter = iter.into_iter();
        // As indexmap's: all of it for an empty set, else half, as if every second
        // entry were there.
        let room = match iter.size_hint().0 {
            lower if self.is_empty() => lower,
            lower => lower.div_ceil(2),
        };
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

impl<T: Eq + Hash, S: BuildHasher + Default> FromIterator<T> for TrackedIndexSet<T, S> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        let mut set = Self::default();
        set.extend(iter);
        set
    }
}

impl<T: Eq + Hash, const N: usize> From<[T; N]> for TrackedIndexSet<T> {
    #[track_caller]
    fn from(values: [T; N]) -> Self {
        let mut set = Self::new();
        set.extend(values);
        set
    }
}

/// The operators: as indexmap's, with a new set in the group of the caller's place in
/// the source.
macro_rules! operator {
    ($operator:ident, $method:ident) => {
        impl<T, S> $operator<&TrackedIndexSet<T, S>> for &TrackedIndexSet<T, S>
        where
            T: Eq + Hash + Clone,
            S: BuildHasher + Default,
        {
            type Output = TrackedIndexSet<T, S>;

            #[track_caller]
            fn $method(self, other: &TrackedIndexSet<T, S>) -> TrackedIndexSet<T, S> {
                TrackedIndexSet::from_inner(self.0.read().$method(other.0.read()))
            }
        }
    };
}

operator!(BitOr, bitor);
operator!(BitAnd, bitand);
operator!(BitXor, bitxor);
operator!(Sub, sub);
