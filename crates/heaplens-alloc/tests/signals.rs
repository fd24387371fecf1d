//! Signal handlers that allocate. That is not allowed, and where the inner
//! allocator bears it, the profiler must bear it too.

mod common;

use std::alloc::GlobalAlloc;
use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::blocks::{layout, obtain, release, release_all};
use common::fake::Fake;
use common::random::Random;
use common::{alone, assert_nothing_is_in_use};
use heaplens_alloc::{Alloc, set_sample_interval};

/// Nothing but an atomic addition: it bears any interruption.
static ALLOC: Alloc<Fake> = Alloc::with(Fake).max_overhead_ppm(0);

static HANDLED: AtomicU64 = AtomicU64::new(0);
/// Blocks that did not come from the wrapped allocator.
static FOREIGN: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

extern "C" fn handler(_: libc::c_int) {
    let number = HANDLED.load(Ordering::Relaxed);
    for size in [8, 48, 5000] {
        let block = obtain(&ALLOC, layout(size), number.is_multiple_of(2));
        // SAFETY: a live block with its layout.
        let ptr = unsafe { ALLOC.realloc(block.ptr, block.layout, 2 * size) };
        let layout = layout(2 * size);
        if !Fake::owns(block.ptr) || !Fake::owns(ptr) {
            FOREIGN.fetch_add(1, Ordering::Relaxed);
        }
        release(&ALLOC, common::blocks::Block { ptr, layout });
    }
    HANDLED.fetch_add(1, Ordering::Release);
}

fn churn() {
    let mut random = Random::new(3);
    let mut held = Vec::new();
    while !STOP.load(Ordering::Relaxed) {
        if held.len() < 50 {
            held.push(obtain(&ALLOC, layout(random.size(13)), random.coin()));
        } else {
            release_all(&ALLOC, held.drain(..));
        }
    }
    release_all(&ALLOC, held);
}

#[test]
fn handlers_may_allocate_at_any_point() {
    // On a busy machine each signal waits for its thread's turn: fewer then.
    const SIGNALS: u64 = 20_000;
    const AT_LEAST: u64 = 500;
    const ENOUGH_TIME: Duration = Duration::from_secs(60);
    let _turn = alone();
    Fake::reset();
    set_sample_interval(1);
    // Sets the unwinder up, and lets the stacks of the loop become known.
    release(&ALLOC, obtain(&ALLOC, layout(8), false));
    // SAFETY: a handler of the right type, for a signal that nothing else uses.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(
            libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()),
            0
        );
    }
    let worker = std::thread::spawn(churn);
    let start = Instant::now();
    for number in 0..SIGNALS {
        if number >= AT_LEAST && start.elapsed() > ENOUGH_TIME {
            break;
        }
        // SAFETY: the thread runs until STOP is set.
        let result = unsafe { libc::pthread_kill(worker.as_pthread_t(), libc::SIGUSR1) };
        assert_eq!(result, 0);
        while HANDLED.load(Ordering::Acquire) <= number {
            std::thread::yield_now();
        }
    }
    STOP.store(true, Ordering::Relaxed);
    worker.join().expect("no panic");
    assert_nothing_is_in_use();
    // What interrupts the profiler must not be served from its bounded memory,
    // which takes nothing back and would soon be used up.
    assert_eq!(FOREIGN.load(Ordering::Relaxed), 0);
}
