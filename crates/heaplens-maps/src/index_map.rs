//! indexmap's `IndexMap` that publishes what it holds.

mod iter;
mod traits;

use std::cmp::Ordering;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::RangeBounds;

use indexmap::map::{Drain, Entry, IntoKeys, IntoValues, IterMut, Slice, ValuesMut};
use indexmap::{Equivalent, IndexMap, TryReserveError};

use crate::constructors::constructors;
use crate::group::Group;
use crate::handle::Handle;
use crate::methods::{map_methods, retain_entries};
use crate::origin::Origin;
use crate::watched::{Watched, tracking_methods};

pub use iter::ExtractIf;

/// An [`IndexMap`] that publishes its entries, table and traffic, and marks the
/// heap samples of what it holds.
///
/// ```
/// use heaplens_maps::TrackedIndexMap;
///
/// let mut sessions = TrackedIndexMap::named("sessions");
/// sessions.insert(17, "Ada".to_owned());
/// assert_eq!(sessions.get_index(0).map(|(_, name)| name.as_str()), Some("Ada"));
/// ```
///
/// Methods that change which entries there are publish afterwards; all others
/// are indexmap's own through `Deref`, sorting among them. What is done through
/// an [`Entry`], through [`splice`](IndexMap::splice), or otherwise through
/// `&mut IndexMap`, shows with the next call of any method, reading ones
/// included.
///
/// Bytes are those of the vector of entries and of the hash table. They are
/// exact while the two grow together, as they do unless entries are removed; the
/// table may then be one doubling larger than is shown.
pub struct TrackedIndexMap<K, V, S = RandomState>(Watched<IndexMap<K, V, S>>);

constructors!([K, V] TrackedIndexMap, IndexMap, RandomState);

impl<K, V, S> TrackedIndexMap<K, V, S> {
    tracking_methods!(IndexMap<K, V, S>);
    map_methods!(IndexMap);

    /// As [`IndexMap::into_boxed_slice`].
    #[must_use]
    pub fn into_boxed_slice(self) -> Box<Slice<K, V>> {
        self.into_inner().into_boxed_slice()
    }

    /// As [`IndexMap::clear`].
    pub fn clear(&mut self) {
        self.0.part_with(&..);
        self.0.change(|map, _| map.clear());
    }

    /// As [`IndexMap::truncate`].
    pub fn truncate(&mut self, len: usize) {
        self.0.part_with(&(len..));
        self.0.change(|map, _| map.truncate(len));
    }

    /// As [`IndexMap::drain`]. All entries of the range count as removed at
    /// once.
    ///
    /// # Panics
    /// If the range is not within the map.
    #[track_caller]
    pub fn drain<R>(&mut self, range: R) -> Drain<'_, K, V>
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

    /// As [`IndexMap::extract_if`].
    ///
    /// # Panics
    /// If the range is not within the map.
    #[track_caller]
    pub fn extract_if<F, R>(&mut self, range: R, pred: F) -> ExtractIf<'_, K, V, F>
    where
        F: FnMut(&K, &mut V) -> bool,
        R: RangeBounds<usize>,
    {
        let (map, taking) = self.0.extract_indexed();
        ExtractIf::new(map.extract_if(range, pred), taking)
    }

    retain_entries!(IndexMap);

    /// As [`IndexMap::split_off`]: the second map is of the same group.
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
        let rest = self.0.change(|map, _| map.split_off(at));
        Self(Watched::adopted(rest, self.0.handle.sibling()))
    }

    /// As [`IndexMap::pop`].
    pub fn pop(&mut self) -> Option<(K, V)> {
        self.take(IndexMap::pop)
    }

    /// As [`IndexMap::pop_if`].
    pub fn pop_if(&mut self, predicate: impl FnOnce(&K, &mut V) -> bool) -> Option<(K, V)> {
        self.0.handle.soil();
        self.take(|map| map.pop_if(predicate))
    }

    /// As [`IndexMap::swap_remove_index`].
    pub fn swap_remove_index(&mut self, index: usize) -> Option<(K, V)> {
        self.take(|map| map.swap_remove_index(index))
    }

    /// As [`IndexMap::shift_remove_index`].
    pub fn shift_remove_index(&mut self, index: usize) -> Option<(K, V)> {
        self.take(|map| map.shift_remove_index(index))
    }

    /// Takes an entry out.
    #[inline]
    fn take(
        &mut self,
        take: impl FnOnce(&mut IndexMap<K, V, S>) -> Option<(K, V)>,
    ) -> Option<(K, V)> {
        let entry = self.0.change(|map, _| take(map));
        if let Some((key, value)) = &entry {
            self.0.handle.release(key);
            self.0.handle.release(value);
        }
        entry
    }

    /// As [`IndexMap::get_index_mut`].
    pub fn get_index_mut(&mut self, index: usize) -> Option<(&K, &mut V)> {
        let Watched { inner, handle } = self.0.expose_one();
        inner
            .get_index_mut(index)
            .inspect(|(_, value)| handle.hold::<V>(value))
    }

    /// As [`IndexMap::first_mut`].
    pub fn first_mut(&mut self) -> Option<(&K, &mut V)> {
        self.get_index_mut(0)
    }

    /// As [`IndexMap::last_mut`].
    pub fn last_mut(&mut self) -> Option<(&K, &mut V)> {
        let last = self.0.inner.len().checked_sub(1)?;
        self.get_index_mut(last)
    }

    /// As [`IndexMap::reserve`].
    ///
    /// # Panics
    /// If the new size overflows, as indexmap's.
    pub fn reserve(&mut self, additional: usize) {
        self.0.change(|map, _| map.reserve(additional));
    }

    /// As [`IndexMap::reserve_exact`].
    ///
    /// # Panics
    /// If the new size overflows, as indexmap's.
    pub fn reserve_exact(&mut self, additional: usize) {
        self.0.change(|map, _| map.reserve_exact(additional));
    }

    /// As [`IndexMap::try_reserve`].
    ///
    /// # Errors
    /// If the capacity overflows, or the allocator has no memory.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.0.change(|map, _| map.try_reserve(additional))
    }

    /// As [`IndexMap::try_reserve_exact`].
    ///
    /// # Errors
    /// If the capacity overflows, or the allocator has no memory.
    pub fn try_reserve_exact(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.0.change(|map, _| map.try_reserve_exact(additional))
    }

    /// As [`IndexMap::shrink_to_fit`].
    pub fn shrink_to_fit(&mut self) {
        self.shrink_to(0);
    }

    /// As [`IndexMap::shrink_to`].
    pub fn shrink_to(&mut self, min_capacity: usize) {
        self.0.shrink_both(min_capacity, IndexMap::shrink_to);
    }
}

impl<K, V, S> TrackedIndexMap<K, V, S>
where
    K: Hash + Eq,
    S: BuildHasher,
{
    /// Inserts by one of indexmap's methods.
    #[inline]
    fn put<R>(
        &mut self,
        key: K,
        value: V,
        put: impl FnOnce(&mut IndexMap<K, V, S>, K, V) -> (R, Option<V>),
    ) -> (R, Option<V>) {
        self.0.handle.hold(&key);
        self.0.handle.hold(&value);
        let (place, old) = self.0.change(|map, _| put(map, key, value));
        if let Some(old) = &old {
            self.0.handle.replaced(old);
        }
        (place, old)
    }

    /// As [`IndexMap::insert`].
    #[inline]
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.put(key, value, |map, key, value| ((), map.insert(key, value)))
            .1
    }

    /// Inserts what `f` makes, and marks every sampled block that this thread
    /// allocates meanwhile and does not free: so nested values count for the map
    /// in full.
    pub fn insert_with(&mut self, key: K, f: impl FnOnce() -> V) -> Option<V> {
        let value = self.group().scope(f);
        self.insert(key, value)
    }

    /// As [`IndexMap::insert_full`].
    pub fn insert_full(&mut self, key: K, value: V) -> (usize, Option<V>) {
        self.put(key, value, IndexMap::insert_full)
    }

    /// As [`IndexMap::insert_sorted`].
    pub fn insert_sorted(&mut self, key: K, value: V) -> (usize, Option<V>)
    where
        K: Ord,
    {
        self.put(key, value, IndexMap::insert_sorted)
    }

    /// As [`IndexMap::insert_sorted_by`].
    pub fn insert_sorted_by<F>(&mut self, key: K, value: V, cmp: F) -> (usize, Option<V>)
    where
        F: FnMut(&K, &V, &K, &V) -> Ordering,
    {
        self.put(key, value, |map, key, value| {
            map.insert_sorted_by(key, value, cmp)
        })
    }

    /// As [`IndexMap::insert_sorted_by_key`].
    pub fn insert_sorted_by_key<B, F>(&mut self, key: K, value: V, f: F) -> (usize, Option<V>)
    where
        B: Ord,
        F: FnMut(&K, &V) -> B,
    {
        self.put(key, value, |map, key, value| {
            map.insert_sorted_by_key(key, value, f)
        })
    }

    /// As [`IndexMap::insert_before`].
    ///
    /// # Panics
    /// If `index` is beyond the end.
    #[track_caller]
    pub fn insert_before(&mut self, index: usize, key: K, value: V) -> (usize, Option<V>) {
        self.put(key, value, |map, key, value| {
            map.insert_before(index, key, value)
        })
    }

    /// As [`IndexMap::shift_insert`].
    ///
    /// # Panics
    /// If `index` is out of bounds.
    #[track_caller]
    pub fn shift_insert(&mut self, index: usize, key: K, value: V) -> Option<V> {
        self.put(key, value, |map, key, value| {
            ((), map.shift_insert(index, key, value))
        })
        .1
    }

    /// As [`IndexMap::replace_index`].
    ///
    /// # Errors
    /// If the key is at another place: with that place and the key.
    ///
    /// # Panics
    /// If `index` is out of bounds.
    #[track_caller]
    pub fn replace_index(&mut self, index: usize, key: K) -> Result<K, (usize, K)> {
        self.0.handle.hold(&key);
        let replaced = self.0.change(|map, _| map.replace_index(index, key));
        match &replaced {
            Ok(old) => self.0.handle.replaced(old),
            Err((_, refused)) => self.0.handle.release(refused),
        }
        replaced
    }

    /// As [`IndexMap::append`].
    pub fn append<S2>(&mut self, other: &mut IndexMap<K, V, S2>) {
        if Handle::marks::<K, V>() {
            for (key, value) in other.iter() {
                self.0.handle.hold(key);
                self.0.handle.hold(value);
            }
        }
        self.0.change(|map, _| map.append(other));
    }

    /// As [`IndexMap::entry`]. What is inserted or removed through the entry is
    /// published with the next call.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        let Watched { inner, handle } = self.0.expose_one();
        handle.hold(&key);
        let entry = inner.entry(key);
        if let Entry::Occupied(occupied) = &entry {
            handle.hold(occupied.get());
        }
        entry
    }
}

/// Look-ups by a key's equivalent.
impl<K, V, S> TrackedIndexMap<K, V, S>
where
    S: BuildHasher,
{
    /// As [`IndexMap::get`].
    #[inline]
    pub fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.0.read().get(key)
    }

    /// As [`IndexMap::get_mut`].
    #[inline]
    pub fn get_mut<Q>(&mut self, key: &Q) -> Option<&mut V>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.get_full_mut(key).map(|(_, _, value)| value)
    }

    /// As [`IndexMap::get_key_value_mut`].
    pub fn get_key_value_mut<Q>(&mut self, key: &Q) -> Option<(&K, &mut V)>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.get_full_mut(key).map(|(_, key, value)| (key, value))
    }

    /// As [`IndexMap::get_full_mut`].
    #[inline]
    pub fn get_full_mut<Q>(&mut self, key: &Q) -> Option<(usize, &K, &mut V)>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.0.settle();
        let (place, key, value) = self.0.inner.get_full_mut(key)?;
        self.0.handle.soil();
        self.0.handle.hold(value);
        Some((place, key, value))
    }

    /// As [`IndexMap::get_disjoint_mut`].
    ///
    /// # Panics
    /// If any keys are overlapping, as indexmap's.
    pub fn get_disjoint_mut<Q, const N: usize>(&mut self, keys: [&Q; N]) -> [Option<&mut V>; N]
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.0.settle();
        let values = self.0.inner.get_disjoint_mut(keys);
        for value in values.iter().flatten() {
            self.0.handle.soil();
            self.0.handle.hold::<V>(value);
        }
        values
    }

    /// As [`IndexMap::swap_remove`].
    pub fn swap_remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.swap_remove_entry(key).map(|(_, value)| value)
    }

    /// As [`IndexMap::swap_remove_entry`].
    pub fn swap_remove_entry<Q>(&mut self, key: &Q) -> Option<(K, V)>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.take(|map| map.swap_remove_entry(key))
    }

    /// As [`IndexMap::swap_remove_full`].
    pub fn swap_remove_full<Q>(&mut self, key: &Q) -> Option<(usize, K, V)>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        let place = self.0.inner.get_index_of(key)?;
        let (key, value) = self.swap_remove_index(place)?;
        Some((place, key, value))
    }

    /// As [`IndexMap::shift_remove`].
    pub fn shift_remove<Q>(&mut self, key: &Q) -> Option<V>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.shift_remove_entry(key).map(|(_, value)| value)
    }

    /// As [`IndexMap::shift_remove_entry`].
    pub fn shift_remove_entry<Q>(&mut self, key: &Q) -> Option<(K, V)>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        self.take(|map| map.shift_remove_entry(key))
    }

    /// As [`IndexMap::shift_remove_full`].
    pub fn shift_remove_full<Q>(&mut self, key: &Q) -> Option<(usize, K, V)>
    where
        Q: ?Sized + Hash + Equivalent<K>,
    {
        let place = self.0.inner.get_index_of(key)?;
        let (key, value) = self.shift_remove_index(place)?;
        Some((place, key, value))
    }
}
