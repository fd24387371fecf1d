//! std's collections.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};

use super::MapMetrics;
use super::tables::tables;
use crate::table_bytes::{self, Swiss};

/// A contiguous buffer. Exact.
macro_rules! buffers {
    ($($container:ident $(: $bound:ident)?),*) => {$(
        impl<T $(: $bound)?> MapMetrics for $container<T> {
            fn entries(&self) -> Option<u64> {
                Some(self.len() as u64)
            }

            fn capacity(&self) -> Option<u64> {
                // Without a size they have room for anything, and no buffer.
                let has_buffer = size_of::<T>() > 0;
                Some(if has_buffer { self.capacity() } else { self.len() } as u64)
            }

            fn table_bytes(&self) -> Option<u64> {
                Some((self.capacity() as u64).saturating_mul(size_of::<T>() as u64))
            }
        }
    )*};
}

buffers!(Vec, VecDeque, BinaryHeap: Ord);

tables! {
    "Bytes are exact while no entry was removed, and a lower bound then: see \
     [`TrackedHashMap`](crate::TrackedHashMap), which always knows them.";
    [K, V, S] HashMap<K, V, S>:
        |map| Swiss::holding::<(K, V)>(map.capacity()).bytes::<(K, V)>();
    [T, S] HashSet<T, S>:
        |set| Swiss::holding::<T>(set.capacity()).bytes::<T>();
}

/// Bytes are estimated from the size of the nodes, as if the inserts had come in
/// random order: at most 30 % too low after others, and 60 % too high where all
/// entries came sorted and at once.
impl<K, V> MapMetrics for BTreeMap<K, V> {
    fn entries(&self) -> Option<u64> {
        Some(self.len() as u64)
    }

    fn table_bytes(&self) -> Option<u64> {
        Some(table_bytes::btree::<K, V>(self.len()))
    }
}

/// As for [`BTreeMap`].
impl<T> MapMetrics for BTreeSet<T> {
    fn entries(&self) -> Option<u64> {
        Some(self.len() as u64)
    }

    fn table_bytes(&self) -> Option<u64> {
        Some(table_bytes::btree::<T, ()>(self.len()))
    }
}

/// Exact: a node is an element and two pointers.
impl<T> MapMetrics for LinkedList<T> {
    fn entries(&self) -> Option<u64> {
        Some(self.len() as u64)
    }

    fn table_bytes(&self) -> Option<u64> {
        let node = size_of::<(usize, usize, T)>() as u64;
        Some((self.len() as u64).saturating_mul(node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_tell_their_capacity_in_bytes() {
        let numbers: Vec<u32> = Vec::with_capacity(10);
        assert_eq!(numbers.capacity(), 10);
        let figures = numbers.figures().expect("never busy");
        assert_eq!(figures.entries, Some(0));
        assert_eq!(
            (figures.capacity, figures.table_bytes),
            (Some(10), Some(40))
        );
        assert_eq!(
            MapMetrics::capacity(&vec![(), ()]),
            Some(2),
            "not as many as there are numbers"
        );
    }

    #[test]
    fn nodes_are_counted_without_a_capacity() {
        let list: LinkedList<u64> = (0..3).collect();
        assert_eq!((list.table_bytes(), list.capacity()), (Some(3 * 24), None));
        let tree: BTreeSet<u64> = (0..3).collect();
        assert_eq!(tree.entries(), Some(3));
        assert!(tree.table_bytes() > Some(0));
    }
}
