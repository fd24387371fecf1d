//! Growth by `realloc`.

use super::{Job, Work, on_each_thread};
use std::hint::black_box;

/// A unit is a vector that grows to 8 KiB, all within jemalloc's small size classes.
pub(super) fn to_8_kib(job: Job) -> Work {
    grow(job, 8 << 10)
}

/// A unit is a vector that grows to 32 KiB, at the end in blocks of whole pages.
pub(super) fn to_32_kib(job: Job) -> Work {
    grow(job, 32 << 10)
}

/// A unit is a vector that grows to 4 MiB, where a block is best extended in place.
pub(super) fn to_4_mib(job: Job) -> Work {
    grow(job, 4 << 20)
}

fn grow(job: Job, bytes: u64) -> Work {
    Box::new(move |count| {
        on_each_thread(job.threads, |_| {
            for _ in 0..count {
                let mut words = Vec::new();
                for word in 0..bytes / 8 {
                    words.push(word);
                }
                black_box(words);
            }
        })
    })
}
