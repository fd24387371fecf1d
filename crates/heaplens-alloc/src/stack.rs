//! Stack capture: which functions led to an allocation.
//!
//! Two ways to walk: along frame pointers, fast but only where the program has
//! them, and by unwind tables, which any ordinary build has. Which of them
//! serves is found out by walking the first stacks both ways.

mod elf;
mod frame_pointers;
pub(crate) mod frames;
mod mapped_file;
mod memory;
mod modules;
mod registers;
mod rule;
mod rules;
mod tables;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::arena::Arena;
use crate::counters::Walker;
use crate::thread;
use frames::Frames;
use memory::StackMemory;
use registers::Registers;
use tables::{Outcome, Pool};

/// Stacks walked both ways before frame pointers are trusted.
const TRIALS: u32 = 64;

/// Once trusted, one stack in this many is still walked both ways.
const CHECK_EVERY: u64 = 256;

const DISTRUSTED: u32 = u32::MAX;

/// Captures stacks for all threads.
pub(crate) struct Capture {
    pool: Option<Pool>,
    /// Walks that agreed, up to [`TRIALS`]; [`DISTRUSTED`] once one did not.
    agreed: AtomicU32,
    walks: AtomicU64,
}

impl Capture {
    /// Without memory for the unwinder only frame pointers are followed.
    pub(crate) fn new(arena: &Arena) -> Self {
        Capture {
            pool: Pool::new(arena),
            agreed: AtomicU32::new(0),
            walks: AtomicU64::new(0),
        }
    }

    /// How stacks are captured at present.
    pub(crate) fn walker(&self) -> Walker {
        if self.walks.load(Ordering::Relaxed) == 0 {
            return Walker::Undecided;
        }
        match self.agreed.load(Ordering::Relaxed) {
            _ if !self.pool.as_ref().is_some_and(Pool::is_available) => Walker::FramePointersOnly,
            TRIALS => Walker::FramePointers,
            _ => Walker::UnwindTables,
        }
    }

    /// Learns of objects that were loaded since. Not for use in the allocator.
    pub(crate) fn refresh(&self) {
        if let Some(pool) = &self.pool {
            pool.refresh();
        }
    }

    /// Whether the unwinder is just being put together: stacks are short until it
    /// is there.
    pub(crate) fn is_building(&self) -> bool {
        self.pool.as_ref().is_some_and(Pool::is_building)
    }

    /// The stack of the caller, in `frames`, which are empty. `false` if all unwinders
    /// were in use, so that frame pointers alone had to do.
    ///
    /// Holds no lock that another thread would wait for. Must be called inside
    /// the profiler ([`thread::inside`]).
    #[inline(never)]
    pub(crate) fn capture(&self, frames: &mut Frames) -> bool {
        let start = Registers::here();
        let memory = StackMemory::from(start.sp, thread::stack_bounds());
        let walks = self.walks.fetch_add(1, Ordering::Relaxed);
        if self.agreed.load(Ordering::Relaxed) == TRIALS && !walks.is_multiple_of(CHECK_EVERY) {
            frame_pointers::walk(start, &memory, frames);
            return true;
        }
        let roomy = memory.room() >= tables::STACK_ROOM;
        let outcome = match &self.pool {
            Some(pool) if roomy => walk(pool, start, &memory, frames),
            _ => Outcome::Unavailable,
        };
        if outcome == Outcome::Walked {
            self.compare(frames, start, &memory);
        } else {
            // What a walk that was given up has pushed is left aside.
            frames.clear();
            frame_pointers::walk(start, &memory, frames);
        }
        outcome != Outcome::Busy
    }

    /// Walks again by frame pointers and notes whether they can be trusted.
    fn compare(&self, frames: &Frames, start: Registers, memory: &StackMemory) {
        let agreed = self.agreed.load(Ordering::Relaxed);
        if agreed == DISTRUSTED {
            return;
        }
        let mut others = Frames::new();
        frame_pointers::walk(start, memory, &mut others);
        let next = if others.agrees_with(frames) {
            (agreed + 1).min(TRIALS)
        } else {
            DISTRUSTED
        };
        // A lost race costs one more trial.
        let _ = self
            .agreed
            .compare_exchange(agreed, next, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// As [`Pool::walk`]. The unwinder reads what compilers wrote, and might panic at
/// what it does not expect: an allocator must not.
fn walk(pool: &Pool, start: Registers, memory: &StackMemory, frames: &mut Frames) -> Outcome {
    let walk = AssertUnwindSafe(|| pool.walk(start, memory, frames));
    catch_unwind(walk).unwrap_or(Outcome::Unavailable)
}
