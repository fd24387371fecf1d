//! A hash map that grows and is drained, with values that own memory.

use super::{Job, Work, on_each_thread};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::hint::black_box;

/// Entries of a full map.
const ENTRIES: u64 = 20_000;

/// std's hasher with the same keys in each run.
pub(super) type Fixed = BuildHasherDefault<DefaultHasher>;

/// A unit is a map that grows from nothing to 20,000 strings, which are then moved out.
pub(super) fn prepare(job: Job) -> Work {
    Box::new(move |count| {
        on_each_thread(job.threads, |_| {
            for _ in 0..count {
                let mut map = HashMap::<u64, String, Fixed>::default();
                for key in 0..ENTRIES {
                    map.insert(
                        key.wrapping_mul(0x9e37_79b9),
                        format!("value of entry {key}"),
                    );
                }
                let bytes: usize = map.drain().map(|(_, value)| value.len()).sum();
                black_box(bytes);
            }
        })
    })
}
