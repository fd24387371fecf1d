//! All slots of the process: a slab that grows by chunks, and its free list.
//!
//! Chunks are never given back: at most as many slots exist as maps with a
//! table were alive at one time, 64 bytes each.

use std::sync::OnceLock;

use crate::slot::Slot;
use crate::sync::{AtomicU32, AtomicU64, BATCH, CHUNK, CHUNKS, Ordering, constant};

type Chunk = Box<[Slot; CHUNK]>;

pub(crate) struct Slab {
    chunks: [OnceLock<Chunk>; CHUNKS],
    /// Slots below this number were handed out at some time.
    used: AtomicU32,
    /// Head of the free list: a count that changes with each pop, above the
    /// slot's number plus one.
    free: AtomicU64,
    /// Maps that got no slot because there are no more.
    refused: AtomicU64,
}

/// Slots that nobody has used yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

impl Slab {
    constant! {
        #[allow(clippy::large_stack_arrays, reason = "made when compiled, for a static")]
        pub(crate) fn new() -> Self {
            Slab {
                chunks: [const { OnceLock::new() }; CHUNKS],
                used: AtomicU32::new(0),
                free: AtomicU64::new(0),
                refused: AtomicU64::new(0),
            }
        }
    }

    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&Slot> {
        let number = number as usize;
        let chunk = self.chunks.get(number / CHUNK)?.get()?;
        chunk.get(number % CHUNK)
    }

    /// Takes the slot that was given back last.
    pub(crate) fn pop(&self) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let number = (head as u32).checked_sub(1)?;
            // The link may be another's by now; then the count has changed.
            let next = self.get(number)?.next_free();
            let count = (head >> 32).wrapping_add(1) << 32;
            match self.free.compare_exchange_weak(
                head,
                count | u64::from(next),
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(number),
                Err(now) => head = now,
            }
        }
    }

    /// Gives back a chain of slots, linked from `first` to `last`.
    pub(crate) fn push(&self, first: u32, last: u32) {
        let Some(end) = self.get(last) else { return };
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            end.set_next_free(head as u32);
            let count = head >> 32 << 32;
            match self.free.compare_exchange_weak(
                head,
                count | u64::from(first + 1),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }

    /// Takes slots that were never used. `None`, counted, if there are no more.
    pub(crate) fn fresh(&self) -> Option<Fresh> {
        let limit = (CHUNK * CHUNKS) as u32;
        let taken = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                // The chunk is there before anybody can ask for its slots.
                // Chunks hold whole batches.
                self.ensure(used / CHUNK as u32)?;
                (used < limit).then_some(used + BATCH)
            });
        let Ok(first) = taken else {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        Some(Fresh {
            first,
            count: BATCH,
        })
    }

    fn ensure(&self, chunk: u32) -> Option<()> {
        let place = self.chunks.get(chunk as usize)?;
        if place.get().is_none() {
            heaplens_alloc::untracked(|| {
                let slots: Vec<Slot> = (0..CHUNK).map(|_| Slot::new()).collect();
                if let Ok(chunk) = Chunk::try_from(slots.into_boxed_slice()) {
                    let _ = place.set(chunk);
                }
            });
        }
        place.get().map(|_| ())
    }

    /// How many slots were ever handed out: their numbers are those below.
    pub(crate) fn used(&self) -> u32 {
        self.used.load(Ordering::Acquire)
    }

    /// Calls `visit` for each slot that was ever handed out.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(&Slot)) {
        let used = self.used.load(Ordering::Acquire) as usize;
        let mut left = used;
        for chunk in &self.chunks {
            let Some(chunk) = chunk.get() else { return };
            for slot in chunk.iter().take(left) {
                visit(slot);
            }
            left = left.saturating_sub(CHUNK);
            if left == 0 {
                return;
            }
        }
    }

    /// Maps that got no slot because there are no more.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Slab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slab")
            .field("used", &self.used)
            .finish_non_exhaustive()
    }
}
