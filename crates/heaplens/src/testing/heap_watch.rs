//! Heap figures of a piece of code.

use std::fmt::Write;

use heaplens_alloc::watch::{Figures, Watch, WatchError};
use heaplens_alloc::{Snapshot, untracked};

use super::call_sites::{CallSite, Holdings, TOP, list};
use crate::units::counted;

/// Counts what is allocated and not freed from its start on, exactly.
///
/// ```should_panic
/// use heaplens::testing::HeapWatch;
///
/// #[global_allocator]
/// static ALLOC: heaplens::Alloc = heaplens::Alloc::new();
///
/// fn main() {
///     let watch = HeapWatch::start();
///     let kept = vec![0u8; 1000];
///     // Panics with "the heap grew by 1,000 bytes in 1 block", and names `main`.
///     watch.assert_no_growth();
///     drop(kept);
/// }
/// ```
///
/// Watches nest: what an inner one counts counts in the outer ones too. At most
/// [`MAX_WATCHES`](super::MAX_WATCHES) of a process are active at a time. A watch
/// stays on its thread.
#[derive(Debug)]
pub struct HeapWatch(Watch);

impl HeapWatch {
    /// Watches what this thread allocates.
    ///
    /// # Panics
    /// Where [`HeapWatch::try_start`] gives an error, with its text.
    #[track_caller]
    pub fn start() -> Self {
        started(Self::try_start())
    }

    /// Watches what all threads allocate.
    ///
    /// # Panics
    /// Where [`HeapWatch::try_start_all_threads`] gives an error, with its text.
    #[track_caller]
    pub fn start_all_threads() -> Self {
        started(Self::try_start_all_threads())
    }

    /// As [`HeapWatch::start`].
    ///
    /// # Errors
    /// [`WatchError::NotInstalled`] if the program's global allocator is not
    /// [`Alloc`](crate::Alloc); [`WatchError::Exhausted`].
    pub fn try_start() -> Result<Self, WatchError> {
        Watch::of_thread().map(HeapWatch)
    }

    /// As [`HeapWatch::start_all_threads`].
    ///
    /// # Errors
    /// As [`HeapWatch::try_start`], and [`WatchError::NotEvery`] unless every
    /// allocation was sampled since the start of the process
    /// (`HEAPLENS_SAMPLE_INTERVAL=1`).
    pub fn try_start_all_threads() -> Result<Self, WatchError> {
        Watch::of_process().map(HeapWatch)
    }

    /// What was counted up to now.
    pub fn figures(&self) -> Figures {
        self.0.figures()
    }

    /// What is alive, by call site, with exact values. For profiles of one's own, by
    /// [`profile`](crate::profile).
    pub fn snapshot(&self) -> Snapshot {
        self.0.snapshot()
    }

    /// The call sites that hold most of what is alive, at most `most`, those with
    /// the most bytes first. Reads the debug information of the program: up to some
    /// seconds. What it allocates is not counted.
    pub fn call_sites(&self, most: usize) -> Vec<CallSite> {
        untracked(|| self.holdings().top(most))
    }

    /// What is alive by stack.
    pub(super) fn holdings(&self) -> Holdings {
        untracked(|| Holdings::of(&self.snapshot()))
    }

    /// Asserts that everything that was allocated since the start is freed.
    ///
    /// # Panics
    /// If not, with the figures and the call sites that hold memory; and if figures
    /// are inexact, with the remedy.
    #[track_caller]
    pub fn assert_no_growth(&self) {
        self.assert(|figures| figures.blocks == 0, || "none".to_owned(), grew);
    }

    /// Asserts that less than so many bytes are allocated since the start and not
    /// freed.
    ///
    /// # Panics
    /// As [`HeapWatch::assert_no_growth`].
    #[track_caller]
    pub fn assert_growth_below(&self, bytes: u64) {
        let allowed = || format!("less than {}", in_bytes(bytes));
        self.assert(|figures| figures.bytes < bytes, allowed, grew);
    }

    /// Asserts that at all times since the start less than so many bytes were
    /// allocated since the start and not freed.
    ///
    /// # Panics
    /// If not, with the figures and the call sites that hold memory now; and if
    /// figures are inexact, with the remedy.
    #[track_caller]
    pub fn assert_peak_below(&self, bytes: u64) {
        self.assert(
            |figures| figures.peak_bytes < bytes,
            || format!("less than {}", in_bytes(bytes)),
            |figures| {
                format!(
                    "the heap grew at its peak by {}",
                    in_bytes(figures.peak_bytes)
                )
            },
        );
    }

    /// Panics with what happened, unless the figures are exact and `is_right`.
    #[track_caller]
    fn assert(
        &self,
        is_right: impl Fn(&Figures) -> bool,
        allowed: impl Fn() -> String,
        happened: impl Fn(&Figures) -> String,
    ) {
        let figures = self.figures();
        if is_right(&figures) && figures.inexact.is_none() {
            return;
        }
        let message = untracked(|| {
            let mut message = if is_right(&figures) {
                "how much the heap grew is not known".to_owned()
            } else {
                format!("{}, allowed is {}", happened(&figures), allowed())
            };
            describe(&mut message, &figures);
            message += &list("call sites that hold memory", &self.holdings().top(TOP));
            message
        });
        panic!("{message}");
    }
}

fn grew(figures: &Figures) -> String {
    let (bytes, blocks) = (in_bytes(figures.bytes), in_blocks(figures.blocks));
    format!("the heap grew by {bytes} in {blocks}")
}

/// Appends the figures that the first line does not have.
fn describe(message: &mut String, figures: &Figures) {
    // Writing to a string cannot fail.
    let _ = write!(
        message,
        "\n  now {} in {}, at the peak {}, allocated in all {} in {}",
        in_bytes(figures.bytes),
        in_blocks(figures.blocks),
        in_bytes(figures.peak_bytes),
        in_bytes(figures.allocated_bytes),
        in_blocks(figures.allocated_blocks),
    );
    if let Some(inexact) = figures.inexact {
        let _ = write!(message, "\n  inexact: {inexact}");
    }
}

/// `1,234 bytes`.
pub(super) fn in_bytes(bytes: u64) -> String {
    counted(bytes, "byte")
}

/// `12 blocks`.
pub(super) fn in_blocks(blocks: u64) -> String {
    counted(blocks, "block")
}

#[track_caller]
pub(super) fn started<T>(watch: Result<T, WatchError>) -> T {
    match watch {
        Ok(watch) => watch,
        Err(error) => panic!("{error}"),
    }
}

/// Runs `f` and says what it allocated on this thread. What its result owns is among
/// the bytes.
///
/// # Panics
/// As [`HeapWatch::start`], and if `f` does.
#[track_caller]
pub fn measure<T>(f: impl FnOnce() -> T) -> (T, Figures) {
    let watch = HeapWatch::start();
    let result = f();
    let figures = watch.figures();
    (result, figures)
}
