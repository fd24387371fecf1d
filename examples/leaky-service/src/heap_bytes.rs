//! The service's own truth: the bytes that a value has requested from the
//! allocator, computed from lengths and capacities.

use std::alloc::Layout;
use std::collections::{HashMap, VecDeque};
use std::mem::{align_of, size_of};

/// Bytes requested from the allocator by what a value owns, itself excluded.
pub(crate) trait HeapBytes {
    fn heap_bytes(&self) -> usize;
}

impl HeapBytes for String {
    fn heap_bytes(&self) -> usize {
        self.capacity()
    }
}

impl HeapBytes for Box<str> {
    fn heap_bytes(&self) -> usize {
        self.len()
    }
}

impl HeapBytes for Box<[u64]> {
    fn heap_bytes(&self) -> usize {
        size_of_val::<[u64]>(self)
    }
}

impl<T: HeapBytes> HeapBytes for Vec<T> {
    fn heap_bytes(&self) -> usize {
        vec_bytes(self) + self.iter().map(HeapBytes::heap_bytes).sum::<usize>()
    }
}

/// The buffer of a vector whose elements own nothing on the heap.
pub(crate) fn vec_bytes<T>(vec: &Vec<T>) -> usize {
    vec.capacity() * size_of::<T>()
}

/// The buffer of a queue whose elements own nothing on the heap.
pub(crate) fn queue_bytes<T>(queue: &VecDeque<T>) -> usize {
    queue.capacity() * size_of::<T>()
}

/// The one allocation of an `Arc<T>`: two counts and the value.
pub(crate) fn arc_bytes<T>() -> usize {
    Layout::new::<[usize; 2]>()
        .extend(Layout::new::<T>())
        .map_or(0, |(layout, _)| layout.pad_to_align().size())
}

/// The size of a hash map's table.
///
/// `capacity()` falls when an entry is removed and its place cannot be used
/// again at once, while the table stays as it is. So the largest capacity seen
/// since the map was made is what tells the number of buckets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TableMark {
    capacity: usize,
}

impl TableMark {
    /// To be called after every insertion.
    pub(crate) fn observe<K, V>(&mut self, map: &HashMap<K, V>) {
        self.capacity = self.capacity.max(map.capacity());
    }

    /// Bytes of the table of the map observed.
    pub(crate) fn bytes<K, V>(self, _map: &HashMap<K, V>) -> usize {
        table_bytes::<K, V>(self.capacity)
    }
}

/// Bytes of the table of a map from which nothing was ever removed.
pub(crate) fn grown_table_bytes<K, V>(map: &HashMap<K, V>) -> usize {
    table_bytes::<K, V>(map.capacity())
}

/// Control bytes that are searched at once, which the table has after its last
/// bucket once more.
const GROUP: usize = if cfg!(all(
    any(target_arch = "x86", target_arch = "x86_64"),
    target_feature = "sse2"
)) {
    16
} else {
    8
};

/// The allocation behind `std::collections::HashMap`: the buckets, padded to a
/// group, then a control byte for each bucket and one group more.
fn table_bytes<K, V>(capacity: usize) -> usize {
    // Smaller entries have a larger smallest table.
    const { assert!(size_of::<(K, V)>() >= 4) };
    let buckets = match capacity {
        0 => return 0,
        1..4 => 4,
        4..8 => 8,
        8..15 => 16,
        _ => (capacity * 8).div_ceil(7).next_power_of_two(),
    };
    let entries = buckets * size_of::<(K, V)>();
    entries.next_multiple_of(align_of::<(K, V)>().max(GROUP)) + buckets + GROUP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_arch = "x86_64", target_feature = "sse2"))]
    fn table_sizes_measured_on_a_live_allocator() {
        // 131,072 and 2,097,152 buckets of 16 bytes.
        assert_eq!(table_bytes::<u64, u64>(114_688), 2_228_240);
        assert_eq!(table_bytes::<u64, u64>(1_835_008), 35_651_600);
        assert_eq!(table_bytes::<u64, u64>(0), 0);
        assert_eq!(table_bytes::<u64, u64>(3), 4 * 16 + 4 + 16);
    }

    #[test]
    fn a_removal_does_not_lower_the_mark() {
        let mut map = HashMap::new();
        let mut mark = TableMark::default();
        for key in 0..1000_u64 {
            map.insert(key, key);
            mark.observe(&map);
        }
        let full = mark.bytes(&map);
        for key in 0..1000_u64 {
            map.remove(&key);
            mark.observe(&map);
        }
        assert_eq!(mark.bytes(&map), full);
        assert_eq!(
            full,
            grown_table_bytes(&(0..1000_u64).map(|k| (k, k)).collect::<HashMap<_, _>>())
        );
    }

    #[test]
    fn an_arc_is_two_counts_and_the_value() {
        #[repr(align(64))]
        struct Aligned {
            _value: u8,
        }
        assert_eq!(arc_bytes::<u64>(), 2 * size_of::<usize>() + 8);
        assert_eq!(arc_bytes::<Aligned>(), 128);
    }
}
