//! What an allocator meets in bad company: requests within requests, layouts
//! at the limits, an inner allocator that refuses, code that reads `errno`.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::blocks::{layout, obtain, release};
use common::estimate::Meter;
use common::ledger::{Ledger, refusing};
use common::shadow::Shadow;
use common::{alone, assert_nothing_is_in_use, drops, lost};
use heaplens_alloc::{Alloc, counters, set_sample_interval, snapshot};

static LEDGER: Ledger<System> = Ledger::new(System);
static ALLOC: Alloc<&Ledger<System>> = Alloc::with(&LEDGER);

/// The profiler's own bookkeeping, its first walk included, never asks the
/// inner allocator: one call below for each call above.
#[test]
fn one_inner_call_for_each_call() {
    let _turn = alone();
    set_sample_interval(1);
    let before = LEDGER.turnover();
    let mut shadow = Shadow::new(&ALLOC, 5, 300);
    for _ in 0..30_000 {
        shadow.step();
    }
    let live = shadow.len() as u64;
    let (given, taken) = LEDGER.turnover();
    assert_eq!(given - before.0, shadow.granted);
    assert_eq!(taken - before.1, shadow.granted - live);
    // Nor does looking at it.
    let seen = snapshot();
    assert_eq!(seen.totals().inuse, shadow.tally());
    assert_eq!(LEDGER.turnover(), (given, taken));
    shadow.finish();
    LEDGER.assert_sound();
    assert_nothing_is_in_use();
}

/// An inner allocator that itself allocates through the global one.
#[derive(Debug)]
struct Nested;

static NESTED: Alloc<Nested> = Alloc::with(Nested);

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static EXTRA: Cell<u64> = const { Cell::new(0) };
}

/// Allocates, resizes and frees a block of its own on the way, three deep.
fn detour() {
    let depth = DEPTH.get();
    if depth >= 3 {
        return;
    }
    DEPTH.set(depth + 1);
    let block = obtain(&NESTED, layout(48), depth == 1);
    // SAFETY: a live block with its layout.
    let ptr = unsafe { NESTED.realloc(block.ptr, block.layout, 96) };
    release(
        &NESTED,
        common::blocks::Block {
            ptr,
            layout: layout(96),
        },
    );
    EXTRA.set(EXTRA.get() + 2);
    DEPTH.set(depth);
}

// SAFETY: all blocks are the system's.
unsafe impl GlobalAlloc for Nested {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        detour();
        // SAFETY: by the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        detour();
        // SAFETY: by the caller's promise.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[test]
fn the_inner_allocator_may_use_the_global_one() {
    let _turn = alone();
    for interval in [1, 64] {
        set_sample_interval(interval);
        EXTRA.set(0);
        let meter = Meter::start();
        let mut shadow = Shadow::new(&NESTED, 6, 50);
        for _ in 0..300 {
            shadow.step();
        }
        if interval == 1 {
            let totals = meter.stop().totals();
            assert_eq!(totals.alloc.samples, shadow.granted + EXTRA.get());
            assert_eq!(totals.inuse, shadow.tally());
        }
        shadow.finish();
        assert_nothing_is_in_use();
    }
}

/// Every seventh call is refused. A refused allocation leaves no trace; after
/// a refused realloc the block, its contents and its record stand.
#[test]
fn refused_calls_leave_things_as_they_were() {
    let _turn = alone();
    set_sample_interval(1);
    let meter = Meter::start();
    let mut shadow = Shadow::new(&ALLOC, 7, 500);
    for step in 0..1_000_000 {
        if step % 7 == 0 {
            refusing(|| shadow.step());
        } else {
            shadow.step();
        }
        if step % 9973 == 0 {
            let totals = meter.stop().totals();
            assert_eq!(totals.inuse, shadow.tally());
            assert_eq!(totals.alloc.samples, shadow.granted);
        }
    }
    assert!(shadow.refused > 1000);
    shadow.finish();
    LEDGER.assert_sound();
    assert_nothing_is_in_use();
}

/// Every fifth request below is refused, also when it is the second one of the
/// same call. Whatever is granted is sampled or counted as lost.
#[test]
fn no_sample_is_lost_silently() {
    let _turn = alone();
    set_sample_interval(1);
    let lost_before = lost();
    let meter = Meter::start();
    let mut shadow = Shadow::new(&ALLOC, 8, 500);
    LEDGER.refuse_every(5);
    for _ in 0..50_000 {
        shadow.step();
    }
    LEDGER.refuse_every(0);
    let samples = meter.stop().totals().alloc.samples;
    assert_eq!(samples + lost() - lost_before, shadow.granted);
    shadow.finish();
    LEDGER.assert_sound();
    assert_nothing_is_in_use();
}

/// Sizes and alignments up to the largest that a `Layout` can have: blocks that
/// can be had are right, for the rest null comes through.
///
/// (A layout of size zero never reaches an allocator: `GlobalAlloc` forbids it.)
#[test]
fn layouts_at_the_limits() {
    let _turn = alone();
    set_sample_interval(1);
    let refused = LEDGER.refused();
    for shift in 0..=30 {
        let align = 1usize << shift;
        for size in [1, 8, 9, 4096, 4097, 100_000] {
            let layout = Layout::from_size_align(size, align).expect("a valid layout");
            let block = obtain(&ALLOC, layout, shift % 2 == 1);
            assert_eq!(block.ptr.addr() % align, 0);
            assert_eq!(counters().live_samples, 1);
            // SAFETY: a live block of this size.
            unsafe { block.ptr.add(size - 1).write(1) };
            release(&ALLOC, block);
        }
        let largest = isize::MAX as usize - (align - 1);
        for size in [largest, largest / align * align, largest - 8] {
            let layout = Layout::from_size_align(size, align).expect("the largest layout");
            // SAFETY: a valid layout of a size above zero.
            unsafe {
                assert!(ALLOC.alloc(layout).is_null());
                assert!(ALLOC.alloc_zeroed(layout).is_null());
            }
            for from in [1, 4096, 100_000] {
                let old = Layout::from_size_align(from, align).expect("a valid layout");
                let block = obtain(&ALLOC, old, false);
                // SAFETY: a live block with its layout, a valid new size.
                assert!(unsafe { ALLOC.realloc(block.ptr, old, size) }.is_null());
                assert_eq!(counters().live_samples, 1);
                release(&ALLOC, block);
            }
        }
    }
    assert!(LEDGER.refused() > refused);
    LEDGER.assert_sound();
    assert_nothing_is_in_use();
}

/// Hands out addresses aligned as asked and no better: an address says nothing
/// about whether a block was sampled.
#[derive(Debug)]
struct Crooked;

static CROOKED: Alloc<Crooked> = Alloc::with(Crooked);

fn crooked(layout: Layout) -> Layout {
    let align = layout.align();
    Layout::from_size_align(layout.size() + align, 2 * align).expect("a valid layout")
}

// SAFETY: an aligned place within the system's own block.
unsafe impl GlobalAlloc for Crooked {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: a size above zero.
        unsafe { System.alloc(crooked(layout)) }.wrapping_add(layout.align())
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `alloc` gave the block this much further on.
        unsafe { System.dealloc(ptr.wrapping_sub(layout.align()), crooked(layout)) }
    }
}

#[test]
fn odd_addresses_are_told_from_samples() {
    let _turn = alone();
    for interval in [1, 64, 4096] {
        set_sample_interval(interval);
        let lost_before = lost();
        let meter = Meter::start();
        let mut shadow = Shadow::new(&CROOKED, interval, 500);
        for _ in 0..100_000 {
            shadow.step();
        }
        if interval == 1 {
            // Large blocks at odd addresses cannot be recorded, and are counted.
            let samples = meter.stop().totals().alloc.samples;
            assert_eq!(samples + lost() - lost_before, shadow.granted);
        }
        shadow.finish();
        assert_nothing_is_in_use();
    }
}

/// Code that allocates or frees between its failed call and its look at
/// `errno` must find it as it was.
#[test]
fn errno_is_left_alone() {
    const MARK: i32 = 4242;
    let _turn = alone();
    let set = |value| {
        // SAFETY: always points to this thread's errno.
        unsafe { *libc::__errno_location() = value };
    };
    let get = || {
        // SAFETY: always points to this thread's errno.
        unsafe { *libc::__errno_location() }
    };
    set_sample_interval(1);
    for size in [1, 100, 4096, 5000] {
        // A new thread: its first sample looks for the bounds of its stack.
        let lost = drops();
        std::thread::spawn(move || {
            set(MARK);
            let block = obtain(&ALLOC, layout(size), false);
            assert_eq!((get(), counters().live_samples), (MARK, 1));
            // SAFETY: a live block with its layout.
            let ptr = unsafe { ALLOC.realloc(block.ptr, block.layout, 2 * size) };
            assert_eq!(get(), MARK);
            let layout = layout(2 * size);
            let refused = refusing(|| {
                // SAFETY: a live block with its layout.
                unsafe { ALLOC.realloc(ptr, layout, 3 * size) }
            });
            assert_eq!((refused.is_null(), get()), (true, MARK));
            release(&ALLOC, common::blocks::Block { ptr, layout });
            assert_eq!((get(), counters().live_samples), (MARK, 0));
        })
        .join()
        .expect("errno is as it was");
        assert_eq!(drops(), lost);
    }
}
