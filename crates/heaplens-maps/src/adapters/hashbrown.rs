//! hashbrown tells the bytes of its tables.

use std::hash::{BuildHasher, Hash};

use ::hashbrown::{HashMap, HashSet, HashTable};

use crate::map_metrics::tables;

tables! {
    "Bytes are exact; the capacity is a lower bound while entries were removed. A few \
     nanoseconds.";
    [K: Eq + Hash, V, S: BuildHasher] HashMap<K, V, S>: |map| map.allocation_size() as u64;
    [T: Eq + Hash, S: BuildHasher] HashSet<T, S>: |set| set.allocation_size() as u64;
    [T] HashTable<T>: |table| table.allocation_size() as u64;
}
