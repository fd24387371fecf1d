//! indexmap's entries are a vector, and a hash table of places in it.

use ::indexmap::{IndexMap, IndexSet};

use crate::map_metrics::MapMetrics;
use crate::table_bytes::Swiss;

/// Bytes of a map or set with entries of type `E`, by its capacity: that of the
/// smaller of the two parts, so that the other may be larger.
pub(crate) fn bytes<E>(capacity: usize) -> u64 {
    let entries = (capacity as u64).saturating_mul(size_of::<(usize, E)>() as u64);
    let table = Swiss::holding::<usize>(capacity);
    entries.saturating_add(table.bytes::<usize>())
}

macro_rules! tables {
    ($($container:ty, ($($parameter:ident),*), $entry:ty;)*) => {$(
        /// Bytes are a lower bound, since only the smaller of the vector and the
        /// table can be asked for its capacity. A few nanoseconds.
        impl<$($parameter,)* S> MapMetrics for $container {
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
                Some(bytes::<$entry>(self.capacity()))
            }
        }
    )*};
}

tables! {
    IndexMap<K, V, S>, (K, V), (K, V);
    IndexSet<T, S>, (T), T;
}
