//! How many bytes a map's own table takes, from what its interface tells.
//!
//! Sources: the layout code of hashbrown 0.15 to 0.17 (std's `HashMap` is built
//! on it), and the nodes of std's B-tree. A test holds both against what an
//! allocator was really asked for.

/// Control bytes that are searched at once, which a table has after its last
/// bucket once more.
const GROUP: usize = if cfg!(all(
    any(target_arch = "x86", target_arch = "x86_64"),
    target_feature = "sse2",
    not(miri)
)) {
    16
} else {
    8
};

/// A table of a `SwissTable` map with entries of type `T`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Swiss {
    /// Places for entries and control bytes: 0 or a power of two.
    pub(crate) buckets: usize,
}

impl Swiss {
    /// The table that is made for `capacity` entries of type `T`. Exact if
    /// `capacity` is the largest that the map has shown since it got the table.
    pub(crate) fn holding<T>(capacity: usize) -> Swiss {
        let smallest = const { Swiss::smallest::<T>().capacity() };
        let buckets = match capacity {
            0 => 0,
            1..15 => match capacity.max(smallest) {
                ..4 => 4,
                4..8 => 8,
                _ => 16,
            },
            _ => (capacity.saturating_mul(8) / 7)
                .checked_next_power_of_two()
                .unwrap_or(0),
        };
        Swiss { buckets }
    }

    /// The table that is made for one entry.
    pub(crate) const fn smallest<T>() -> Swiss {
        let buckets = match (GROUP, size_of::<T>()) {
            (16, 0..=1) => 16,
            (16, 2..=3) | (8, 0..=1) => 8,
            _ => 4,
        };
        Swiss { buckets }
    }

    /// The table that takes so many bytes.
    #[cfg(any(test, feature = "hashbrown"))]
    pub(crate) fn of_bytes<T>(bytes: u64) -> Swiss {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        // What is left besides the buckets is less than a bucket each.
        let most = bytes.saturating_sub(GROUP) / (size_of::<T>() + 1);
        let buckets = match most {
            0 => 0,
            most => 1 << most.ilog2(),
        };
        Swiss { buckets }
    }

    /// Entries that it holds without tombstones.
    pub(crate) const fn capacity(self) -> usize {
        match self.buckets {
            buckets @ ..=8 => buckets.saturating_sub(1),
            buckets => buckets / 8 * 7,
        }
    }

    /// Where its control bytes begin, in bytes from the start of the block.
    pub(crate) const fn control_offset<T>(self) -> usize {
        let align = if align_of::<T>() > GROUP {
            align_of::<T>()
        } else {
            GROUP
        };
        let entries = self.buckets.saturating_mul(size_of::<T>());
        match entries.checked_next_multiple_of(align) {
            Some(offset) => offset,
            None => usize::MAX,
        }
    }

    /// Bytes that were asked of the allocator for it.
    #[inline]
    pub(crate) fn bytes<T>(self) -> u64 {
        // The first tables of a map, known when it is compiled.
        match self.buckets {
            0 => 0,
            4 => const { Swiss { buckets: 4 }.layout::<T>() },
            8 => const { Swiss { buckets: 8 }.layout::<T>() },
            _ => self.layout::<T>(),
        }
    }

    pub(crate) const fn layout<T>(self) -> u64 {
        let control = self.buckets + GROUP;
        self.control_offset::<T>().saturating_add(control) as u64
    }
}

/// Most entries of a B-tree node.
const NODE_CAPACITY: usize = 11;

/// Estimates the nodes of a `BTreeMap<K, V>` of `len` entries.
///
/// A leaf has eleven places, a link to its parent and two 16-bit numbers; an
/// inner node has twelve links besides. How full nodes are depends on the order
/// of the inserts: 6 of 11 places when keys came in order, 7.6 (ln 2) on
/// average when at random, 11 in a tree that was built at once. Random order is
/// taken. There the figure is within 5 % of the truth; it is 18 to 30 % too low
/// where keys came in order, 40 to 60 % too high where the tree was built at
/// once, and up to 45 % too low where removals have left five entries a node. A
/// tree that was emptied may keep one node, of which nothing is known.
#[inline]
pub(crate) fn btree<K, V>(len: usize) -> u64 {
    let nodes = const { BtreeNodes::of::<K, V>() };
    match len {
        0 => 0,
        1..=NODE_CAPACITY => nodes.leaf,
        // Of every mutation, so without floats.
        _ => (len as u64).saturating_mul(nodes.per_entry) / FRACTION,
    }
}

/// Parts of a byte that the estimate of an entry is rounded to.
const FRACTION: u64 = 64;

struct BtreeNodes {
    leaf: u64,
    /// Of so many parts of a byte.
    per_entry: u64,
}

impl BtreeNodes {
    const fn of<K, V>() -> Self {
        let places = NODE_CAPACITY * (size_of::<K>() + size_of::<V>());
        let mut align = align_of::<usize>();
        if align_of::<K>() > align {
            align = align_of::<K>();
        }
        if align_of::<V>() > align {
            align = align_of::<V>();
        }
        let leaf = (places + size_of::<usize>() + 4).next_multiple_of(align);
        let inner = leaf + (NODE_CAPACITY + 1) * size_of::<usize>();
        // Of f entries a node each, one in f + 1 lies in an inner node.
        let fill = NODE_CAPACITY as f64 * std::f64::consts::LN_2;
        let leaves = 1.0 / (fill + 1.0);
        let inners = leaves / fill;
        let bytes = leaves * leaf as f64 + inners * inner as f64;
        BtreeNodes {
            leaf: leaf as u64,
            per_entry: (bytes * FRACTION as f64) as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    fn tables_as_they_were_measured() {
        for (capacity, buckets, bytes) in [
            (0, 0, 0),
            (3, 4, 4 * 16 + 4 + 16),
            (7, 8, 8 * 16 + 8 + 16),
            (14, 16, 16 * 16 + 16 + 16),
            (15, 32, 32 * 16 + 32 + 16),
            (28, 32, 32 * 16 + 32 + 16),
            (114_688, 131_072, 2_228_240),
            (1_835_008, 2_097_152, 35_651_600),
        ] {
            let table = Swiss::holding::<(u64, u64)>(capacity);
            assert_eq!(
                (table.buckets, table.bytes::<(u64, u64)>()),
                (buckets, bytes)
            );
        }
    }

    #[test]
    fn a_table_holds_what_it_was_made_for() {
        for capacity in 1..5000 {
            let table = Swiss::holding::<u64>(capacity);
            assert!(table.capacity() >= capacity);
            assert_eq!(Swiss::holding::<u64>(table.capacity()), table);
            assert_eq!(Swiss::of_bytes::<u64>(table.bytes::<u64>()), table);
            let wide = Swiss::holding::<[u64; 9]>(capacity);
            assert_eq!(Swiss::of_bytes::<[u64; 9]>(wide.bytes::<[u64; 9]>()), wide);
            let narrow = Swiss::holding::<()>(capacity);
            assert_eq!(Swiss::of_bytes::<()>(narrow.bytes::<()>()), narrow);
            let odd = Swiss::holding::<[u8; 3]>(capacity);
            assert_eq!(Swiss::of_bytes::<[u8; 3]>(odd.bytes::<[u8; 3]>()), odd);
        }
        assert_eq!(Swiss::holding::<u8>(1).buckets, 16);
    }

    #[test]
    fn absurd_sizes_do_not_overflow() {
        let table = Swiss::holding::<[u64; 64]>(usize::MAX);
        let _ = table.bytes::<[u64; 64]>();
        let _ = btree::<[u8; 4096], u8>(usize::MAX);
    }
}
