//! hashbrown tells the bytes of its tables.

use std::hash::{BuildHasher, Hash};

use ::hashbrown::{HashMap, HashSet, HashTable};

use crate::map_metrics::MapMetrics;

macro_rules! tables {
    ($($container:ty, ($($parameter:ident $(: $bound:ident $(+ $more:ident)?)?),*);)*) => {$(
        /// Bytes are exact; the capacity is a lower bound while entries were
        /// removed. A few nanoseconds.
        impl<$($parameter $(: $bound $(+ $more)?)?),*> MapMetrics for $container {
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
                Some(self.allocation_size() as u64)
            }
        }
    )*};
}

tables! {
    HashMap<K, V, S>, (K: Eq + Hash, V, S: BuildHasher);
    HashSet<T, S>, (T: Eq + Hash, S: BuildHasher);
    HashTable<T>, (T);
}
