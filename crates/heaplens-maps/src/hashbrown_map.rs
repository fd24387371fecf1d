//! hashbrown's `HashMap` that publishes what it holds.

mod iter;
mod traits;

use std::hash::{BuildHasher, Hash};

use hashbrown::hash_map::{
    Entry, EntryRef, IntoKeys, IntoValues, IterMut, OccupiedError, ValuesMut,
};
use hashbrown::{DefaultHashBuilder, Equivalent, HashMap, TryReserveError};

use crate::constructors::constructors;
use crate::group::Group;
use crate::handle::Handle;
use crate::methods::{map_methods, swiss_map_methods, swiss_table_methods};
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

constructors!([K, V] TrackedHashbrownMap, HashMap, DefaultHashBuilder);

impl<K, V, S> TrackedHashbrownMap<K, V, S> {
    tracking_methods!(HashMap<K, V, S>);
    map_methods!(HashMap);
    swiss_map_methods!(HashMap);
}

impl<K, V, S> TrackedHashbrownMap<K, V, S>
where
    K: Eq + Hash,
    S: BuildHasher,
{
    swiss_table_methods!(HashMap);

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
}
