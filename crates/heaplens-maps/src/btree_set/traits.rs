//! What std's `BTreeSet` implements.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use super::TrackedBTreeSet;
use crate::collection::{container, equality_traits, set_operators};
use crate::handle::Handle;
use crate::nodes::{self, Tree};
use crate::watched::{Watched, tracking_traits};

impl<T> Tree for BTreeSet<T> {}

container!(set BTreeSet<T>, nodes);
tracking_traits!([T] TrackedBTreeSet<T>, BTreeSet<T>);
equality_traits!([T] TrackedBTreeSet<T>, BTreeSet<T>);
set_operators!([T: Ord + Clone] TrackedBTreeSet<T>);

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
