//! Assertions on the heap for tests.
//!
//! An estimate says which site of a service grows. A test asks for more: did this
//! call leave anything behind, does this map stay within its bound, is this value
//! gone? The figures here are exact: while a test watches, every allocation of its
//! thread is recorded with its stack, and each is counted until it is freed, on
//! whatever thread. A failed assertion names the functions that still hold memory.
//!
//! ```
//! use heaplens::testing::{HeapWatch, measure, transaction};
//!
//! #[global_allocator]
//! static ALLOC: heaplens::Alloc = heaplens::Alloc::new();
//!
//! fn main() {
//!     // Nothing stays behind.
//!     let watch = HeapWatch::start();
//!     drop(vec![0u8; 1000]);
//!     watch.assert_no_growth();
//!     watch.assert_peak_below(1001);
//!
//!     // What a value takes.
//!     let (list, figures) = measure(|| vec![0u64; 100]);
//!     assert_eq!((figures.bytes, figures.blocks), (800, 1));
//!     drop(list);
//!
//!     // Nothing stays behind when it is done again and again.
//!     transaction("request", || "answer".to_owned());
//! }
//! ```
//!
//! | To assert that | Use |
//! |---|---|
//! | a piece of code leaves nothing behind, or takes no more than so much | [`HeapWatch`], [`measure`] |
//! | a request, a job or a session leaks nothing when it is repeated | [`transaction`], [`Transaction`] |
//! | a value is gone once nobody needs it | [`assert_dropped_within`] |
//! | a value or map retains no more than so much | [`assert_retained!`](crate::assert_retained) |
//! | a map or cache keeps its bound, and how it does when it is full | [`Pressure`] |
//!
//! # What is counted
//!
//! Requested bytes of blocks that the watching thread allocated since, and that
//! nobody has freed. Blocks that were there before and are freed meanwhile do not
//! count against them. So tests that run side by side do not disturb each other;
//! what a test's own threads allocate is not seen. For programs that work on several
//! threads there are forms for the whole process, such as
//! [`HeapWatch::start_all_threads`]; they need a test that is alone in its process
//! (as with `cargo nextest`, or as the only test of its file), and
//! `HEAPLENS_SAMPLE_INTERVAL=1` in the environment or an allocator built with
//! [`sample_interval(1)`](crate::Alloc::sample_interval). The harness behind `#[test]`
//! is one of the threads: about a kilobyte, when the machine lets it. To assert less
//! than that, write the test program with `harness = false` and run the test on its
//! main thread, as `libtest-mimic` does with `test_threads: Some(1)`.
//!
//! Things that are made once count where they are made: a `OnceLock`, a
//! thread-local, a pool. So does the buffer in which the test harness keeps what is
//! printed, and what std keeps after a panic to print the next backtrace sooner. Call
//! the code once before the watch starts, print after it, and assert nothing on the
//! figures after a panic that was caught within it.
//!
//! # Cost
//!
//! A watched allocation takes some microseconds, for its stack is walked; everything
//! else costs what it does without a watch. In debug builds it takes ten times as long
//! unless the profiler itself is optimised. In the program's `Cargo.toml`:
//!
//! ```toml
//! [profile.dev.package]
//! heaplens-alloc.opt-level = 2
//! framehop.opt-level = 2
//! gimli.opt-level = 2
//! ```
//!
//! A failed assertion reads the program's debug information: up to some seconds.
//!
//! While it lives, a watched block takes 64 bytes of the profiler's own memory; 131,072
//! of them fit the default budget. What does not fit fails the assertion, which says
//! what to set (`HEAPLENS_MEMORY_BUDGET`): figures that are too low are never passed for
//! exact ones.

mod call_sites;
mod dropped;
mod heap_watch;
mod latency;
mod map_growth;
mod outcome;
mod pressure;
mod pressure_report;
mod retained;
mod trace;
mod transaction;
mod transaction_report;

pub use call_sites::CallSite;
pub use dropped::{WeakReference, assert_dropped_within};
pub use heap_watch::{HeapWatch, measure};
#[doc(inline)]
pub use heaplens_alloc::watch::{Figures, Inexact, MAX_WATCHES, WatchError};
pub use latency::Latency;
pub use map_growth::MapGrowth;
pub use outcome::Outcome;
pub use pressure::Pressure;
pub use pressure_report::{PressureReport, Stop};
#[doc(hidden)]
pub use retained::{Allowed, check_retained};
pub use retained::{GB, KB, MB};
pub use transaction::{Transaction, transaction};
pub use transaction_report::TransactionReport;
