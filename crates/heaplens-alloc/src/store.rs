//! All that the profiler remembers, in one bounded piece of memory.
//!
//! Made by the first thread that samples; if two begin at once, one's is kept
//! and the other's given back. From then on it is never moved or freed.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::arena::Arena;
use crate::config::{self, Defaults};
use crate::counters::{Counters, DropReason};
use crate::live::Live;
use crate::sites::Sites;
use crate::stack::Capture;
use crate::stacks::Stacks;
use crate::thread;
use crate::watches;

pub(crate) struct Store {
    pub(crate) arena: Arena,
    pub(crate) live: Live,
    pub(crate) stacks: Stacks,
    pub(crate) sites: Sites,
    pub(crate) capture: Capture,
    budget: usize,
}

static STORE: AtomicPtr<Store> = AtomicPtr::new(std::ptr::null_mut());

/// Kept apart from the store, so that its own absence can be counted.
static DROPS: [AtomicU64; DropReason::ALL.len()] =
    [const { AtomicU64::new(0) }; DropReason::ALL.len()];

/// Counts a loss.
pub(crate) fn count_drop(reason: DropReason) {
    if let Some(counter) = DROPS.get(reason as usize) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    if reason.loses_sample() {
        watches::lost();
    }
}

/// The store, if anything was ever sampled.
#[inline(always)]
pub(crate) fn get() -> Option<&'static Store> {
    // SAFETY: the pointer is null or was made by `publish`, for good.
    unsafe { STORE.load(Ordering::Acquire).as_ref() }
}

/// The store; makes it on the first call. `None` if there is no memory for it.
pub(crate) fn get_or_make(defaults: &Defaults) -> Option<&'static Store> {
    if let Some(store) = get() {
        return Some(store);
    }
    publish(Store::new(config::budget(defaults))?)
}

fn publish(store: Store) -> Option<&'static Store> {
    // The store's own place is in its arena: nothing of it is on the heap.
    let place: NonNull<Store> = store.arena.allocate(Layout::new::<Store>())?.cast();
    // SAFETY: fresh memory of the right layout. The arena moves along with the
    // store, but its mapping, in which `place` lies, stays where it is.
    let place = unsafe {
        place.write(store);
        place.as_ptr()
    };
    match STORE.compare_exchange(
        std::ptr::null_mut(),
        place,
        Ordering::AcqRel,
        Ordering::Acquire,
    ) {
        // SAFETY: published for good.
        Ok(_) => Some(unsafe { &*place }),
        Err(other) => {
            // SAFETY: ours was never published, so nothing refers to it; the
            // other was, for good.
            unsafe {
                place.read().arena.release();
                Some(&*other)
            }
        }
    }
}

impl Store {
    fn new(budget: usize) -> Option<Self> {
        let arena = Arena::reserve(budget)?;
        let Some((live, stacks, sites, capture)) = Store::lay_out(&arena, budget) else {
            // SAFETY: what was laid out in it is gone.
            unsafe { arena.release() };
            return None;
        };
        Some(Store {
            arena,
            live,
            stacks,
            sites,
            capture,
            budget,
        })
    }

    /// Half of the budget for live samples, little for hash heads, the rest is
    /// used as stacks and sites come.
    fn lay_out(arena: &Arena, budget: usize) -> Option<(Live, Stacks, Sites, Capture)> {
        let slots = Live::slots_in(budget / 2);
        // Six stacks a chain once the budget is used up.
        let heads = (budget / 4096).next_power_of_two();
        let live = Live::new(arena, slots)?;
        let stacks = Stacks::new(arena, heads)?;
        let sites = Sites::new(arena, heads, stacks.overflow())?;
        let capture = Capture::new(arena);
        Some((live, stacks, sites, capture))
    }

    fn memory_used(&self) -> usize {
        // Of the slots only those that were ever used are resident.
        self.arena.used() - self.live.untouched_bytes()
    }
}

/// The profiler's figures on itself. Some twenty loads.
pub fn counters() -> Counters {
    let mut counters = Counters {
        installed: thread::installed_since().is_some(),
        sample_interval: config::sample_interval(),
        max_overhead_ppm: config::max_overhead(),
        sampling_nanos: thread::sampling_nanos(),
        memory_budget: config::DEFAULT_MEMORY_BUDGET as u64,
        ..Counters::default()
    };
    for (count, counter) in counters.drops.iter_mut().zip(&DROPS) {
        *count = counter.load(Ordering::Relaxed);
    }
    if let Some(store) = get() {
        counters.samples = store.sites.samples();
        counters.sample_intervals = store.sites.intervals();
        counters.live_samples = store.live.len();
        counters.stacks = store.stacks.len();
        counters.sites = store.sites.len();
        counters.memory_used = store.memory_used() as u64;
        counters.memory_budget = store.budget as u64;
        counters.walker = store.capture.walker();
    }
    counters
}
