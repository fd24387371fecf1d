//! Containers that are hash tables, or have one.

/// Tables in which removed entries may take up capacity: what they say of
/// themselves, and their bytes as given.
macro_rules! tables {
    ($doc:literal; $([$($generics:tt)*] $table:ty: $bytes:expr;)*) => {$(
        #[doc = $doc]
        impl<$($generics)*> $crate::MapMetrics for $table {
            fn entries(&self) -> Option<u64> {
                Some(self.len() as u64)
            }

            fn capacity(&self) -> Option<u64> {
                Some(self.capacity() as u64)
            }

            fn capacity_is_exact(&self) -> bool {
                false
            }

            fn table_bytes(&self) -> Option<u64> {
                let bytes: fn(&Self) -> u64 = $bytes;
                Some(bytes(self))
            }
        }
    )*};
}

pub(crate) use tables;
