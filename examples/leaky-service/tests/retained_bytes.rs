//! The service's own count against an allocator that counts: equal to the byte.
//!
//! The allocator is why this file, unlike the service, has unsafe code: a
//! `GlobalAlloc` cannot be had without. It counts by thread, so that tests may
//! run side by side: each drives its case on its own thread alone.

mod driven;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use leaky_service::cases::{CaseName, Mode};

use driven::{Driven, PER_REQUEST, block_on};

thread_local! {
    /// Requested bytes allocated less those freed on this thread.
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOC: Counting = Counting;

fn add(bytes: isize) {
    LIVE.with(|live| live.set(live.get() + bytes));
}

fn live() -> isize {
    LIVE.with(Cell::get)
}

// SAFETY: every method hands its arguments to `System` unchanged and returns
// what that returned; the counter is const-initialised, has no destructor and
// so neither allocates nor fails at the end of a thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        // SAFETY: the caller's contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        // SAFETY: the caller's contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Requests with all their timers in between.
async fn drive(driven: &mut Driven, requests: u64) {
    for _ in 0..requests {
        assert!(driven.request().await.is_success());
        driven.pass(PER_REQUEST).await;
    }
}

fn check(case: CaseName, mode: Mode) {
    block_on(async {
        // What is made once in a process or a thread is made here.
        drive(&mut Driven::new(case, mode), 400).await;

        let mut driven = Driven::new(case, mode);
        // The first poll sets a timer up.
        driven.pass(Duration::ZERO).await;
        let base = live() - driven.retained().bytes as isize;
        for requests in [1, 1, 1, 5, 20, 100, 500, 2500] {
            drive(&mut driven, requests).await;
            let counted = driven.retained();
            assert_eq!(
                live() - base,
                counted.bytes as isize,
                "{case} {mode:?} after {} requests: {counted:?}",
                driven.requests()
            );
        }
        if mode == Mode::Leaking {
            let each = driven.retained().bytes / driven.requests() as usize;
            assert!((300..6_000).contains(&each), "{each} bytes a request");
        }
    });
}

macro_rules! exact {
    ($($name:ident: $case:ident $mode:ident;)*) => {$(
        #[test]
        fn $name() {
            check(CaseName::$case, Mode::$mode);
        }
    )*};
}

exact! {
    sessions_leaking: Sessions Leaking;
    sessions_fixed: Sessions Fixed;
    metrics_leaking: Metrics Leaking;
    metrics_fixed: Metrics Fixed;
    closures_leaking: Closures Leaking;
    closures_fixed: Closures Fixed;
    field_leaking: Field Leaking;
    field_fixed: Field Fixed;
    callbacks_leaking: Callbacks Leaking;
    callbacks_fixed: Callbacks Fixed;
}
