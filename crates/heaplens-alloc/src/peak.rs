//! How full the heap is, and when it was fullest.
//!
//! The bytes that all live samples stand for are kept as one number: a block's
//! weight is added where it is entered and taken off where it is taken out, so it
//! is exactly zero when all is freed. Once it exceeds the mark by a tenth, and by
//! [`LEAST_RISE`], the mark moves there, and a [`Watch`] that waits is woken. All of
//! this is on the sampled path: an atomic addition, a comparison, and one write to
//! an event some hundred times while the heap grows from a megabyte to many
//! gigabytes.
//!
//! ```
//! use heaplens_alloc::peak;
//!
//! let watch = peak::Watch::start()?;
//! // Wait until `watch` can be read, then:
//! watch.clear();
//! let live = heaplens_alloc::survivors(std::time::Duration::ZERO);
//! watch.rearm(live.totals().inuse.bytes as u64);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::os::{self, ErrnoGuard};
use crate::sampler::Weight;

/// The mark never moves by less than this many bytes: 1 MiB.
pub const LEAST_RISE: u64 = 1 << 20;

/// Estimated bytes of the sampled blocks that are alive. One relaxed load. The same
/// as `snapshot().totals().inuse.bytes`, but for the rounding of each weight.
pub fn live_bytes() -> u64 {
    HEAP.bytes.load(Ordering::Relaxed)
}

/// A level, and the bar that it has to rise above to move the mark.
struct Level {
    bytes: AtomicU64,
    bar: AtomicU64,
}

impl Level {
    const fn new() -> Self {
        Level {
            bytes: AtomicU64::new(0),
            bar: AtomicU64::new(LEAST_RISE),
        }
    }

    /// `true` if this moved the mark.
    fn rise(&self, by: u64) -> bool {
        let level = self.bytes.fetch_add(by, Ordering::Relaxed).wrapping_add(by);
        level > self.bar.load(Ordering::Relaxed) && self.mark(level)
    }

    fn fall(&self, by: u64) {
        self.bytes.fetch_sub(by, Ordering::Relaxed);
    }

    /// Of threads that are above the bar at once, those whose mark moved it.
    #[cold]
    fn mark(&self, level: u64) -> bool {
        let raise = |bar| (level > bar).then(|| above(level));
        self.bar
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, raise)
            .is_ok()
    }
}

/// The bar over a mark.
fn above(mark: u64) -> u64 {
    mark.saturating_add(LEAST_RISE.max(mark / 10))
}

static HEAP: Level = Level::new();

/// The event to signal, below the process that waits for it; 0 = nobody waits. The
/// process, since a forked child has the parent's event, but no one to wake.
static WAITING: AtomicU64 = AtomicU64::new(0);
/// The event that was made last, in the same form. It is kept when a watch ends:
/// a thread may be about to signal it, and another file must not have its number.
static EVENT: AtomicU64 = AtomicU64::new(0);

/// Notes that a block of this weight was entered. Safe in a signal handler and after a
/// fork.
#[inline]
pub(crate) fn entered(weight: Weight) {
    if HEAP.rise(weight.whole_bytes()) {
        wake();
    }
}

/// Notes that a block of this weight was taken out.
#[inline]
pub(crate) fn left(weight: Weight) {
    HEAP.fall(weight.whole_bytes());
}

#[cold]
fn wake() {
    let waiting = WAITING.load(Ordering::Acquire);
    if waiting != 0 && process_of(waiting) == process::id() {
        let _errno = ErrnoGuard::new();
        os::signal_event(event_of(waiting));
    }
}

fn pack(event: RawFd) -> u64 {
    u64::from(process::id()) << 32 | u64::from(event.cast_unsigned())
}

fn process_of(packed: u64) -> u32 {
    (packed >> 32) as u32
}

fn event_of(packed: u64) -> RawFd {
    (packed as u32).cast_signed()
}

/// Wakes its owner when the heap is fuller than it was: its file descriptor, an
/// event, can be read then (`poll`, `epoll`). One at a time in a process.
///
/// The event is made once for a process and stays open.
#[derive(Debug)]
pub struct Watch {
    event: RawFd,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// `AlreadyExists` if another watch of this process is active; what the system
    /// says if it has no event to give.
    pub fn start() -> io::Result<Self> {
        let taken = WAITING.load(Ordering::Acquire);
        let event = event()?;
        // One that waits in the parent of this process is none.
        let is_free = taken == 0 || process_of(taken) != process::id();
        let taken = if is_free { taken } else { 0 };
        WAITING
            .compare_exchange(taken, pack(event), Ordering::AcqRel, Ordering::Relaxed)
            .map(|_| Watch { event })
            .map_err(|_| {
                io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "the peak of this process's heap is being watched already",
                )
            })
    }

    /// Takes back a wake-up, so that the next one is seen.
    pub fn clear(&self) {
        os::clear_event(self.event);
    }

    /// Sets the mark to `bytes`: the watch is woken once the heap holds a tenth
    /// more than that, or [`LEAST_RISE`] if that is more. For one that came too late
    /// to see the heap as full as it was, or that has just begun.
    pub fn rearm(&self, bytes: u64) {
        HEAP.bar.store(above(bytes), Ordering::Relaxed);
        // It may be there already.
        if HEAP.rise(0) {
            wake();
        }
    }
}

/// The event of this process; made on the first call.
fn event() -> io::Result<RawFd> {
    let kept = EVENT.load(Ordering::Acquire);
    if kept != 0 && process_of(kept) == process::id() {
        return Ok(event_of(kept));
    }
    let event = os::event().ok_or_else(io::Error::last_os_error)?;
    match EVENT.compare_exchange(kept, pack(event), Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => Ok(event),
        // Another thread was faster. Its event serves both, ours stays unused.
        Err(other) => Ok(event_of(other)),
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let ours = pack(self.event);
        // In a forked child it is the parent's that goes on.
        let _ = WAITING.compare_exchange(ours, 0, Ordering::AcqRel, Ordering::Relaxed);
        self.clear();
    }
}

impl AsRawFd for Watch {
    fn as_raw_fd(&self) -> RawFd {
        self.event
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the event is never closed.
        unsafe { BorrowedFd::borrow_raw(self.event) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_mark_moves_by_a_tenth_and_a_mebibyte_at_least() {
        let level = Level::new();
        assert!(!level.rise(LEAST_RISE));
        assert!(level.rise(1), "above one mebibyte");
        assert!(!level.rise(LEAST_RISE - 1));
        assert!(level.rise(2));
        level.fall(2 * LEAST_RISE);
        assert!(!level.rise(2 * LEAST_RISE), "as full as it was");
        assert!(level.rise(98 * LEAST_RISE));
        assert!(!level.rise(10 * LEAST_RISE), "a tenth");
        assert!(level.rise(1));
    }

    /// A doubling moves it eight times.
    #[test]
    fn few_marks_a_doubling() {
        let level = Level::new();
        let mut marks = [0; 40];
        while level.bytes.load(Ordering::Relaxed) < 1 << 39 {
            let step = level.bytes.load(Ordering::Relaxed) / 1000 + 4096;
            let doubling = level.bytes.load(Ordering::Relaxed).max(1).ilog2() as usize;
            marks[doubling] += usize::from(level.rise(step));
        }
        assert!(marks.iter().all(|&count| count <= 8), "{marks:?}");
        assert!(marks[25..39].iter().all(|&count| count >= 7), "{marks:?}");
    }

    proptest! {
        /// The level is the sum of what is there; the bar never lies more than a
        /// rise above the highest level, and never below it.
        #[test]
        fn the_bar_follows_the_highest_level(
            steps in proptest::collection::vec((any::<bool>(), 0u64..20_000_000), 1..200),
        ) {
            let level = Level::new();
            let (mut held, mut highest) = (Vec::new(), 0);
            for (rises, bytes) in steps {
                if rises {
                    held.push(bytes);
                    let moved = level.rise(bytes);
                    let sum: u64 = held.iter().sum();
                    prop_assert!(!moved || sum > highest);
                    highest = highest.max(sum);
                } else if let Some(bytes) = held.pop() {
                    level.fall(bytes);
                }
                prop_assert_eq!(level.bytes.load(Ordering::Relaxed), held.iter().sum::<u64>());
                let bar = level.bar.load(Ordering::Relaxed);
                prop_assert!(bar >= highest && bar <= above(highest));
            }
            for bytes in held {
                level.fall(bytes);
            }
            prop_assert_eq!(level.bytes.load(Ordering::Relaxed), 0);
        }
    }

    #[test]
    fn threads_move_the_mark_once_each_time() {
        let level: &Level = &Level::new();
        let moved: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(move || (0..1000).filter(|_| level.rise(100_000)).count()))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .sum()
        });
        // 400 MB in steps: by the first mebibyte, one each up to ten, then tenths.
        assert!((30..=60).contains(&moved), "{moved}");
        assert!(level.bar.load(Ordering::Relaxed) >= 400_000_000);
    }
}
