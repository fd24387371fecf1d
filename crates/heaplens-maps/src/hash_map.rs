//! `HashMap` that publishes what it holds.

mod iter;
mod traits;

use std::borrow::Borrow;
use std::collections::hash_map::{Entry, IntoKeys, IntoValues, IterMut, RandomState, ValuesMut};
use std::collections::{HashMap, TryReserveError};
use std::hash::{BuildHasher, Hash};

use crate::constructors::constructors;
use crate::group::Group;
use crate::handle::Handle;
use crate::methods::{map_methods, swiss_map_methods, swiss_table_methods};
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

constructors!([K, V] TrackedHashMap, HashMap, RandomState);

impl<K, V, S> TrackedHashMap<K, V, S> {
    tracking_methods!(HashMap<K, V, S>);
    map_methods!(HashMap);
    swiss_map_methods!(HashMap);
}

impl<K, V, S> TrackedHashMap<K, V, S>
where
    K: Eq + Hash,
    S: BuildHasher,
{
    swiss_table_methods!(HashMap);

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
}
