//! What collections of one kind implement alike, whichever crate they come from.

/// Room to make for what an iterator will give: all of it for an empty
/// collection, else half, as if every second key were there. So do std's,
/// hashbrown's and indexmap's own.
pub(crate) fn room_for(iter: &impl Iterator, is_empty: bool) -> usize {
    match iter.size_hint().0 {
        lower if is_empty => lower,
        lower => lower.div_ceil(2),
    }
}

/// [`Container`](crate::watched::Container) for a collection whose bytes a module
/// knows: `container!(map HashMap<K, V, S>, swiss)`.
macro_rules! container {
    (map $inner:ident<$key:ident, $value:ident $(, $hasher:ident)?>, $bytes:ident) => {
        container!(
            impl [$key, $value $(, $hasher)?] $inner<$key, $value $(, $hasher)?>,
            $bytes, $key, $value, |entry| entry
        );
    };
    (set $inner:ident<$key:ident $(, $hasher:ident)?>, $bytes:ident) => {
        container!(
            impl [$key $(, $hasher)?] $inner<$key $(, $hasher)?>,
            $bytes, $key, (), |key| (key, &())
        );
    };
    (impl [$($generics:tt)*] $inner:ty, $bytes:ident, $key:ty, $value:ty, $entry:expr) => {
        impl<$($generics)*> $crate::watched::Container for $inner {
            type Key = $key;
            type Value = $value;

            #[inline]
            fn count(&self) -> usize {
                self.len()
            }

            fn each(&self, mut visit: impl FnMut(&$key, &$value)) {
                let entries = self.iter().map($entry);
                entries.for_each(|(key, value)| visit(key, value));
            }

            #[inline]
            fn publish(&self, handle: &mut Handle) {
                $bytes::publish(self, handle);
            }

            #[inline]
            fn heal(&self, handle: &Handle) {
                $bytes::heal(self, handle);
            }

            fn adopt(&self, handle: &mut Handle, high_water: usize) {
                $bytes::adopt(self, handle, high_water);
            }
        }
    };
}
pub(crate) use container;

/// Equality with another one, and with the collection inside, where that has it.
macro_rules! equality_traits {
    ([$($generics:tt)*] $tracked:ty, $inner:ty) => {
        impl<$($generics)*> PartialEq for $tracked
        where
            $inner: PartialEq,
        {
            fn eq(&self, other: &Self) -> bool {
                self.0.read() == other.0.read()
            }
        }

        impl<$($generics)*> PartialEq<$inner> for $tracked
        where
            $inner: PartialEq,
        {
            fn eq(&self, other: &$inner) -> bool {
                self.0.read() == other
            }
        }

        impl<$($generics)*> Eq for $tracked where $inner: Eq {}
    };
}
pub(crate) use equality_traits;

/// Iteration over a map whose values the program may change.
macro_rules! iter_mut_trait {
    ([$($generics:tt)*] $tracked:ty, $inner:ty) => {
        impl<'a, $($generics)*> IntoIterator for &'a mut $tracked {
            type Item = <&'a mut $inner as IntoIterator>::Item;
            type IntoIter = <&'a mut $inner as IntoIterator>::IntoIter;

            fn into_iter(self) -> Self::IntoIter {
                self.iter_mut()
            }
        }
    };
}
pub(crate) use iter_mut_trait;

/// What takes a hasher by default.
macro_rules! hashed_traits {
    ($tracked:ident<$key:ident $(, $value:ident)?>, $item:ty) => {
        impl<$key, $($value,)? S: Default> Default for $tracked<$key, $($value,)? S> {
            #[track_caller]
            fn default() -> Self {
                Self::with_hasher(S::default())
            }
        }

        impl<$key, $($value,)? S> FromIterator<$item> for $tracked<$key, $($value,)? S>
        where
            $key: Eq + Hash,
            S: BuildHasher + Default,
        {
            #[track_caller]
            fn from_iter<I: IntoIterator<Item = $item>>(iter: I) -> Self {
                let mut collection = Self::default();
                collection.extend(iter);
                collection
            }
        }

        impl<$key: Eq + Hash, $($value,)? const N: usize> From<[$item; N]>
            for $tracked<$key $(, $value)?>
        {
            #[track_caller]
            fn from(items: [$item; N]) -> Self {
                let mut collection = Self::new();
                collection.extend(items);
                collection
            }
        }
    };
}
pub(crate) use hashed_traits;

/// The operators of sets: as the collection's own, with a new set in the group of
/// the caller's place in the source.
macro_rules! set_operators {
    ([$($generics:tt)*] $tracked:ty) => {
        set_operators!(BitOr, bitor, [$($generics)*] $tracked);
        set_operators!(BitAnd, bitand, [$($generics)*] $tracked);
        set_operators!(BitXor, bitxor, [$($generics)*] $tracked);
        set_operators!(Sub, sub, [$($generics)*] $tracked);
    };
    ($operator:ident, $method:ident, [$($generics:tt)*] $tracked:ty) => {
        impl<$($generics)*> std::ops::$operator<&$tracked> for &$tracked {
            type Output = $tracked;

            #[track_caller]
            fn $method(self, other: &$tracked) -> $tracked {
                <$tracked>::from_inner(self.0.read().$method(other.0.read()))
            }
        }
    };
}
pub(crate) use set_operators;
