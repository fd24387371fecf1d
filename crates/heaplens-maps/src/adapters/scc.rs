//! scc counts entries by going over all buckets: 42 µs for a million of them,
//! and more for more. So it is asked for its capacity only, and the entries are
//! unknown. The capacity follows them within a factor of eight: a table doubles
//! when it is 13/16 full, and shrinks below 1/8.
//!
//! Who wants the entries and can wait for them writes
//! `probe_with("name", &map, |map| Some(Figures::of_entries(map.len() as u64)))`.

use std::hash::{BuildHasher, Hash};

use ::scc::{HashCache, HashIndex, HashMap, HashSet};

use crate::map_metrics::MapMetrics;

/// Slots of a bucket.
const SLOTS: u64 = 32;

/// What a bucket takes beside its entries: lengths, lock, bitmaps, partial
/// hashes, a link, and for caches the order of use.
const BUCKET: u64 = 64;
const LRU_BUCKET: u64 = 128;

/// Buckets, and an array of keys and one of values for each. Buckets that
/// overflow and the former table during a move are not in it.
fn bytes<K, V>(capacity: usize, bucket: u64) -> u64 {
    let entry = (size_of::<K>() + size_of::<V>()) as u64;
    let buckets = capacity as u64 / SLOTS;
    buckets.saturating_mul(bucket + SLOTS.saturating_mul(entry))
}

macro_rules! tables {
    ($($container:ty, ($($parameter:ident),*), $value:ty, $bucket:expr, {$($more:tt)*};)*) => {$(
        /// The capacity, in some nanoseconds, and from it the table's bytes: at
        /// most 15 % too low but while it grows. Entries are not told: counting
        /// them takes time in proportion to their number.
        impl<$($parameter,)* H> MapMetrics for $container
        where
            K: Eq + Hash,
            H: BuildHasher,
        {
            fn entries(&self) -> Option<u64> {
                None
            }

            fn capacity(&self) -> Option<u64> {
                Some(self.capacity() as u64)
            }

            fn table_bytes(&self) -> Option<u64> {
                Some(bytes::<K, $value>(self.capacity(), $bucket))
            }

            $($more)*
        }
    )*};
}

tables! {
    HashMap<K, V, H>, (K, V), V, BUCKET, {};
    HashIndex<K, V, H>, (K, V), V, BUCKET, {};
    HashSet<K, H>, (K), (), BUCKET, {};
    HashCache<K, V, H>, (K, V), V, LRU_BUCKET, {
        /// It evicts at its bound.
        fn max_entries(&self) -> Option<u64> {
            Some(*self.capacity_range().end() as u64)
        }
    };
}
