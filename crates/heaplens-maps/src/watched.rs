//! A container together with what it carries: what all tracked types are made
//! of.

use std::ops::{Deref, DerefMut};

use crate::handle::Handle;
use crate::origin::Origin;

/// A container that can tell a handle what it holds.
pub(crate) trait Container {
    type Key;
    /// `()` for sets.
    type Value;

    /// How many entries there are.
    fn count(&self) -> usize;

    /// Visits all entries.
    fn each(&self, visit: impl FnMut(&Self::Key, &Self::Value));

    /// Publishes entries, and the table if it is another than before.
    fn publish(&self, handle: &mut Handle);

    /// Notes a read, and publishes what was changed unseen before it. Several
    /// threads may do so at a time.
    fn heal(&self, handle: &Handle);

    /// Publishes a container that was made whole, with the largest capacity
    /// that its table has shown elsewhere.
    fn adopt(&self, handle: &mut Handle, high_water: usize);
}

/// See the module. Without a destructor of its own, so that the container can
/// be moved out and keeps what std's has (variance, and values that may not
/// outlive what they borrow).
pub(crate) struct Watched<C> {
    pub(crate) inner: C,
    pub(crate) handle: Handle,
}

impl<C> Watched<C> {
    pub(crate) const fn new(inner: C, handle: Handle) -> Self {
        Watched { inner, handle }
    }
}

impl<C: Container> Watched<C> {
    /// One that exists, with its entries marked.
    pub(crate) fn adopted(inner: C, handle: Handle) -> Self {
        Self::adopted_at(inner, handle, 0)
    }

    fn adopted_at(inner: C, handle: Handle, high_water: usize) -> Self {
        let mut watched = Watched::new(inner, handle);
        watched.inner.adopt(&mut watched.handle, high_water);
        watched.hold_all();
        watched
    }

    /// As if cloned from `source`, into its group.
    pub(crate) fn cloned(inner: C, source: &Self) -> Self {
        let high_water = source.handle.high_water();
        Self::adopted_at(inner, source.handle.sibling(), high_water)
    }

    /// Moves the container to another group.
    pub(crate) fn moved_to(self, origin: Origin) -> Self {
        let Watched { inner, handle } = self;
        let (high_water, moved) = (handle.high_water(), handle.moved_to(origin));
        // Leaves one group before it enters the other.
        drop(handle);
        Self::adopted_at(inner, moved, high_water)
    }

    /// The container, without its marks.
    pub(crate) fn into_inner(mut self) -> C {
        self.release_all();
        self.inner
    }

    #[inline]
    pub(crate) fn publish(&mut self) {
        self.inner.publish(&mut self.handle);
    }

    /// The container, to be read.
    #[inline]
    pub(crate) fn read(&self) -> &C {
        self.inner.heal(&self.handle);
        &self.inner
    }

    /// Before the program gets at entries that it may change: publishes what it
    /// did last time.
    #[inline]
    pub(crate) fn settle(&mut self) {
        self.publish();
        let count = self.inner.count();
        if self.handle.must_sweep::<C::Key, C::Value>(count) {
            self.hold_all();
        }
    }

    /// The container, for the program to change as it likes.
    #[inline]
    pub(crate) fn expose(&mut self) -> &mut C {
        self.settle();
        self.handle.expose(self.inner.count());
        &mut self.inner
    }

    /// The container, for the program to change all values, but not how many
    /// there are.
    #[inline]
    pub(crate) fn expose_values(&mut self) -> &mut C {
        self.settle();
        self.handle.soil_all(self.inner.count());
        &mut self.inner
    }

    /// The container, for the program to change one entry.
    #[inline]
    pub(crate) fn expose_one(&mut self) -> &mut Self {
        self.settle();
        self.handle.expose_one();
        self
    }

    /// Changes the container and publishes it, also if `change` panics: hashing,
    /// comparing, closures and destructors are the program's own.
    #[inline]
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut C, &mut Handle) -> R) -> R {
        let mut publishing = Publishing(self);
        let Watched { inner, handle } = &mut *publishing;
        change(inner, handle)
    }

    /// As [`Watched::change`], where nothing is inserted and the table stays.
    #[inline]
    pub(crate) fn take_out<R>(&mut self, take_out: impl FnOnce(&mut C) -> R) -> R {
        let lowering = Lowering(self);
        take_out(&mut lowering.0.inner)
    }

    /// Marks the sampled blocks of all entries.
    pub(crate) fn hold_all(&mut self) {
        if Handle::marks::<C::Key, C::Value>() {
            self.inner.each(|key, value| {
                self.handle.hold(key);
                self.handle.hold(value);
            });
        }
    }

    /// Takes the marks off all entries.
    pub(crate) fn release_all(&mut self) {
        if Handle::marks::<C::Key, C::Value>() {
            self.inner.each(|key, value| {
                self.handle.release(key);
                self.handle.release(value);
            });
        }
    }
}

/// Publishes when it is dropped.
struct Publishing<'a, C: Container>(&'a mut Watched<C>);

impl<C: Container> Drop for Publishing<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.0.publish();
    }
}

impl<C: Container> Deref for Publishing<'_, C> {
    type Target = Watched<C>;

    #[inline]
    fn deref(&self) -> &Watched<C> {
        self.0
    }
}

impl<C: Container> DerefMut for Publishing<'_, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Watched<C> {
        self.0
    }
}

/// Publishes when it is dropped that entries are gone.
struct Lowering<'a, C: Container>(&'a mut Watched<C>);

impl<C: Container> Drop for Lowering<'_, C> {
    #[inline]
    fn drop(&mut self) {
        self.0.handle.lowered(self.0.inner.count());
    }
}

/// Methods that all tracked types have beside those of std's.
macro_rules! tracking_methods {
    ($inner:ty) => {
        /// Tracks one that exists, in the group of the caller's place in the
        /// source. A hash table from which entries were removed may be shown
        /// too small until it next grows.
        #[must_use]
        #[track_caller]
        pub fn from_inner(inner: $inner) -> Self {
            Self(Watched::adopted(inner, Handle::here()))
        }

        /// The std container inside. For the group, its entries were removed.
        #[must_use]
        pub fn into_inner(self) -> $inner {
            self.0.into_inner()
        }

        /// Moves this one to the group `name`. For its former group, its
        /// entries were removed.
        #[must_use]
        pub fn rename(self, name: &'static str) -> Self {
            Self(self.0.moved_to(Origin::Name(name)))
        }

        /// The group that this one counts for.
        pub fn group(&self) -> Group {
            self.0.handle.group()
        }

        /// Declares for the group that none of it is meant to hold more entries
        /// than this: what stays within the bound is not a leak. Does not
        /// enforce anything.
        #[must_use]
        pub fn max_entries(self, entries: u64) -> Self {
            let _ = self.group().max_entries(entries);
            self
        }

        /// Declares for the group that no entry is meant to live longer. Does
        /// not enforce anything.
        #[must_use]
        pub fn expected_ttl(self, ttl: std::time::Duration) -> Self {
            let _ = self.group().expected_ttl(ttl);
            self
        }

        /// Takes everything out, as `std::mem::take` does, and leaves an empty
        /// one of the same group, which `std::mem::take` would not.
        #[must_use]
        pub fn take_all(&mut self) -> Self
        where
            $inner: Default,
        {
            self.0.publish();
            let empty = Watched::new(Default::default(), self.0.handle.sibling());
            Self(std::mem::replace(&mut self.0, empty))
        }
    };
}

/// Traits that all tracked types implement in the same way.
macro_rules! tracking_traits {
    ([$($generics:tt)*] $tracked:ty, $inner:ty) => {
        impl<$($generics)*> std::ops::Deref for $tracked {
            type Target = $inner;

            #[inline]
            fn deref(&self) -> &$inner {
                self.0.read()
            }
        }

        /// For methods that this type does not have, and for `&mut` arguments
        /// of std's type. What is done through it shows with the next call of
        /// any method.
        impl<$($generics)*> std::ops::DerefMut for $tracked {
            #[inline]
            fn deref_mut(&mut self) -> &mut $inner {
                self.0.expose()
            }
        }

        impl<$($generics)*> From<$inner> for $tracked {
            #[track_caller]
            fn from(inner: $inner) -> Self {
                Self::from_inner(inner)
            }
        }

        impl<$($generics)*> From<$tracked> for $inner {
            fn from(tracked: $tracked) -> Self {
                tracked.into_inner()
            }
        }

        impl<$($generics)*> std::fmt::Debug for $tracked
        where
            $inner: std::fmt::Debug,
        {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.read().fmt(f)
            }
        }

        impl<$($generics)*> IntoIterator for $tracked {
            type Item = <$inner as IntoIterator>::Item;
            type IntoIter = <$inner as IntoIterator>::IntoIter;

            fn into_iter(self) -> Self::IntoIter {
                self.into_inner().into_iter()
            }
        }

        impl<'a, $($generics)*> IntoIterator for &'a $tracked {
            type Item = <&'a $inner as IntoIterator>::Item;
            type IntoIter = <&'a $inner as IntoIterator>::IntoIter;

            fn into_iter(self) -> Self::IntoIter {
                self.iter()
            }
        }

        #[cfg(feature = "serde")]
        impl<$($generics)*> serde::Serialize for $tracked
        where
            $inner: serde::Serialize,
        {
            fn serialize<Z: serde::Serializer>(&self, serializer: Z) -> Result<Z::Ok, Z::Error> {
                self.0.read().serialize(serializer)
            }
        }

        /// In the group of the caller's place in the source, which is mostly one
        /// of serde's: `rename` gives a name.
        #[cfg(feature = "serde")]
        impl<'de, $($generics)*> serde::Deserialize<'de> for $tracked
        where
            $inner: serde::Deserialize<'de>,
        {
            #[track_caller]
            fn deserialize<Z: serde::Deserializer<'de>>(deserializer: Z) -> Result<Self, Z::Error> {
                let handle = Handle::here();
                let inner = serde::Deserialize::deserialize(deserializer)?;
                Ok(Self(Watched::adopted(inner, handle)))
            }
        }
    };
}

pub(crate) use {tracking_methods, tracking_traits};
