//! indexmap's entries are a vector, and a hash table of places in it.

use ::indexmap::{IndexMap, IndexSet};

use crate::map_metrics::tables;
use crate::table_bytes::Swiss;

/// Bytes of a map or set with entries of type `E`, by its capacity: that of the
/// smaller of the two parts, so that the other may be larger.
pub(crate) fn bytes<E>(capacity: usize) -> u64 {
    let entries = (capacity as u64).saturating_mul(size_of::<(usize, E)>() as u64);
    let table = Swiss::holding::<usize>(capacity);
    entries.saturating_add(table.bytes::<usize>())
}

tables! {
    "Bytes are a lower bound, since only the smaller of the vector and the table can be asked \
     for its capacity. A few nanoseconds.";
    [K, V, S] IndexMap<K, V, S>: |map| bytes::<(K, V)>(map.capacity());
    [T, S] IndexSet<T, S>: |set| bytes::<T>(set.capacity());
}
