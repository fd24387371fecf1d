//! indexmap's `IndexSet` that publishes what it holds.

mod iter;
mod traits;

use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::RangeBounds;

use indexmap::set::{Drain, Slice};
use indexmap::{Equivalent, IndexSet, TryReserveError};

use crate::constructors::constructors;
use crate::group::Group;
use crate::handle::Handle;
use crate::methods::retain_values;
use crate::origin::Origin;
use crate::watched::{Watched, tracking_methods};

pub use iter::ExtractIf;

/// An [`IndexSet`] that publishes its entries, table and traffic, and marks the
/// heap samples of what it holds. All that
/// [`TrackedIndexMap`](crate::TrackedIndexMap) says of itself holds here too.
///
/// ```
/// use heaplens_maps::TrackedIndexSet;
///
/// let mut seen = TrackedIndexSet::named("seen");
/// assert!(seen.insert("Ada"));
/// assert_eq!(seen.get_index(0), Some(&"Ada"));
/// ```
pub struct TrackedIndexSet<T, S = RandomState>(Watched<IndexSet<T, S>>);

constructors!([T] TrackedIndexSet, IndexSet, RandomState);

impl<T, S> TrackedIndexSet<T, S> {
    tracking_methods!(IndexSet<T, S>);

    /// As [`IndexSet::into_boxed_slice`].
    #[must_use]
    pub fn into_boxed_slice(self) -> Box<Slice<T>> {
        self.into_inner().into_boxed_slice()
    }

    /// As [`IndexSet::clear`].
    pub fn clear(&mut self) {
        self.0.part_with(&..);
        self.0.change(|set, _| set.clear());
    }

    /// As [`IndexSet::truncate`].
    pub fn truncate(&mut self, len: usize) {
        self.0.part_with(&(len..));
        self.0.change(|set, _| set.truncate(len));
    }

    /// As [`IndexSet::drain`]. All entries of the range count as removed at
    /// once.
    ///
    /// # Panics
    /// If the range is not within the set.
    #[track_caller]
    pub fn drain<R>(&mut self, range: R) -> Drain<'_, T>
    where
        R: RangeBounds<usize>,
    {
        let leaving = self.0.part_with(&range);
        let Watched { inner, handle } = &mut self.0;
        let left = inner.len().saturating_sub(leaving);
        let drain = inner.drain(range);
        handle.publish(left, 0);
        drain
    }

    /// As [`IndexSet::extract_if`].
    ///
    /// # Panics
    /// If the range is not within the set.
    #[track_caller]
    pub fn extract_if<F, R>(&mut self, range: R, pred: F) -> ExtractIf<'_, T, F>
    where
        F: FnMut(&T) -> bool,
        R: RangeBounds<usize>,
    {
        let (set, taking) = self.0.extract_indexed();
        ExtractIf::new(set.extract_if(range, pred), taking)
    }

    retain_values!(IndexSet);

    /// As [`IndexSet::split_off`]: the second set is of the same group.
    ///
    /// # Panics
    /// If `at` is beyond the end.
    #[must_use]
    #[track_caller]
    pub fn split_off(&mut self, at: usize) -> Self
    where
        S: Clone,
    {
        self.0.publish();
        let rest = self.0.change(|set, _| set.split_off(at));
        Self(Watched::adopted(rest, self.0.handle.sibling()))
    }

    /// As [`IndexSet::pop`].
    pub fn pop(&mut self) -> Option<T> {
        self.give(IndexSet::pop)
    }

    /// As [`IndexSet::pop_if`].
    pub fn pop_if(&mut self, predicate: impl FnOnce(&T) -> bool) -> Option<T> {
        self.give(|set| set.pop_if(predicate))
    }

    /// As [`IndexSet::swap_remove_index`].
    pub fn swap_remove_index(&mut self, index: usize) -> Option<T> {
        self.give(|set| set.swap_remove_index(index))
    }

    /// As [`IndexSet::shift_remove_index`].
    pub fn shift_remove_index(&mut self, index: usize) -> Option<T> {
        self.give(|set| set.shift_remove_index(index))
    }

    /// Takes an entry out.
    #[inline]
    fn give(&mut self, take: impl FnOnce(&mut IndexSet<T, S>) -> Option<T>) -> Option<T> {
        let value = self.0.change(|set, _| take(set));
        if let Some(value) = &value {
            self.0.handle.release(value);
        }
        value
    }

    /// As [`IndexSet::reserve`].
    ///
    /// # Panics
    /// If the new size overflows, as indexmap's.
    pub fn reserve(&mut self, additional: usize) {
        self.0.change(|set, _| set.reserve(additional));
    }

    /// As [`IndexSet::reserve_exact`].
    ///
    /// # Panics
    /// If the new size overflows, as indexmap's.
    pub fn reserve_exact(&mut self, additional: usize) {
        self.0.change(|set, _| set.reserve_exact(additional));
    }

    /// As [`IndexSet::try_reserve`].
    ///
    /// # Errors
    /// If the capacity overflows, or the allocator has no memory.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.0.change(|set, _| set.try_reserve(additional))
    }

    /// As [`IndexSet::try_reserve_exact`].
    ///
    /// # Errors
    /// If the capacity overflows, or the allocator has no memory.
    pub fn try_reserve_exact(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.0.change(|set, _| set.try_reserve_exact(additional))
    }

    /// As [`IndexSet::shrink_to_fit`].
    pub fn shrink_to_fit(&mut self) {
        self.shrink_to(0);
    }

    /// As [`IndexSet::shrink_to`].
    pub fn shrink_to(&mut self, min_capacity: usize) {
        self.0.shrink_both(min_capacity, IndexSet::shrink_to);
    }
}

impl<T, S> TrackedIndexSet<T, S>
where
    T: Hash + Eq,
    S: BuildHasher,
{
    /// Inserts by one of indexmap's methods.
    #[inline]
    fn put<R>(&mut self, value: T, put: impl FnOnce(&mut IndexSet<T, S>, T) -> R) -> R {
        self.0.handle.hold(&value);
        self.0.change(|set, _| put(set, value))
    }

    /// As [`IndexSet::insert`].
    #[inline]
    pub fn insert(&mut self, value: T) -> bool {
        self.put(value, IndexSet::insert)
    }

    /// As [`IndexSet::insert_full`].
    pub fn insert_full(&mut self, value: T) -> (usize, bool) {
        self.put(value, IndexSet::insert_full)
    }

    /// As [`IndexSet::insert_sorted`].
    pub fn insert_sorted(&mut self, value: T) -> (usize, bool)
    where
        T: Ord,
    {
        self.put(value, IndexSet::insert_sorted)
    }

    /// As [`IndexSet::insert_sorted_by`].
    pub fn insert_sorted_by<F>(&mut self, value: T, cmp: F) -> (usize, bool)
    where
        F: FnMut(&T, &T) -> std::cmp::Ordering,
    {
        self.put(value, |set, value| set.insert_sorted_by(value, cmp))
    }

    /// As [`IndexSet::insert_sorted_by_key`].
    pub fn insert_sorted_by_key<B, F>(&mut self, value: T, f: F) -> (usize, bool)
    where
        B: Ord,
        F: FnMut(&T) -> B,
    {
        self.put(value, |set, value| set.insert_sorted_by_key(value, f))
    }

    /// As [`IndexSet::insert_before`].
    ///
    /// # Panics
    /// If `index` is beyond the end.
    #[track_caller]
    pub fn insert_before(&mut self, index: usize, value: T) -> (usize, bool) {
        self.put(value, |set, value| set.insert_before(index, value))
    }

    /// As [`IndexSet::shift_insert`].
    ///
    /// # Panics
    /// If `index` is out of bounds.
    #[track_caller]
    pub fn shift_insert(&mut self, index: usize, value: T) -> bool {
        self.put(value, |set, value| set.shift_insert(index, value))
    }

    /// As [`IndexSet::replace`].
    pub fn replace(&mut self, value: T) -> Option<T> {
        self.replace_full(value).1
    }

    /// As [`IndexSet::replace_full`].
    pub fn replace_full(&mut self, value: T) -> (usize, Option<T>) {
        let (place, old) = self.put(value, IndexSet::replace_full);
        if let Some(old) = &old {
            self.0.handle.replaced(old);
        }
        (place, old)
    }

    /// As [`IndexSet::replace_index`].
    ///
    /// # Errors
    /// If the value is at another place: with that place and the value.
    ///
    /// # Panics
    /// If `index` is out of bounds.
    #[track_caller]
    pub fn replace_index(&mut self, index: usize, value: T) -> Result<T, (usize, T)> {
        let replaced = self.put(value, |set, value| set.replace_index(index, value));
        match &replaced {
            Ok(old) => self.0.handle.replaced(old),
            Err((_, refused)) => self.0.handle.release(refused),
        }
        replaced
    }

    /// As [`IndexSet::append`].
    pub fn append<S2>(&mut self, other: &mut IndexSet<T, S2>) {
        for value in other.iter() {
            self.0.handle.hold(value);
        }
        self.0.change(|set, _| set.append(other));
    }
}

/// Look-ups by a value's equivalent.
impl<T, S> TrackedIndexSet<T, S>
where
    S: BuildHasher,
{
    /// As [`IndexSet::contains`].
    #[inline]
    pub fn contains<Q>(&self, value: &Q) -> bool
    where
        Q: ?Sized + Hash + Equivalent<T>,
    {
        self.0.read().contains(value)
    }

    /// As [`IndexSet::swap_remove`].
    pub fn swap_remove<Q>(&mut self, value: &Q) -> bool
    where
        Q: ?Sized + Hash + Equivalent<T>,
    {
        self.swap_take(value).is_some()
    }

    /// As [`IndexSet::shift_remove`].
    pub fn shift_remove<Q>(&mut self, value: &Q) -> bool
    where
        Q: ?Sized + Hash + Equivalent<T>,
    {
        self.shift_take(value).is_some()
    }

    /// As [`IndexSet::swap_take`].
    pub fn swap_take<Q>(&mut self, value: &Q) -> Option<T>
    where
        Q: ?Sized + Hash + Equivalent<T>,
    {
        self.give(|set| set.swap_take(value))
    }

    /// As [`IndexSet::shift_take`].
    pub fn shift_take<Q>(&mut self, value: &Q) -> Option<T>
    where
        Q: ?Sized + Hash + Equivalent<T>,
    {
        self.give(|set| set.shift_take(value))
    }

    /// As [`IndexSet::swap_remove_full`].
    pub fn swap_remove_full<Q>(&mut self, value: &Q) -> Option<(usize, T)>
    where
        Q: ?Sized + Hash + Equivalent<T>,
    {
        let place = self.0.inner.get_index_of(value)?;
        Some((place, self.swap_remove_index(place)?))
    }

    /// As [`IndexSet::shift_remove_full`].
    pub fn shift_remove_full<Q>(&mut self, value: &Q) -> Option<(usize, T)>
    where
        Q: ?Sized + Hash + Equivalent<T>,
    {
        let place = self.0.inner.get_index_of(value)?;
        Some((place, self.shift_remove_index(place)?))
    }
}
