//! How a tracked collection with a hasher is made.

/// `constructors!([K, V] TrackedHashMap, HashMap, RandomState)`
macro_rules! constructors {
    ([$($item:ident),+] $tracked:ident, $inner:ident, $hasher:ty) => {
        impl<$($item),+> $tracked<$($item,)+ $hasher> {
            #[doc = concat!("As [`", stringify!($inner), "::new`], in the group of the caller's place in the source.")]
            #[must_use]
            #[track_caller]
            pub fn new() -> Self {
                Self::with_hasher(<$hasher>::default())
            }

            /// An empty one of the group `name`. As [`Group::named`], except that
            /// a known name costs no lock.
            #[must_use]
            pub fn named(name: &'static str) -> Self {
                Self::named_with_hasher(name, <$hasher>::default())
            }

            /// An empty one of a group.
            #[must_use]
            pub fn in_group(group: Group) -> Self {
                let inner = $inner::with_hasher(<$hasher>::default());
                Self(Watched::new(inner, Handle::in_group(group)))
            }

            #[doc = concat!("As [`", stringify!($inner), "::with_capacity`], in the group of the caller's place in the source.")]
            #[must_use]
            #[track_caller]
            pub fn with_capacity(capacity: usize) -> Self {
                Self::with_capacity_and_hasher(capacity, <$hasher>::default())
            }
        }

        impl<$($item,)+ S> $tracked<$($item,)+ S> {
            #[doc = concat!("As [`", stringify!($inner), "::with_hasher`]: constant, for statics. In the group of the caller's place in the source.")]
            #[must_use]
            #[track_caller]
            pub const fn with_hasher(hash_builder: S) -> Self {
                let inner = $inner::with_hasher(hash_builder);
                Self(Watched::new(inner, Handle::here()))
            }

            #[doc = concat!("As [`", stringify!($tracked), "::named`], with a hasher; constant.")]
            #[must_use]
            pub const fn named_with_hasher(name: &'static str, hash_builder: S) -> Self {
                let inner = $inner::with_hasher(hash_builder);
                Self(Watched::new(inner, Handle::new(Origin::Name(name))))
            }

            #[doc = concat!("As [`", stringify!($inner), "::with_capacity_and_hasher`], in the group of the caller's place in the source.")]
            #[must_use]
            #[track_caller]
            pub fn with_capacity_and_hasher(capacity: usize, hash_builder: S) -> Self {
                Self::from_inner($inner::with_capacity_and_hasher(capacity, hash_builder))
            }
        }
    };
}
pub(crate) use constructors;
