//! A whole program over the system's allocator, with every allocation sampled
//! from the first one of the process on.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

use common::program::{assert_stacks_are_whole, exercise, inuse_through, marked_site};
use common::{alone, lost};
use heaplens_alloc::{Alloc, StatsSource, Walker, allocator_stats, counters, snapshot};

/// The system's allocator with a count of what it gave out.
#[derive(Debug)]
struct Counting;

static GIVEN: AtomicU64 = AtomicU64::new(0);

// SAFETY: all four are the system allocator's own.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        GIVEN.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        GIVEN.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        GIVEN.fetch_add(1, Ordering::Relaxed);
        // SAFETY: by the caller's promise.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}

#[global_allocator]
static ALLOC: Alloc<Counting> = Alloc::with(Counting).sample_interval(1);

/// Blocks of other threads of the test harness that may be in between two counts.
const IN_FLIGHT: u64 = 8;

/// At interval 1 there is one sample for each block that the inner allocator
/// gave, from the very first of the process on. What a snapshot allocates is
/// not sampled, so those made meanwhile are taken off.
#[test]
fn every_allocation_of_the_process_is_sampled() {
    let _turn = alone();
    let unsampled = UNTRACKED.load(Ordering::Relaxed);
    let before = GIVEN.load(Ordering::Relaxed) - unsampled;
    let samples = counters().samples;
    let after = GIVEN.load(Ordering::Relaxed) - unsampled;
    assert_eq!(lost(), 0);
    assert!(samples > 10, "the harness alone allocates more than that");
    assert!(
        (before.saturating_sub(IN_FLIGHT)..=after + IN_FLIGHT).contains(&samples),
        "{samples} samples of {before} to {after} blocks"
    );
}

static UNTRACKED: AtomicU64 = AtomicU64::new(0);

/// A snapshot, with a note of how many blocks it took.
fn counted_snapshot() -> heaplens_alloc::Snapshot {
    heaplens_alloc::untracked(|| {
        let before = GIVEN.load(Ordering::Relaxed);
        let taken = snapshot();
        let blocks = GIVEN.load(Ordering::Relaxed) - before;
        UNTRACKED.fetch_add(blocks, Ordering::Relaxed);
        taken
    })
}

#[test]
fn programs_work() {
    let _turn = alone();
    exercise();
    assert!(counters().samples > 10_000);
}

#[test]
fn what_is_held_shows_and_what_is_dropped_does_not() {
    let _turn = alone();
    let held: Vec<_> = (0..10).map(|_| marked_site(1000)).collect();
    let inuse = inuse_through(&counted_snapshot(), "marked_site");
    assert_eq!((inuse.objects, inuse.bytes), (10.0, 10_000.0));
    drop(held);
    let inuse = inuse_through(&counted_snapshot(), "marked_site");
    assert_eq!((inuse.samples, inuse.bytes), (0, 0.0));
}

#[inline(never)]
fn thread_of_the_test() -> Vec<u8> {
    let kept = marked_site(64);
    std::hint::black_box(kept)
}

#[test]
fn stacks_reach_the_start_of_the_thread() {
    let _turn = alone();
    let worker = std::thread::spawn(thread_of_the_test);
    let kept = worker.join().expect("no panic");
    assert_stacks_are_whole(&counted_snapshot(), "thread_of_the_test");
    let walker = counters().walker;
    assert!(
        matches!(walker, Walker::FramePointers | Walker::UnwindTables),
        "{walker:?}"
    );
    drop(kept);
}

/// Figures that nobody has are said to be missing, never made up.
#[test]
fn there_are_no_statistics() {
    let stats = allocator_stats();
    assert_eq!(stats.source, StatsSource::Other);
    assert_eq!(stats, heaplens_alloc::AllocatorStats::default());
}
