//! papaya keeps its length, and nothing else, where it can be read.

use std::hash::{BuildHasher, Hash};

use ::papaya::{HashMap, HashSet};

use crate::map_metrics::MapMetrics;

/// About a nanosecond. The capacity and the bytes of the table are not told.
impl<K: Eq + Hash, V, S: BuildHasher> MapMetrics for HashMap<K, V, S> {
    fn entries(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}

/// As for [`HashMap`].
impl<K: Eq + Hash, S: BuildHasher> MapMetrics for HashSet<K, S> {
    fn entries(&self) -> Option<u64> {
        Some(self.len() as u64)
    }
}
