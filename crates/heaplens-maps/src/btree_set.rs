//! `BTreeSet` that publishes what it holds.

mod traits;

use std::borrow::Borrow;
use std::collections::BTreeSet;

use heaplens_alloc::holder;

use crate::group::Group;
use crate::handle::Handle;
use crate::methods::retain_values;
use crate::origin::Origin;
use crate::watched::{Watched, tracking_methods};

/// A [`BTreeSet`] that publishes its entries, nodes and traffic, and marks the
/// heap samples of what it holds.
///
/// ```
/// use heaplens_maps::TrackedBTreeSet;
///
/// let mut due = TrackedBTreeSet::named("due");
/// due.extend([3, 1, 2]);
/// assert_eq!(due.pop_first(), Some(1));
/// ```
///
/// It has every method of std's set. What is exact, what is late and what it
/// costs is as with [`TrackedBTreeMap`](crate::TrackedBTreeMap), except that a
/// set has no entries to change.
pub struct TrackedBTreeSet<T>(Watched<BTreeSet<T>>);

impl<T> TrackedBTreeSet<T> {
    /// As [`BTreeSet::new`]: constant, for sets in statics. In the group of the
    /// caller's place in the source.
    #[must_use]
    #[track_caller]
    pub const fn new() -> Self {
        Self(Watched::new(BTreeSet::new(), Handle::here()))
    }

    /// An empty set of the group `name`; constant. As [`Group::named`], except
    /// that a known name costs no lock.
    #[must_use]
    pub const fn named(name: &'static str) -> Self {
        let handle = Handle::new(Origin::Name(name));
        Self(Watched::new(BTreeSet::new(), handle))
    }

    /// An empty set of a group.
    #[must_use]
    pub fn in_group(group: Group) -> Self {
        Self(Watched::new(BTreeSet::new(), Handle::in_group(group)))
    }

    tracking_methods!(BTreeSet<T>);

    /// As [`BTreeSet::clear`].
    pub fn clear(&mut self) {
        self.0.clear_nodes(BTreeSet::clear);
    }
}

impl<T: Ord> TrackedBTreeSet<T> {
    /// As [`BTreeSet::insert`].
    #[inline]
    pub fn insert(&mut self, value: T) -> bool {
        if holder::any_live() {
            return self.insert_marked(value);
        }
        self.0.change(|set, _| set.insert(value))
    }

    #[inline(never)]
    fn insert_marked(&mut self, value: T) -> bool {
        self.0.handle.hold(&value);
        self.0.change(|set, handle| {
            let _nodes = handle.enter_nodes();
            set.insert(value)
        })
    }

    /// As [`BTreeSet::replace`].
    pub fn replace(&mut self, value: T) -> Option<T> {
        self.0.handle.hold(&value);
        let old = self.0.change(|set, handle| {
            let _nodes = handle.enter_nodes();
            set.replace(value)
        });
        if let Some(old) = &old {
            self.0.handle.replaced(old);
        }
        old
    }

    /// As [`BTreeSet::contains`].
    #[inline]
    pub fn contains<Q>(&self, value: &Q) -> bool
    where
        T: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.0.read().contains(value)
    }

    /// As [`BTreeSet::pop_first`].
    pub fn pop_first(&mut self) -> Option<T> {
        self.take_out(BTreeSet::pop_first)
    }

    /// As [`BTreeSet::pop_last`].
    pub fn pop_last(&mut self) -> Option<T> {
        self.take_out(BTreeSet::pop_last)
    }

    /// As [`BTreeSet::remove`].
    #[inline]
    pub fn remove<Q>(&mut self, value: &Q) -> bool
    where
        T: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.0.change(|set, _| set.remove(value))
    }

    /// As [`BTreeSet::take`].
    pub fn take<Q>(&mut self, value: &Q) -> Option<T>
    where
        T: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.take_out(|set| set.take(value))
    }

    fn take_out(&mut self, take: impl FnOnce(&mut BTreeSet<T>) -> Option<T>) -> Option<T> {
        let taken = self.0.change(|set, _| take(set));
        if let Some(taken) = &taken {
            self.0.handle.release(taken);
        }
        taken
    }

    retain_values!(BTreeSet);

    /// As [`BTreeSet::append`]: what moves counts as removed from the other
    /// set's group and inserted into this one's.
    pub fn append(&mut self, other: &mut Self) {
        self.0.append(&mut other.0, BTreeSet::append);
    }

    /// As [`BTreeSet::split_off`]: the second set is of the same group.
    #[must_use]
    pub fn split_off<Q>(&mut self, value: &Q) -> Self
    where
        T: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        Self(self.0.split_off(|set| set.split_off(value)))
    }
}
