//! `HashMap` that publishes what it holds.

mod iter;
mod traits;

use std::borrow::Borrow;
use std::collections::hash_map::{Entry, IntoKeys, IntoValues, IterMut, RandomState, ValuesMut};
use std::collections::{HashMap, TryReserveError};
use std::hash::{BuildHasher, Hash};

use crate::group::Group;
use crate::handle::Handle;
use crate::origin::Origin;
use crate::watched::{Watched, tracking_methods};

pub use iter::{Drain, ExtractIf};

/// A [`HashMap`] that publishes its entries, table and traffic, and marks the
/// heap samples of what it holds.
///
/// ```
/// use heaplens_maps::TrackedHashMap;
///
/// let mut sessions = TrackedHashMap::named("sessions");
/// sessions.insert(17, "Ada".to_owned());
/// assert_eq!(sessions.get(&17).map(String::as_str), Some("Ada"));
/// ```
///
/// It has every method of std's map: those that change it publish afterwards,
/// all others are std's own through `Deref`. Maps of one name, or made at one
/// place in the source, form a group; groups are what reports show.
///
/// # What is exact and what is late
///
/// Entries, inserts and removes are exact after every method of this type. What
/// the program does through an [`Entry`], or through `&mut HashMap`, shows with
/// the next call of any method, reading ones included; and of entries that came
/// and went in between only the difference counts.
///
/// The bytes of the table are exact, unless the program puts another table in
/// its place through `&mut HashMap`: they may then be too high until the map is
/// next shrunk, or cleared of entries.
///
/// # Cost
///
/// About a nanosecond a mutation. With a sampled block alive, inserting a key or
/// value that owns memory takes one more nanosecond for each of its words.
/// The map itself is 40 bytes larger than std's; 64 bytes more while it has a
/// table.
pub struct TrackedHashMap<K, V, S = RandomState>(Watched<HashMap<K, V, S>>);

impl<K, V> TrackedHashMap<K, V, RandomState> {
    /// As [`HashMap::new`], in the group of the caller's place in the source.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::with_hasher(RandomState::new())
    }

    /// An empty map of the group `name`. As [`Group::named`], except that a
    /// known name costs no lock.
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        Self::named_with_hasher(name, RandomState::new())
    }

    /// An empty map of a group.
    #[must_use]
    pub fn in_group(group: Group) -> Self {
        Self(Watched::new(HashMap::new(), Handle::in_group(group)))
    }

    /// As [`HashMap::with_capacity`], in the group of the caller's place in the
    /// source.
    #[must_use]
    #[track_caller]
    pub fn with_capacity(capacity: usize) -> Self {
        Self::with_capacity_and_hasher(capacity, RandomState::new())
    }
}

impl<K, V, S> TrackedHashMap<K, V, S> {
    /// As [`HashMap::with_hasher`]: constant, for maps in statics. In the group
    /// of the caller's place in the source.
    #[must_use]
    #[track_caller]
    pub const fn with_hasher(hash_builder: S) -> Self {
        let map = HashMap::with_hasher(hash_builder);
        Self(Watched::new(map, Handle::here()))
    }

    /// As [`TrackedHashMap::named`], with a hasher; constant.
    #[must_use]
    pub const fn named_with_hasher(name: &'static str, hash_builder: S) -> Self {
        let map = HashMap::with_hasher(hash_builder);
        Self(Watched::new(map, Handle::new(Origin::Name(name))))
    }

    /// As [`HashMap::with_capacity_and_hasher`], in the group of the caller's
    /// place in the source.
    #[must_use]
    #[track_caller]
    pub fn with_capacity_and_hasher(capacity: usize, hash_builder: S) -> Self {
        Self::from_inner(HashMap::with_capacity_and_hasher(capacity, hash_builder))
    }

    tracking_methods!(HashMap<K, V, S>);

    /// As [`HashMap::into_keys`].
    pub fn into_keys(self) -> IntoKeys<K, V> {
        self.into_inner().into_keys()
    }

    /// As [`HashMap::into_values`].
    pub fn into_values(self) -> IntoValues<K, V> {
        self.into_inner().into_values()
    }

    /// As [`HashMap::values_mut`].
    pub fn values_mut(&mut self) -> ValuesMut<'_, K, V> {
        self.0.expose_values().values_mut()
    }

    /// As [`HashMap::iter_mut`].
    pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
        self.0.expose_values().iter_mut()
    }

    /// As [`HashMap::drain`]. All entries count as removed at once.
    pub fn drain(&mut self) -> Drain<'_, K, V> {
        let (map, table) = self.0.drain();
        Drain::new(map.drain(), table)
    }

    /// As [`HashMap::extract_if`].
    pub fn extract_if<F>(&mut self, pred: F) -> ExtractIf<'_, K, V, F>
    where
        F: FnMut(&K, &mut V) -> bool,
    {
        let (map, taking) = self.0.extract();
        ExtractIf::new(map.extract_if(pred), taking)
    }

    /// As [`HashMap::retain`].
    pub fn retain<F>(&mut self, mut f: F)
    where
        F: FnMut(&K, &mut V) -> bool,
    {
        self.0.settle();
        self.0.change(|map, handle| {
            map.retain(|key, value| {
                let keep = f(key, value);
                if !keep {
                    handle.release(key);
                    handle.release(value);
                }
                keep
            });
        });
    }

    /// As [`HashMap::clear`].
    pub fn clear(&mut self) {
        self.0.clear(HashMap::clear);
    }
}

impl<K, V, S> TrackedHashMap<K, V, S>
where
    K: Eq + Hash,
    S: BuildHasher,
{
    /// Lets the table shrink by itself when it is at most 1/8 full, with
    /// hysteresis, never below what was reserved. The move takes some 50 ns an
    /// entry that is left, within the `insert`, `entry` or `remove` that finds
    /// the table so.
    #[must_use]
    pub fn auto_shrink(mut self, on: bool) -> Self {
        self.0.set_auto_shrink(on);
        self
    }

    /// As [`HashMap::insert`].
    #[inline]
    pub fn insert(&mut self, k: K, v: V) -> Option<V> {
        if Handle::marks::<K, V>() {
            self.hold_entry(&k, &v);
        }
        let old = self.0.change(|map, _| map.insert(k, v));
        if Handle::marks::<V, V>()
            && let Some(old) = &old
        {
            self.release_replaced(old);
        }
        self.shrink_if_due();
        old
    }

    #[inline(never)]
    fn release_replaced(&mut self, old: &V) {
        self.0.handle.replaced(old);
    }

    #[inline(never)]
    fn hold_entry(&mut self, key: &K, value: &V) {
        self.0.handle.hold(key);
        self.0.handle.hold(value);
    }

    /// Inserts what `f` makes, and marks every sampled block that this thread
    /// allocates meanwhile and does not free: so nested values, whose inner
    /// blocks `insert` cannot see, count for the map in full.
    pub fn insert_with(&mut self, k: K, f: impl FnOnce() -> V) -> Option<V> {
        let value = self.group().scope(f);
        self.insert(k, value)
    }

    /// As [`HashMap::entry`]. What is inserted or removed through the entry is
    /// published with the next call.
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V> {
        self.shrink_if_due();
        let Watched { inner, handle } = self.0.expose_one();
        handle.hold(&key);
        let entry = inner.entry(key);
        if let Entry::Occupied(occupied) = &entry {
            handle.hold(occupied.get());
        }
        entry
    }

    /// As [`HashMap::get_mut`].
    #[inline]
    pub fn get_mut<Q>(&mut self, k: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.settle();
        let value = self.0.inner.get_mut(k)?;
        self.0.handle.soil();
        self.0.handle.hold(value);
        Some(value)
    }

    /// As [`HashMap::get_disjoint_mut`].
    ///
    /// # Panics
    /// If any keys are overlapping, as std's.
    pub fn get_disjoint_mut<Q, const N: usize>(&mut self, ks: [&Q; N]) -> [Option<&'_ mut V>; N]
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.settle();
        let values = self.0.inner.get_disjoint_mut(ks);
        for value in values.iter().flatten() {
            self.0.handle.soil();
            self.0.handle.hold::<V>(value);
        }
        values
    }

    /// As [`HashMap::get`].
    #[inline]
    pub fn get<Q>(&self, k: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.read().get(k)
    }

    /// As [`HashMap::remove`].
    #[inline]
    pub fn remove<Q>(&mut self, k: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let value = self.0.take_out(|map| map.remove(k));
        if let Some(value) = &value {
            self.0.handle.release(value);
        }
        self.shrink_if_due();
        value
    }

    /// As [`HashMap::remove_entry`].
    pub fn remove_entry<Q>(&mut self, k: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let entry = self.0.take_out(|map| map.remove_entry(k));
        if let Some((key, value)) = &entry {
            self.0.handle.release(key);
            self.0.handle.release(value);
        }
        self.shrink_if_due();
        entry
    }

    #[inline]
    fn shrink_if_due(&mut self) {
        if self.0.handle.may_shrink() {
            self.0.shrink_if_due(HashMap::shrink_to);
        }
    }

    /// As [`HashMap::shrink_to_fit`].
    pub fn shrink_to_fit(&mut self) {
        self.0.shrink(0, false, HashMap::shrink_to);
    }

    /// As [`HashMap::shrink_to`].
    pub fn shrink_to(&mut self, min_capacity: usize) {
        self.0.shrink(min_capacity, false, HashMap::shrink_to);
    }

    /// As [`HashMap::reserve`].
    ///
    /// # Panics
    /// If the new size overflows `usize`, as std's.
    pub fn reserve(&mut self, additional: usize) {
        self.0.change(|map, _| map.reserve(additional));
        self.0.reserved(additional);
    }

    /// As [`HashMap::try_reserve`].
    ///
    /// # Errors
    /// If the capacity overflows, or the allocator has no memory.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.0.change(|map, _| map.try_reserve(additional))?;
        self.0.reserved(additional);
        Ok(())
    }
}
