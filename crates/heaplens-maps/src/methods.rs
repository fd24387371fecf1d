//! Methods that collections of one kind have alike, for use within an `impl`.

/// `retain` of a map: what is not kept is released.
macro_rules! retain_entries {
    ($inner:ident) => {
        #[doc = concat!("As [`", stringify!($inner), "::retain`].")]
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
    };
}
pub(crate) use retain_entries;

/// `retain` of a set.
macro_rules! retain_values {
    ($inner:ident) => {
        #[doc = concat!("As [`", stringify!($inner), "::retain`].")]
        pub fn retain<F>(&mut self, mut f: F)
        where
            F: FnMut(&T) -> bool,
        {
            self.0.settle();
            self.0.change(|set, handle| {
                set.retain(|value| {
                    let keep = f(value);
                    if !keep {
                        handle.release(value);
                    }
                    keep
                });
            });
        }
    };
}
pub(crate) use retain_values;

/// Of maps: what takes their keys or values, or lends all values to be changed.
macro_rules! map_methods {
    ($inner:ident) => {
        #[doc = concat!("As [`", stringify!($inner), "::into_keys`].")]
        pub fn into_keys(self) -> IntoKeys<K, V> {
            self.into_inner().into_keys()
        }

        #[doc = concat!("As [`", stringify!($inner), "::into_values`].")]
        pub fn into_values(self) -> IntoValues<K, V> {
            self.into_inner().into_values()
        }

        #[doc = concat!("As [`", stringify!($inner), "::values_mut`].")]
        pub fn values_mut(&mut self) -> ValuesMut<'_, K, V> {
            self.0.expose_values().values_mut()
        }

        #[doc = concat!("As [`", stringify!($inner), "::iter_mut`].")]
        pub fn iter_mut(&mut self) -> IterMut<'_, K, V> {
            self.0.expose_values().iter_mut()
        }
    };
}
pub(crate) use map_methods;

/// Of maps on a `SwissTable`: what takes entries out.
macro_rules! swiss_map_methods {
    ($inner:ident) => {
        #[doc = concat!("As [`", stringify!($inner), "::drain`]. All entries count as removed at once.")]
        pub fn drain(&mut self) -> Drain<'_, K, V> {
            let (map, table) = self.0.drain();
            Drain::new(map.drain(), table)
        }

        #[doc = concat!("As [`", stringify!($inner), "::extract_if`].")]
        pub fn extract_if<F>(&mut self, pred: F) -> ExtractIf<'_, K, V, F>
        where
            F: FnMut(&K, &mut V) -> bool,
        {
            let (map, taking) = self.0.extract();
            ExtractIf::new(map.extract_if(pred), taking)
        }

        $crate::methods::retain_entries!($inner);

        #[doc = concat!("As [`", stringify!($inner), "::clear`].")]
        pub fn clear(&mut self) {
            self.0.clear($inner::clear);
        }
    };
}
pub(crate) use swiss_map_methods;

/// Of maps and sets on a `SwissTable`: the size of the table.
macro_rules! swiss_table_methods {
    ($inner:ident) => {
        /// Lets the table shrink by itself when it is at most 1/8 full, with
        /// hysteresis, never below what was reserved. The move takes some 50 ns
        /// an entry that is left, within the `insert`, `entry` or `remove` that
        /// finds the table so.
        #[must_use]
        pub fn auto_shrink(mut self, on: bool) -> Self {
            self.0.set_auto_shrink(on);
            self
        }

        #[inline]
        fn shrink_if_due(&mut self) {
            if self.0.handle.may_shrink() {
                self.0.shrink_if_due($inner::shrink_to);
            }
        }

        #[doc = concat!("As [`", stringify!($inner), "::shrink_to_fit`].")]
        pub fn shrink_to_fit(&mut self) {
            self.0.shrink(0, false, $inner::shrink_to);
        }

        #[doc = concat!("As [`", stringify!($inner), "::shrink_to`].")]
        pub fn shrink_to(&mut self, min_capacity: usize) {
            self.0.shrink(min_capacity, false, $inner::shrink_to);
        }

        #[doc = concat!("As [`", stringify!($inner), "::reserve`].")]
        ///
        /// # Panics
        /// If the new size overflows `usize`, as the collection's own.
        pub fn reserve(&mut self, additional: usize) {
            self.0.change(|inner, _| inner.reserve(additional));
            self.0.reserved(additional);
        }

        #[doc = concat!("As [`", stringify!($inner), "::try_reserve`].")]
        ///
        /// # Errors
        /// If the capacity overflows, or the allocator has no memory.
        pub fn try_reserve(&mut self, additional: usize) -> Result<(), TryReserveError> {
            self.0.change(|inner, _| inner.try_reserve(additional))?;
            self.0.reserved(additional);
            Ok(())
        }
    };
}
pub(crate) use swiss_table_methods;
