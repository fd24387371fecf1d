//! What std's `BTreeSet` implements.

use std::cmp::Ordering;
use std::collections::{BTreeSet, btree_set};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{BitAnd, BitOr, BitXor, Sub};

use super::TrackedBTreeSet;
use crate::handle::Handle;
use crate::nodes::{self, Tree};
use crate::watched::{Container, Watched, tracking_traits};

impl<T> Container for BTreeSet<T> {
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

impl<T> Tree for BTreeSet<T> {}

tracking_traits!([T] TrackedBTreeSet<T>, BTreeSet<T>);

impl<T> Default for TrackedBTreeSet<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// A clone is another set of the same group.
impl<T: Clone> Clone for TrackedBTreeSet<T> {
    fn clone(&self) -> Self {
        Self(self.0.duplicate())
    }
}

impl<T: fmt::Debug> fmt::Debug for TrackedBTreeSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.read().fmt(f)
    }
}

impl<T: PartialEq> PartialEq for TrackedBTreeSet<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.read() == other.0.read()
    }
}

impl<T: PartialEq> PartialEq<BTreeSet<T>> for TrackedBTreeSet<T> {
    fn eq(&self, other: &BTreeSet<T>) -> bool {
        self.0.read() == other
    }
}

impl<T: Eq> Eq for TrackedBTreeSet<T> {}

impl<T: PartialOrd> PartialOrd for TrackedBTreeSet<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.0.read().partial_cmp(other.0.read())
    }
}

impl<T: Ord> Ord for TrackedBTreeSet<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.read().cmp(other.0.read())
    }
}

impl<T: Hash> Hash for TrackedBTreeSet<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.read().hash(state);
    }
}

impl<T> IntoIterator for TrackedBTreeSet<T> {
    type Item = T;
    type IntoIter = btree_set::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_inner().into_iter()
    }
}

impl<'a, T> IntoIterator for &'a TrackedBTreeSet<T> {
    type Item = &'a T;
    type IntoIter = btree_set::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Ord> Extend<T> for TrackedBTreeSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, iter: I) {
        iter.into_iter().for_each(|value| {
            self.insert(value);
        });
    }
}

impl<'a, T: Ord + Copy + 'a> Extend<&'a T> for TrackedBTreeSet<T> {
    fn extend<I: IntoIterator<Item = &'a T>>(&mut self, iter: I) {
        self.extend(iter.into_iter().copied());
    }
}

impl<T: Ord> FromIterator<T> for TrackedBTreeSet<T> {
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = T>>(iter: I) -> Self {
        // What the iterator allocates is no node.
        let values: Vec<_> = iter.into_iter().collect();
        Self(Watched::built(Handle::here(), || {
            values.into_iter().collect()
        }))
    }
}

impl<T: Ord, const N: usize> From<[T; N]> for TrackedBTreeSet<T> {
    #[track_caller]
    fn from(values: [T; N]) -> Self {
        Self(Watched::built(Handle::here(), || values.into()))
    }
}

/// The operators: as std's, with a new set in the group of the caller's place in
/// the source.
macro_rules! operator {
    ($operator:ident, $method:ident) => {
        impl<T: Ord + Clone> $operator<&TrackedBTreeSet<T>> for &TrackedBTreeSet<T> {
            type Output = TrackedBTreeSet<T>;

            #[track_caller]
            fn $method(self, other: &TrackedBTreeSet<T>) -> TrackedBTreeSet<T> {
                TrackedBTreeSet::from_inner(self.0.read().$method(other.0.read()))
            }
        }
    };
}

operator!(BitOr, bitor);
operator!(BitAnd, bitand);
operator!(BitXor, bitxor);
operator!(Sub, sub);
