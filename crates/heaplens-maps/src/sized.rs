//! `HashMap` that knows what its keys and values own, to the byte.

mod account;
mod entry;
mod traits;

use std::borrow::Borrow;
use std::collections::TryReserveError;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::{BuildHasher, Hash};

use crate::contained::contained;
use crate::group::Group;
use crate::hash_map::{Drain, TrackedHashMap};
use account::Account;

pub use entry::SizedMut;

/// A [`TrackedHashMap`] that keeps the sum of what its entries own on the heap,
/// by a function of the program's own: made by [`TrackedHashMap::with_sizer`].
///
/// ```
/// use heaplens_maps::TrackedHashMap;
///
/// let mut names = TrackedHashMap::named("names").with_sizer(|_: &u32, name: &String| name.capacity());
/// names.insert(17, String::from("Ada"));
/// names.update(&17, |name| *name = "Ada Lovelace".to_owned());
/// assert_eq!(names.sized_bytes(), 12);
/// ```
///
/// It is a [`HashMap`](std::collections::HashMap) for reading. Entries are changed by the methods of this
/// type alone, each of which measures what it changes; so the sum is exact, and
/// with it [`GroupReport::heap_bytes`](crate::GroupReport::heap_bytes) of a group
/// whose maps all have a sizer: its standard error is zero.
///
/// # Cost
///
/// A call of the sizer for each entry that comes or goes, two for one that
/// changes; a further look-up; and an addition to a counter that the maps of the
/// group share.
pub struct SizedHashMap<K, V, S = RandomState, F = fn(&K, &V) -> usize> {
    map: TrackedHashMap<K, V, S>,
    sizer: F,
    account: Account,
}

impl<K, V, S> TrackedHashMap<K, V, S> {
    /// Counts from now on what each entry owns on the heap, in bytes: `sizer`
    /// says how much, without the places of key and value in the table, which
    /// are counted as such.
    ///
    /// It must say the same of an entry until that is changed through `&mut`.
    /// Where that does not hold, as with `RefCell` and atomics,
    /// [`SizedHashMap::recount`] mends the sum.
    #[must_use]
    pub fn with_sizer<F>(self, sizer: F) -> SizedHashMap<K, V, S, F>
    where
        F: Fn(&K, &V) -> usize,
    {
        SizedHashMap::new(self, sizer)
    }
}

/// With the sizes of [`mem_dbg`]. Each entry is measured for itself.
#[cfg(feature = "mem_dbg")]
impl<K: mem_dbg::MemSize, V: mem_dbg::MemSize, S> TrackedHashMap<K, V, S> {
    /// Counts what each entry alone owns: buffers with their spare capacity
    /// ([`CAPACITY`](mem_dbg::SizeFlags::CAPACITY)), but nothing behind an `Rc`,
    /// `Arc` or reference. What is shared would be counted once for each entry
    /// that holds it, and could change without the map's knowing.
    #[must_use]
    pub fn with_mem_dbg(self) -> SizedHashMap<K, V, S> {
        SizedHashMap::new(self, |key, value| {
            owned(key, value, mem_dbg::SizeFlags::CAPACITY)
        })
    }

    /// As [`TrackedHashMap::with_mem_dbg`], and what is behind an `Rc` or `Arc`
    /// too ([`FOLLOW_RCS`](mem_dbg::SizeFlags::FOLLOW_RCS)): for maps whose
    /// entries share nothing with one another, nor with anything that changes
    /// it.
    #[must_use]
    pub fn with_mem_dbg_shared(self) -> SizedHashMap<K, V, S> {
        SizedHashMap::new(self, |key, value| {
            owned(
                key,
                value,
                mem_dbg::SizeFlags::CAPACITY | mem_dbg::SizeFlags::FOLLOW_RCS,
            )
        })
    }
}

/// What key and value own beside their places in the table.
#[cfg(feature = "mem_dbg")]
fn owned<K: mem_dbg::MemSize, V: mem_dbg::MemSize>(
    key: &K,
    value: &V,
    flags: mem_dbg::SizeFlags,
) -> usize {
    let key = key.mem_size(flags).saturating_sub(size_of::<K>());
    let value = value.mem_size(flags).saturating_sub(size_of::<V>());
    key.saturating_add(value)
}

impl<K, V, S, F> SizedHashMap<K, V, S, F> {
    /// Bytes that keys and values own, by the sizer.
    pub fn sized_bytes(&self) -> u64 {
        self.account.bytes()
    }

    /// The group that this map counts for.
    pub fn group(&self) -> Group {
        self.map.group()
    }

    /// The map, without its sizer.
    #[must_use]
    pub fn into_inner(self) -> TrackedHashMap<K, V, S> {
        self.map
    }

    /// As [`TrackedHashMap::drain`].
    pub fn drain(&mut self) -> Drain<'_, K, V> {
        self.account.clear();
        self.map.drain()
    }
}

impl<K, V, S, F> SizedHashMap<K, V, S, F>
where
    F: Fn(&K, &V) -> usize,
{
    fn new(map: TrackedHashMap<K, V, S>, sizer: F) -> Self {
        let account = Account::new(map.group());
        let mut counted = SizedHashMap {
            map,
            sizer,
            account,
        };
        counted.recount();
        counted
    }

    /// Moves this map to the group `name`.
    #[must_use]
    pub fn rename(self, name: &'static str) -> Self {
        let SizedHashMap {
            map,
            sizer,
            account,
        } = self;
        drop(account);
        Self::new(map.rename(name), sizer)
    }

    /// Measures all entries anew.
    pub fn recount(&mut self) {
        let sizes = self.map.iter().map(|(key, value)| (self.sizer)(key, value));
        let sum = sizes.fold(0, |sum: i64, size| sum.wrapping_add(size as i64));
        self.account.clear();
        self.account.change(0, sum);
    }

    /// Changes the map; if that panics, what was measured may not be what is
    /// there, and everything is measured anew.
    fn mending<R>(&mut self, change: impl FnOnce(&mut Self) -> R) -> R {
        let mending = Mending(self);
        change(mending.0)
    }

    /// As [`TrackedHashMap::retain`].
    pub fn retain(&mut self, mut f: impl FnMut(&K, &mut V) -> bool) {
        self.mending(|sized| {
            let SizedHashMap {
                map,
                sizer,
                account,
            } = sized;
            map.retain(|key, value| {
                let before = sizer(key, value) as i64;
                let keep = f(key, value);
                let after = if keep { sizer(key, value) as i64 } else { 0 };
                account.change(before, after);
                keep
            });
        });
    }

    /// As [`TrackedHashMap::clear`].
    pub fn clear(&mut self) {
        self.mending(|sized| {
            sized.map.clear();
            sized.account.clear();
        });
    }
}

impl<K, V, S, F> SizedHashMap<K, V, S, F>
where
    K: Eq + Hash,
    S: BuildHasher,
    F: Fn(&K, &V) -> usize,
{
    /// What an entry owns; `None` if there is none.
    fn size_of<Q>(&self, key: &Q) -> Option<i64>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (key, value) = self.map.get_key_value(key)?;
        Some((self.sizer)(key, value) as i64)
    }

    /// As [`TrackedHashMap::insert`].
    pub fn insert(&mut self, k: K, v: V) -> Option<V> {
        self.mending(|sized| {
            // The key that is there stays, and may own another amount.
            let (before, after) = match sized.map.get_key_value(&k) {
                Some((kept, old)) => ((sized.sizer)(kept, old), (sized.sizer)(kept, &v)),
                None => (0, (sized.sizer)(&k, &v)),
            };
            let old = sized.map.insert(k, v);
            sized.account.change(before as i64, after as i64);
            old
        })
    }

    /// As [`TrackedHashMap::remove`].
    pub fn remove<Q>(&mut self, k: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.remove_entry(k).map(|(_, value)| value)
    }

    /// As [`TrackedHashMap::remove_entry`].
    pub fn remove_entry<Q>(&mut self, k: &Q) -> Option<(K, V)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.mending(|sized| {
            let (key, value) = sized.map.remove_entry(k)?;
            sized.account.change((sized.sizer)(&key, &value) as i64, 0);
            Some((key, value))
        })
    }

    /// Changes the value of a key by `f`, and returns what that returns; `None`
    /// if the key is not there.
    pub fn update<Q, R>(&mut self, k: &Q, f: impl FnOnce(&mut V) -> R) -> Option<R>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.mending(|sized| {
            let before = sized.size_of(k)?;
            let result = f(sized.map.get_mut(k)?);
            let after = sized.size_of(k)?;
            sized.account.change(before, after);
            Some(result)
        })
    }

    /// The value of a key, to be changed: it is measured again when the guard is
    /// dropped. Clones the key, which [`SizedHashMap::update`] does not.
    pub fn get_mut<Q>(&mut self, k: &Q) -> Option<SizedMut<'_, K, V, F>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if !self.map.contains_key(k) {
            return None;
        }
        match self.map.entry(k.to_owned()) {
            Entry::Occupied(entry) => Some(SizedMut::new(entry, &self.sizer, &mut self.account)),
            Entry::Vacant(_) => None,
        }
    }

    /// The value of a key, to be changed; what `make` makes, if there is none.
    pub fn get_or_insert_with(
        &mut self,
        key: K,
        make: impl FnOnce() -> V,
    ) -> SizedMut<'_, K, V, F> {
        match self.map.entry(key) {
            Entry::Occupied(entry) => SizedMut::new(entry, &self.sizer, &mut self.account),
            Entry::Vacant(entry) => {
                let value = make();
                let size = (self.sizer)(entry.key(), &value) as i64;
                let entry = entry.insert_entry(value);
                self.account.change(0, size);
                SizedMut::new(entry, &self.sizer, &mut self.account)
            }
        }
    }

    /// As [`TrackedHashMap::reserve`].
    ///
    /// # Panics
    /// If the new size overflows `usize`, as std's.
    pub fn reserve(&mut self, additional: usize) {
        self.map.reserve(additional);
    }

    /// As [`TrackedHashMap::try_reserve`].
    ///
    /// # Errors
    /// If the capacity overflows, or the allocator has no memory.
    pub fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError> {
        self.map.try_reserve(additional)
    }

    /// As [`TrackedHashMap::shrink_to_fit`].
    pub fn shrink_to_fit(&mut self) {
        self.map.shrink_to_fit();
    }

    /// As [`TrackedHashMap::shrink_to`].
    pub fn shrink_to(&mut self, min_capacity: usize) {
        self.map.shrink_to(min_capacity);
    }
}

/// Recounts a map whose change panics.
struct Mending<'a, K, V, S, F: Fn(&K, &V) -> usize>(&'a mut SizedHashMap<K, V, S, F>);

impl<K, V, S, F: Fn(&K, &V) -> usize> Drop for Mending<'_, K, V, S, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            contained(|| self.0.recount());
        }
    }
}
