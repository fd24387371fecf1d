//! hashbrown's `HashMap` that publishes what it holds.

mod iter;
mod traits;

use std::hash::{BuildHasher, Hash};

use hashbrown::hash_map::{
    Entry, EntryRef, IntoKeys, IntoValues, IterMut, OccupiedError, ValuesMut,
};
use hashbrown::{DefaultHashBuilder, Equivalent, HashMap, TryReserveError};

use crate::group::Group;
use crate::handle::Handle;
use crate::origin::Origin;
use crate::watched::{Watched, tracking_methods};

pub use iter::{Drain, ExtractIf};

/// A [`hashbrown::HashMap`] that publishes its entries, table and traffic, and
/// marks the heap samples of what it holds.
///
/// ```
/// use heaplens_maps::TrackedHashbrownMap;
///
/// let mut sessions = TrackedHashbrownMap::named("sessions");
/// sessions.insert(17, "Ada".to_owned());
/// assert_eq!(sessions.get(&17).map(String::as_str), Some("Ada"));
/// ```
///
/// All that [`TrackedHashMap`](crate::TrackedHashMap) says of itself holds here
/// too. The bytes of the table are compared with
/// [`allocation_size`](HashMap::allocation_size) by each method that inserts,
/// looks up for writing or removes: they are exact after it, whatever table the
/// map was given. Not offered is a custom allocator; `unsafe` methods are
/// hashbrown's own through `DerefMut`, and so are raw entries.
pub struct TrackedHashbrownMap<K, V, S = DefaultHashBuilder>(Watched<HashMap<K, V, S>>);

impl<K, V> TrackedHashbrownMap<K, V, DefaultHashBuilder> {
    /// As [`HashMap::new`], in the group of the caller's place in the source.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::with_hasher(DefaultHashBuilder::default())
    }

    /// An empty map of the group `name`. As [`Group::named`], except that a
    /// known name costs no lock.
    #[must_use]
    pub fn named(name: &'static str) -> Self {
        Self::named_with_hasher(name, DefaultHashBuilder::default())
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
        Self::with_capacity_and_hasher(capacity, DefaultHashBuilder::default())
    }
}

impl<K, V, S> TrackedHashbrownMap<K, V, S> {
    /// As [`HashMap::with_hasher`]: constant, for maps in statics. In the group
    /// of the caller's place in the source.
    #[must_use]
    #[track_caller]
    pub const fn with_hasher(hash_builder: S) -> Self {
        let map = HashMap::with_hasher(hash_builder);
        Self(Watched::new(map, Handle::here()))
    }

    /// As [`TrackedHashbrownMap::named`], with a hasher; constant.
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

impl<K, V, S> TrackedHashbrownMap<K, V, S>
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
        let old = self.put(k, v);
        self.shrink_if_due();
        old
    }

    #[inline]
    fn put(&mut self, key: K, value: V) -> Option<V> {
        self.0.handle.hold(&key);
        self.0.handle.hold(&value);
        let old = self.0.change(|map, _| map.insert(key, value));
        if let Some(old) = &old {
            self.0.handle.replaced(old);
        }
        self.correct();
        old
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
    pub fn entry(&mut self, key: K) -> Entry<'_, K, V, S> {
        self.correct();
        self.shrink_if_due();
        let Watched { inner, handle } = self.0.expose_one();
        handle.hold(&key);
        let entry = inner.entry(key);
        if let Entry::Occupied(occupied) = &entry {
            handle.hold(occupied.get());
        }
        entry
    }

    /// As [`HashMap::entry_ref`]. What is inserted or removed through the entry
    /// is published with the next call, and the key marked then.
    pub fn entry_ref<'a, 'b, Q>(&'a mut self, key: &'b Q) -> EntryRef<'a, 'b, K, Q, V, S>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.correct();
        self.shrink_if_due();
        let Watched { inner, handle } = self.0.expose_one();
        let entry = inner.entry_ref(key);
        if let EntryRef::Occupied(occupied) = &entry {
            handle.hold(occupied.get());
        }
        entry
    }

    /// As [`HashMap::try_insert`].
    ///
    /// # Errors
    /// If the key is there: with its entry and the value.
    pub fn try_insert(&mut self, key: K, value: V) -> Result<&mut V, OccupiedError<'_, K, V, S>> {
        if !self.0.inner.contains_key(&key) {
            // Here, so that the table that it takes is published at once.
            self.reserve(1);
        }
        self.correct();
        let Watched { inner, handle } = self.0.expose_one();
        let (len, capacity) = (inner.len(), inner.capacity());
        match inner.entry(key) {
            Entry::Occupied(entry) => Err(OccupiedError { entry, value }),
            Entry::Vacant(entry) => {
                handle.hold(entry.key());
                handle.hold(&value);
                let value = entry.insert(value);
                handle.publish(len + 1, capacity);
                Ok(value)
            }
        }
    }

    /// As [`HashMap::get_mut`].
    #[inline]
    pub fn get_mut<Q>(&mut self, k: &Q) -> Option<&mut V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.settle();
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
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.settle();
        let values = self.0.inner.get_disjoint_mut(ks);
        for value in values.iter().flatten() {
            self.0.handle.soil();
            self.0.handle.hold::<V>(value);
        }
        values
    }

    /// As [`HashMap::get_key_value_mut`].
    #[inline]
    pub fn get_key_value_mut<Q>(&mut self, k: &Q) -> Option<(&K, &mut V)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.settle();
        let (key, value) = self.0.inner.get_key_value_mut(k)?;
        self.0.handle.soil();
        self.0.handle.hold(value);
        Some((key, value))
    }

    /// As [`HashMap::get_disjoint_key_value_mut`].
    ///
    /// # Panics
    /// If any keys are overlapping, as hashbrown's.
    pub fn get_disjoint_key_value_mut<Q, const N: usize>(
        &mut self,
        ks: [&Q; N],
    ) -> [Option<(&'_ K, &'_ mut V)>; N]
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.settle();
        let entries = self.0.inner.get_disjoint_key_value_mut(ks);
        for (_, value) in entries.iter().flatten() {
            self.0.handle.soil();
            self.0.handle.hold::<V>(value);
        }
        entries
    }

    /// As [`HashMap::get`].
    #[inline]
    pub fn get<Q>(&self, k: &Q) -> Option<&V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        self.0.read().get(k)
    }

    /// As [`HashMap::remove`].
    #[inline]
    pub fn remove<Q>(&mut self, k: &Q) -> Option<V>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let value = self.0.change(|map, _| map.remove(k));
        if let Some(value) = &value {
            self.0.handle.release(value);
        }
        self.correct();
        self.shrink_if_due();
        value
    }

    /// As [`HashMap::remove_entry`].
    pub fn remove_entry<Q>(&mut self, k: &Q) -> Option<(K, V)>
    where
        Q: Hash + Equivalent<K> + ?Sized,
    {
        let entry = self.0.change(|map, _| map.remove_entry(k));
        if let Some((key, value)) = &entry {
            self.0.handle.release(key);
            self.0.handle.release(value);
        }
        self.correct();
        self.shrink_if_due();
        entry
    }

    /// Publishes the table as hashbrown tells it, if it is not what is known.
    #[inline]
    fn correct(&mut self) {
        let bytes = self.0.inner.allocation_size() as u64;
        if !self.0.handle.shows_bytes(bytes) {
            self.0.set_bytes(bytes);
        }
    }

    #[inline]
    fn settle(&mut self) {
        self.0.settle();
        self.correct();
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
