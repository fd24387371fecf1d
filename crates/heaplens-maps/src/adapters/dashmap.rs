//! dashmap's shards are looked at one by one, each if nobody writes to it.
//!
//! `DashMap::len` would wait, and for ever if the thread that takes the report
//! holds a reference into the map.

use std::hash::{BuildHasher, Hash};

use ::dashmap::{DashMap, DashSet};

use crate::map_metrics::{Figures, MapMetrics};
use crate::table_bytes::Swiss;

/// Attempts at a shard before the map counts as busy: longer than an insert
/// takes.
const ATTEMPTS: usize = 64;

/// Exact, at some 5 ns a shard; the array of the shards is not in the bytes. A
/// map of which some shard stays locked tells nothing new.
macro_rules! sharded {
    ($container:ty, $($parameter:ident),*) => {
        impl<$($parameter,)* S> MapMetrics for $container
        where
            K: Eq + Hash,
            S: BuildHasher + Clone,
        {
            fn entries(&self) -> Option<u64> {
                self.figures()?.entries
            }

            fn capacity(&self) -> Option<u64> {
                self.figures()?.capacity
            }

            fn table_bytes(&self) -> Option<u64> {
                self.figures()?.table_bytes
            }

            fn hold_still(&self, f: &mut dyn FnMut()) -> bool {
                let shards = self.shards().iter();
                let held: Option<Vec<_>> = shards
                    .map(|shard| {
                        (0..ATTEMPTS).find_map(|_| {
                            std::hint::spin_loop();
                            shard.try_read()
                        })
                    })
                    .collect();
                held.is_some_and(|_held| {
                    f();
                    true
                })
            }

            fn figures(&self) -> Option<Figures> {
                let (mut entries, mut capacity, mut bytes) = (0, 0, 0);
                for shard in self.shards() {
                    let table = (0..ATTEMPTS).find_map(|_| {
                        std::hint::spin_loop();
                        shard.try_read()
                    })?;
                    let size = table.allocation_info().1.size();
                    if size > 0 {
                        let buckets = table.buckets();
                        capacity += Swiss { buckets }.capacity() as u64;
                    }
                    entries += table.len() as u64;
                    bytes += size as u64;
                }
                Some(Figures {
                    entries: Some(entries),
                    capacity: Some(capacity),
                    table_bytes: Some(bytes),
                    ..Figures::default()
                })
            }
        }
    };
}

sharded!(DashMap<K, V, S>, K, V);
sharded!(DashSet<K, S>, K);
