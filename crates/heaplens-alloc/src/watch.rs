//! Exact counts of what was allocated since a moment and is not freed yet.
//!
//! Estimates tell which sites of a service grow. A test wants to know whether a
//! call leaves 24 bytes behind. A [`Watch`] makes every allocation of its thread a
//! sample for as long as it is active, and counts those blocks until they are freed,
//! on whatever thread.
//!
//! ```
//! use std::alloc::System;
//! use heaplens_alloc::watch::Watch;
//!
//! #[global_allocator]
//! static ALLOC: heaplens_alloc::Alloc<System> = heaplens_alloc::Alloc::with(System);
//!
//! fn main() -> Result<(), heaplens_alloc::watch::WatchError> {
//!     let watch = Watch::of_thread()?;
//!     let kept = Box::new([0u8; 100]);
//!     drop(vec![0u8; 1000]);
//!     let figures = watch.figures();
//!     assert_eq!((figures.bytes, figures.blocks), (100, 1));
//!     assert_eq!((figures.allocated_bytes, figures.peak_bytes), (1100, 1100));
//!     drop(kept);
//!     assert_eq!(watch.figures().bytes, 0);
//!     Ok(())
//! }
//! ```
//!
//! # What is counted
//!
//! Requested bytes of the blocks that were allocated while the watch was active:
//! those of its thread ([`Watch::of_thread`]), or of all threads
//! ([`Watch::of_process`]). A block that was there before and is freed meanwhile
//! does not count against them: a figure is "allocated since and not freed", never
//! negative, and what other threads do does not disturb it.
//!
//! A `realloc` frees the old block and allocates the whole new one, on the thread
//! that calls it. In the peak the old block and the new one are not both counted.
//! What is allocated in [`untracked`](crate::untracked) does not count.
//!
//! # Cost
//!
//! A sample for each allocation that is counted, most of it the walk of the stack: some
//! microseconds, ten times that where this crate is not optimised. 64 bytes of the
//! profiler's memory for each block that is alive: 131,072 of them fit the default
//! budget. Nothing where no watch is active. Estimates stay unbiased: each sample keeps
//! its own weight.

use std::fmt;
use std::hint::black_box;
use std::marker::PhantomData;
use std::time::Duration;

use crate::counters::Walker;
use crate::snapshot::Snapshot;
use crate::watches::{self, Active, Chain};
use crate::{config, snapshot, store, thread};

/// Watches that can be active in a process at a time.
pub const MAX_WATCHES: usize = watches::MAX_WATCHES;

/// How many milliseconds a watch waits for the unwinder at the most.
const ATTEMPTS: u32 = 1000;

/// Counts allocations while it lives. Watches nest: what an inner one counts counts
/// in the outer ones too.
///
/// It stays on its thread. One that is forgotten (`mem::forget`) stays active.
#[derive(Debug)]
pub struct Watch {
    active: Active,
    scope: Scope,
    /// Its thread alone may end it.
    not_send: PhantomData<*const ()>,
}

/// Whose allocations a watch counts.
#[derive(Debug)]
enum Scope {
    /// The thread samples everything until this is dropped.
    Thread(thread::Watching),
    Process,
}

impl Watch {
    /// Counts what this thread allocates from now on.
    ///
    /// # Errors
    /// [`WatchError::NotInstalled`] and [`WatchError::Exhausted`].
    pub fn of_thread() -> Result<Watch, WatchError> {
        check_installed()?;
        let watching = thread::Watching::start().ok_or(WatchError::Exhausted)?;
        await_unwinder();
        let active = Active::start(watching.chain()).ok_or(WatchError::Exhausted)?;
        Ok(Watch::new(active, Scope::Thread(watching)))
    }

    /// Counts what all threads allocate from now on. Every allocation of the process
    /// must be a sample for that, from its start on.
    ///
    /// # Errors
    /// [`WatchError::NotInstalled`], [`WatchError::Exhausted`], and
    /// [`WatchError::NotEvery`] unless the sample interval is 1 and was never
    /// another.
    pub fn of_process() -> Result<Watch, WatchError> {
        check_installed()?;
        if !config::always_every() {
            let interval = config::sample_interval();
            return Err(WatchError::NotEvery { interval });
        }
        let active = Active::start(Chain::ALL).ok_or(WatchError::Exhausted)?;
        Ok(Watch::new(active, Scope::Process))
    }

    fn new(active: Active, scope: Scope) -> Self {
        Watch {
            active,
            scope,
            not_send: PhantomData,
        }
    }

    /// What was counted up to now. Some ten loads.
    ///
    /// A block that another thread frees at this moment is seen or not; one whose
    /// free happened before, for example because that thread was joined, is not in
    /// `bytes` any more.
    pub fn figures(&self) -> Figures {
        let counts = self.active.counts();
        let inexact = match self.scope {
            _ if counts.lost > 0 => Some(Inexact::Lost {
                blocks: counts.lost,
            }),
            Scope::Process if !config::always_every() => Some(Inexact::IntervalChanged),
            Scope::Process | Scope::Thread(_) => None,
        };
        Figures {
            bytes: counts.bytes,
            blocks: counts.blocks,
            peak_bytes: counts.peak_bytes,
            allocated_bytes: counts.allocated_bytes,
            allocated_blocks: counts.allocated_blocks,
            inexact,
        }
    }

    /// The blocks that are alive, by call site: a snapshot in which cumulative
    /// values are those in use and the interval is 1, so that all values are exact.
    ///
    /// About 100 ns a live sample of the process. What it allocates is not counted.
    pub fn snapshot(&self) -> Snapshot {
        snapshot::of_blocks(|block| self.active.sees(block))
    }
}

/// The first sample of a process puts the unwinder together. Takes that sample, and
/// waits if another thread is about it, so that the stacks of what is watched are
/// whole.
fn await_unwinder() {
    for _ in 0..ATTEMPTS {
        let walker = store::counters().walker;
        if matches!(walker, Walker::UnwindTables | Walker::FramePointers) {
            return;
        }
        drop(black_box(Box::new(0u8)));
        if !store::get().is_some_and(|store| store.capture.is_building()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn check_installed() -> Result<(), WatchError> {
    match thread::installed_since() {
        Some(_) => Ok(()),
        None => Err(WatchError::NotInstalled),
    }
}

/// What a [`Watch`] counted, in requested bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Bytes allocated since the start and not freed.
    pub bytes: u64,
    /// Blocks allocated since the start and not freed.
    pub blocks: u64,
    /// The most that `bytes` has been.
    pub peak_bytes: u64,
    /// Bytes allocated since the start. A `realloc` counts its whole new size.
    pub allocated_bytes: u64,
    /// Blocks allocated since the start. A `realloc` counts as one.
    pub allocated_blocks: u64,
    /// Why the figures are too low, if they are.
    pub inexact: Option<Inexact>,
}

/// Why figures are too low. Displayed with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inexact {
    /// So many allocations could not be recorded.
    Lost {
        /// How many.
        blocks: u64,
    },
    /// Figures of the whole process, and the sample interval was changed.
    IntervalChanged,
}

impl fmt::Display for Inexact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Inexact::Lost { blocks } => write!(
                f,
                "{blocks} allocations are not in these figures: the profiler's own memory of \
                 {} bytes has no room for more live blocks. Set HEAPLENS_MEMORY_BUDGET to a \
                 larger size, such as 256MiB",
                store::counters().memory_budget
            ),
            Inexact::IntervalChanged => f.write_str(
                "allocations are missing from these figures: the sample interval was changed \
                 while all threads were watched. Leave it at 1",
            ),
        }
    }
}

/// Why there is no watch. Displayed with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// No allocation of this process went through an [`Alloc`](crate::Alloc).
    NotInstalled,
    /// [`MAX_WATCHES`] watches are active.
    Exhausted,
    /// All threads were to be watched, and not every allocation is sampled.
    NotEvery {
        /// Mean bytes between samples now. If it is 1, it was another before.
        interval: u64,
    },
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WatchError::NotInstalled => f.write_str(
                "the heap cannot be watched: this program's global allocator is not Heaplens's. \
                 Add `#[global_allocator] static ALLOC: heaplens::Alloc = heaplens::Alloc::new();`",
            ),
            WatchError::Exhausted => write!(
                f,
                "the heap cannot be watched: {MAX_WATCHES} watches are active already, which is \
                 the most there can be. Drop some, or run fewer tests at a time"
            ),
            WatchError::NotEvery { interval } => write!(
                f,
                "all threads cannot be watched: every allocation must be sampled for that from \
                 the start of the process on, and the sample interval {} {interval}. Set \
                 HEAPLENS_SAMPLE_INTERVAL=1 in the environment, or build the allocator with \
                 `.sample_interval(1)`",
                if *interval == 1 {
                    "was not always"
                } else {
                    "is"
                }
            ),
        }
    }
}

impl std::error::Error for WatchError {}
