//! Whole programs under plain jemalloc and under Heaplens, both in one process and in turn: what the
//! machine does to one it does to the other.
//!
//! `bench-in-turn WORKLOAD...` prints for each a line of JSON: the seconds of each stretch of a
//! workload under plain jemalloc, under Heaplens with sampling off, and with it on, in the order in
//! which they were run. Each call of the allocator is passed on to the one whose turn it is, at
//! the same price for each.

use heaplens_alloc::{Alloc, DEFAULT_SAMPLE_INTERVAL, set_sample_interval};
use heaplens_workloads::prepared;
use std::alloc::{GlobalAlloc, Layout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tikv_jemallocator::Jemalloc;

const STRETCH: Duration = Duration::from_millis(30);
const TURNS: usize = 31;

#[global_allocator]
static IN_TURN: InTurn = InTurn;
static PROFILED: Alloc = Alloc::new();
static PLAIN: Jemalloc = Jemalloc;
static IS_PROFILED: AtomicBool = AtomicBool::new(false);

/// The functions that the compiler makes of a global allocator, of either.
macro_rules! functions {
    ($module:ident, $allocator:ident) => {
        mod $module {
            use super::{GlobalAlloc, Layout, $allocator};

            #[inline(never)]
            pub(super) unsafe fn alloc(layout: Layout) -> *mut u8 {
                // SAFETY: by the caller's promise.
                unsafe { $allocator.alloc(layout) }
            }

            #[inline(never)]
            pub(super) unsafe fn alloc_zeroed(layout: Layout) -> *mut u8 {
                // SAFETY: by the caller's promise.
                unsafe { $allocator.alloc_zeroed(layout) }
            }

            #[inline(never)]
            pub(super) unsafe fn dealloc(block: *mut u8, layout: Layout) {
                // SAFETY: by the caller's promise.
                unsafe { $allocator.dealloc(block, layout) }
            }

            #[inline(never)]
            pub(super) unsafe fn realloc(block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
                // SAFETY: by the caller's promise.
                unsafe { $allocator.realloc(block, layout, size) }
            }
        }
    };
}

functions!(profiled, PROFILED);
functions!(plain, PLAIN);

/// Passes each call on to the one whose turn it is.
macro_rules! in_turn {
    ($function:ident, $($argument:expr),*) => {
        // SAFETY: by the caller's promise; a block that one gave may go to the other, since
        // Heaplens gives jemalloc's, but for sampled ones, which a workload frees before its
        // stretch ends.
        unsafe {
            if IS_PROFILED.load(Ordering::Relaxed) {
                profiled::$function($($argument),*)
            } else {
                plain::$function($($argument),*)
            }
        }
    };
}

struct InTurn;

// SAFETY: each call is passed on with what the caller promised.
unsafe impl GlobalAlloc for InTurn {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        in_turn!(alloc, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        in_turn!(alloc_zeroed, layout)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        in_turn!(dealloc, block, layout);
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        in_turn!(realloc, block, layout, size)
    }
}

type Work = Box<dyn Fn(u64)>;

/// Whose turn it is.
#[derive(Clone, Copy)]
enum Turn {
    Plain,
    Off,
    On,
}

/// Seconds for so many units.
fn time(work: &Work, turn: Turn, count: u64) -> f64 {
    set_sample_interval(match turn {
        Turn::Plain | Turn::Off => 0,
        Turn::On => DEFAULT_SAMPLE_INTERVAL,
    });
    IS_PROFILED.store(!matches!(turn, Turn::Plain), Ordering::Relaxed);
    let begun = Instant::now();
    work(count);
    let seconds = begun.elapsed().as_secs_f64();
    IS_PROFILED.store(false, Ordering::Relaxed);
    seconds
}

fn measure(name: &str) -> Result<String, String> {
    let work: Work = prepared(name)?;
    let mut count = 1;
    while time(&work, Turn::Plain, count) < STRETCH.as_secs_f64() {
        count *= 2;
    }
    // What happens once: the first samples, the profiler's pace.
    for _ in 0..3 {
        time(&work, Turn::On, count);
    }
    let mut turns = [Turn::Plain, Turn::Off, Turn::On];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..TURNS {
        for turn in turns {
            times[turn as usize].push(time(&work, turn, count));
        }
        // Each comes after each other as often.
        turns.reverse();
    }
    let [plain, off, on] = times.map(|list| {
        let list: Vec<String> = list.iter().map(|time| format!("{time:.6}")).collect();
        list.join(",")
    });
    Ok(format!(
        r#"{{"workload":"{name}","plain":[{plain}],"off":[{off}],"on":[{on}]}}"#
    ))
}

fn main() -> ExitCode {
    for name in std::env::args().skip(1) {
        match measure(&name) {
            Ok(line) => println!("{line}"),
            Err(reason) => {
                eprintln!("{reason}");
                return ExitCode::from(2);
            }
        }
    }
    ExitCode::SUCCESS
}
