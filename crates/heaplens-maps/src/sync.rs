//! What slots and slab are made of. The model in `tests/slots.rs` puts loom's
//! atomics and smaller sizes in place of this file.

pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// Slots of a chunk.
pub(crate) const CHUNK: usize = 1024;

/// The most chunks: four million maps alive at a time.
pub(crate) const CHUNKS: usize = 4096;

/// Slots that a thread takes at a time when the free list is empty.
pub(crate) const BATCH: u32 = 64;

/// How often a reader tries to catch a slot in a quiet moment.
pub(crate) const ATTEMPTS: usize = 4;

/// A constructor for statics. loom's atomics have none.
macro_rules! constant {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use constant;
