//! Per-thread state: the countdown to the next sample.
//!
//! It is const-initialised and has no destructor, so that access is one
//! `%fs`-relative instruction, registers nothing, and stays valid while the
//! thread's other thread-locals are torn down and allocate.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::config::{self, Defaults};
use crate::os;
use crate::sampler::{Random, draw_gap};

/// A gap is counted down in stretches of at most this many bytes. At the end
/// of each the thread looks whether the interval was changed.
const STRETCH: i64 = 4 << 20;

/// A countdown that no allocation can bring below zero.
const NEVER: i64 = i64::MAX;

/// A countdown that every allocation finds below zero.
const ALWAYS: i64 = i64::MIN / 2;

struct State {
    /// Bytes left of the current stretch.
    countdown: Cell<i64>,
    /// Bytes of the gap that lie beyond the current stretch.
    beyond: Cell<i64>,
    /// The interval that the gap was drawn at; 0 = sampling was off.
    interval: Cell<u64>,
    random: Cell<u64>,
    seeded: Cell<bool>,
    /// Inside the profiler's own bookkeeping.
    inside: Cell<bool>,
    /// Depth of [`untracked`] scopes.
    untracked: Cell<u32>,
    /// Bounds of the stack; 0 and 0 until known.
    stack: Cell<(usize, usize)>,
}

thread_local! {
    static STATE: State = const {
        State {
            countdown: Cell::new(0),
            beyond: Cell::new(0),
            interval: Cell::new(0),
            random: Cell::new(0),
            seeded: Cell::new(false),
            inside: Cell::new(false),
            untracked: Cell::new(0),
            stack: Cell::new((0, 0)),
        }
    };
}

static INSTALLED: AtomicBool = AtomicBool::new(false);
static SINCE: AtomicU64 = AtomicU64::new(0);
static FAMILY: AtomicU64 = AtomicU64::new(0);
static NEXT_STREAM: AtomicU64 = AtomicU64::new(0);

/// What is to be done with an allocation that ended a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Serve it as it is.
    Pass,
    /// Sample it; the weight is that of this interval.
    Sample {
        /// Mean bytes between samples when the gap was drawn.
        interval: u64,
    },
    /// The profiler itself asks: serve it from own memory.
    Inside,
}

/// Counts `size` bytes down. `true` if [`decide`] must be asked, which it must
/// then be exactly once for these bytes.
#[inline(always)]
pub(crate) fn charge(size: usize) -> bool {
    STATE.with(|state| {
        let left = state.countdown.get().wrapping_sub(size as i64);
        state.countdown.set(left);
        left < 0
    })
}

/// Decides on an allocation whose [`charge`] went below zero.
#[cold]
#[inline(never)]
pub(crate) fn decide(size: usize, defaults: &Defaults) -> Decision {
    STATE.with(|state| {
        let size = size as i64;
        if state.inside.get() {
            state.countdown.set(ALWAYS);
            return Decision::Inside;
        }
        if state.untracked.get() > 0 {
            state.countdown.set(NEVER);
            return Decision::Pass;
        }
        let before = state.countdown.get().wrapping_add(size);
        let interval = config::interval_or_decide(defaults);
        let fresh = !state.seeded.get() || interval != state.interval.get();
        if fresh {
            start_over(state, interval);
        }
        if interval == 0 {
            state.countdown.set(STRETCH);
            state.beyond.set(0);
            return Decision::Pass;
        }
        // The exponential has no memory: an unfinished gap may be replaced by
        // a new one at any moment that does not depend on where it would end.
        let gap = if fresh {
            state.draw()
        } else {
            before.saturating_add(state.beyond.get())
        };
        let after = gap.saturating_sub(size);
        if after >= 0 {
            state.set_gap(after);
            return Decision::Pass;
        }
        state.set_gap(state.draw());
        Decision::Sample { interval }
    })
}

impl State {
    fn draw(&self) -> i64 {
        let mut random = Random(self.random.get());
        let gap = draw_gap(self.interval.get(), &mut random);
        self.random.set(random.0);
        gap
    }

    fn set_gap(&self, gap: i64) {
        let stretch = gap.min(STRETCH);
        self.countdown.set(stretch);
        self.beyond.set(gap - stretch);
    }
}

fn start_over(state: &State, interval: u64) {
    if !state.seeded.get() {
        if !INSTALLED.swap(true, Ordering::Relaxed) {
            SINCE.store(os::wall_now(), Ordering::Relaxed);
            FAMILY.store(config::seed(), Ordering::Relaxed);
        }
        let index = NEXT_STREAM.fetch_add(1, Ordering::Relaxed);
        let stream = Random::stream(FAMILY.load(Ordering::Relaxed), index);
        state.random.set(stream.0);
        state.seeded.set(true);
    }
    state.interval.set(interval);
}

/// Makes this thread look at the interval at its next allocation.
pub(crate) fn end_stretch() {
    STATE.with(|state| {
        if !state.inside.get() && state.untracked.get() == 0 {
            let left = state.countdown.replace(0);
            state.beyond.set(state.beyond.get().saturating_add(left));
        }
    });
}

/// Whether an allocation has passed through the wrapper, and since when.
pub(crate) fn installed_since() -> Option<u64> {
    INSTALLED
        .load(Ordering::Relaxed)
        .then(|| SINCE.load(Ordering::Relaxed))
}

/// While it lives, what this thread allocates comes from the profiler's own
/// memory and nothing is sampled. `errno` is as before afterwards.
pub(crate) struct Inside {
    countdown: i64,
    _errno: os::ErrnoGuard,
}

/// Enters the profiler's bookkeeping; `None` if this thread is inside already,
/// as in a signal handler that interrupted it.
pub(crate) fn enter() -> Option<Inside> {
    STATE.with(|state| {
        if state.inside.replace(true) {
            return None;
        }
        Some(Inside {
            countdown: state.countdown.replace(ALWAYS),
            _errno: os::ErrnoGuard::new(),
        })
    })
}

impl Drop for Inside {
    fn drop(&mut self) {
        STATE.with(|state| {
            state.countdown.set(self.countdown);
            state.inside.set(false);
        });
    }
}

/// Runs `f` without sampling what this thread allocates meanwhile. Frees of
/// sampled blocks are still seen. Costs a few instructions; scopes nest.
///
/// The profiler's own agent runs in such a scope, so that its memory does not
/// show in the profile of its host.
pub fn untracked<T>(f: impl FnOnce() -> T) -> T {
    struct Scope(i64);
    impl Drop for Scope {
        fn drop(&mut self) {
            STATE.with(|state| {
                state.untracked.set(state.untracked.get() - 1);
                state.countdown.set(self.0);
            });
        }
    }
    let _scope = STATE.with(|state| {
        state.untracked.set(state.untracked.get() + 1);
        Scope(state.countdown.replace(NEVER))
    });
    f()
}

/// Bounds of this thread's stack `(lowest, end)`, looked up on the first call
/// of each thread; `None` where the system cannot tell.
pub(crate) fn stack_bounds() -> Option<(usize, usize)> {
    STATE.with(|state| {
        let known = state.stack.get();
        if known != (0, 0) {
            return (known.1 != 0).then_some(known);
        }
        let found = os::stack_bounds();
        // (1, 0) remembers a failure.
        state.stack.set(found.unwrap_or((1, 0)));
        found
    })
}

/// Restarts this thread's random gaps from `seed`, for tests that repeat.
#[doc(hidden)]
pub fn reseed_thread(seed: u64) {
    STATE.with(|state| {
        state.random.set(Random::stream(seed, 0).0);
        state.seeded.set(true);
        // No interval is this large, so the next allocation draws afresh.
        state.interval.set(u64::MAX);
        state.beyond.set(0);
        state.countdown.set(0);
        if !INSTALLED.swap(true, Ordering::Relaxed) {
            SINCE.store(os::wall_now(), Ordering::Relaxed);
        }
    });
}
