//! Iterators that take entries out of a collection and publish that.

/// A `Drain` over a `SwissTable`:
/// `drain!(hash_map::Drain<K, V>, (K, V))`.
macro_rules! drain {
    ($module:ident::Drain<$($item:ident),+>, $entry:ty) => {
        #[doc = concat!("As [`", stringify!($module), "::Drain`].")]
        pub struct Drain<'a, $($item),+> {
            inner: $module::Drain<'a, $($item),+>,
            /// After `inner`, which puts the table back when it is dropped.
            _table: Lent<'a>,
        }

        impl<'a, $($item),+> Drain<'a, $($item),+> {
            pub(super) fn new(inner: $module::Drain<'a, $($item),+>, table: Lent<'a>) -> Self {
                Drain {
                    inner,
                    _table: table,
                }
            }
        }

        impl<$($item),+> Iterator for Drain<'_, $($item),+> {
            type Item = $entry;

            #[inline]
            fn next(&mut self) -> Option<$entry> {
                self.inner.next()
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.inner.size_hint()
            }

            fn fold<B, F: FnMut(B, $entry) -> B>(self, init: B, f: F) -> B {
                self.inner.fold(init, f)
            }
        }

        impl<$($item),+> ExactSizeIterator for Drain<'_, $($item),+> {}
        impl<$($item),+> FusedIterator for Drain<'_, $($item),+> {}

        impl<$($item: fmt::Debug),+> fmt::Debug for Drain<'_, $($item),+> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.inner.fmt(f)
            }
        }
    };
}
pub(crate) use drain;

/// An `ExtractIf`:
/// `extract_if!(hash_map::ExtractIf<K, V> if FnMut(&K, &mut V), (K, V), Taking, (key, value) => key, value)`,
/// where `Taking` publishes, and what the pattern finds in an entry is released.
macro_rules! extract_if {
    (
        $module:ident::ExtractIf<$($item:ident),+> if FnMut($($seen:ty),+),
        $entry:ty, $taking:ident, $pattern:pat => $($part:ident),+
    ) => {
        #[doc = concat!("As [`", stringify!($module), "::ExtractIf`]; publishes each entry that it takes out.")]
        #[must_use = "iterators are lazy and do nothing unless consumed"]
        pub struct ExtractIf<'a, $($item,)+ F> {
            inner: $module::ExtractIf<'a, $($item,)+ F>,
            taking: $taking<'a>,
        }

        impl<'a, $($item,)+ F> ExtractIf<'a, $($item,)+ F> {
            pub(super) fn new(
                inner: $module::ExtractIf<'a, $($item,)+ F>,
                taking: $taking<'a>,
            ) -> Self {
                ExtractIf { inner, taking }
            }
        }

        impl<$($item,)+ F> Iterator for ExtractIf<'_, $($item,)+ F>
        where
            F: FnMut($($seen),+) -> bool,
        {
            type Item = $entry;

            fn next(&mut self) -> Option<$entry> {
                let entry = self.inner.next()?;
                self.taking.took();
                let $pattern = &entry;
                $(self.taking.release($part);)+
                Some(entry)
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.inner.size_hint()
            }
        }

        impl<$($item,)+ F> FusedIterator for ExtractIf<'_, $($item,)+ F> where
            F: FnMut($($seen),+) -> bool
        {
        }

        impl<$($item: fmt::Debug,)+ F> fmt::Debug for ExtractIf<'_, $($item,)+ F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("ExtractIf").finish_non_exhaustive()
            }
        }
    };
}
pub(crate) use extract_if;
