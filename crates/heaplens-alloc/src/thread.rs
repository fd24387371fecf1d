//! Per-thread state: the countdown to the next sample.
//!
//! It is const-initialised and has no destructor, so that access is one
//! `%fs`-relative instruction, registers nothing, and stays valid while the
//! thread's other thread-locals are torn down and allocate.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::{self, Defaults};
use crate::label_sets::LabelSet;
use crate::mark::Mark;
use crate::os;
use crate::pace::Pace;
use crate::sampler::{Random, draw_gap};
use crate::watches::{self, Chain};

/// A gap is counted down in stretches of at most this many bytes. At the end
/// of each the thread looks whether the interval was changed.
const STRETCH: i64 = 4 << 20;

/// A countdown that no allocation can bring below zero.
const NEVER: i64 = i64::MAX;

/// A countdown that every allocation finds below zero.
const ALWAYS: i64 = i64::MIN / 2;

/// In place of an interval: no gap is running.
const NO_GAP: u64 = u64::MAX;

struct State {
    /// Bytes left of the current stretch.
    countdown: Cell<i64>,
    /// Length of the current stretch.
    stretch: Cell<i64>,
    /// Bytes of the gap that lie beyond the current stretch.
    beyond: Cell<i64>,
    /// The interval that the gap was drawn at; 0 = sampling was off.
    interval: Cell<u64>,
    /// State of the thread's random numbers; 0 until it has them.
    random: Cell<u64>,
    /// How often this thread may sample.
    pace: Pace,
    /// Depth of scopes in which nothing is sampled.
    muted: Cell<u32>,
    /// Allocations come from the profiler's own memory.
    own_memory: Cell<bool>,
    /// What else is going on.
    mode: Cell<Mode>,
    /// Bounds of the stack; 0 and 0 until known.
    stack: Cell<(usize, usize)>,
    /// Who holds what is sampled.
    mark: Cell<Mark>,
    /// The labels of what is sampled.
    labels: Cell<LabelSet>,
    /// Depth of scopes in which everything is sampled.
    watching: Cell<u32>,
    /// The chain of watches on this thread, if it watches itself.
    chain: Cell<Chain>,
}

/// Whether allocations are sampled at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// As the countdown has it.
    Usual,
    /// None are, and all come to [`decide`]: see [`probe`].
    Probing,
    /// The same, for good: see [`enter_child`].
    Child,
}

thread_local! {
    static STATE: State = const {
        State {
            countdown: Cell::new(0),
            stretch: Cell::new(0),
            beyond: Cell::new(0),
            interval: Cell::new(NO_GAP),
            random: Cell::new(0),
            pace: Pace::new(),
            muted: Cell::new(0),
            own_memory: Cell::new(false),
            mode: Cell::new(Mode::Usual),
            stack: Cell::new((0, 0)),
            mark: Cell::new(Mark::NONE),
            labels: Cell::new(LabelSet::NONE),
            watching: Cell::new(0),
            chain: Cell::new(Chain::ALL),
        }
    };
}

/// Runs `f` on this thread's state.
#[inline(always)]
fn with<R>(f: impl FnOnce(&State) -> R) -> R {
    // So small a closure is always inlined, so that the compiler sees that there
    // is no destructor to come too late for, and leaves out the panic that says so.
    let state = STATE.with(std::ptr::from_ref);
    // SAFETY: without a destructor the state lives as long as its thread, which
    // runs `f`.
    f(unsafe { &*state })
}

/// When the first allocation passed through the wrapper, in wall-clock
/// nanoseconds; 0 before that.
static SINCE: AtomicU64 = AtomicU64::new(0);
/// See [`sampling_nanos`].
static SAMPLING_NANOS: AtomicU64 = AtomicU64::new(0);
/// Which family of random streams this process uses; 0 until it is decided.
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
    with(|state| {
        let left = state.countdown.get().wrapping_sub(size as i64);
        state.countdown.set(left);
        left < 0
    })
}

/// Decides on an allocation whose [`charge`] went below zero.
#[cold]
#[inline(never)]
pub(crate) fn decide(size: usize, defaults: &Defaults) -> Decision {
    with(|state| {
        let size = size as i64;
        if state.mode.get() != Mode::Usual {
            state.countdown.set(ALWAYS);
            return Decision::Pass;
        }
        if state.own_memory.get() {
            state.countdown.set(ALWAYS);
            return Decision::Inside;
        }
        if state.muted.get() > 0 {
            state.countdown.set(NEVER);
            return Decision::Pass;
        }
        let set = config::interval_or_decide(defaults);
        if state.watching.get() > 0 {
            state.countdown.set(ALWAYS);
            return Decision::Sample { interval: 1 };
        }
        let before = state.countdown.get().wrapping_add(size);
        let drawn_at = state.interval.get();
        if drawn_at == 0 || drawn_at == NO_GAP {
            // No gap is running: one begins with this allocation.
            let interval = state.paced(set, 0, defaults);
            state.begin_gap(interval);
            return state.judge(size, state.gap(), interval, interval);
        }
        let gap = before.saturating_add(state.beyond.get());
        let passed = state.stretch.get().saturating_sub(state.countdown.get());
        let interval = state.paced(set, passed, defaults);
        state.judge(size, gap, drawn_at, interval)
    })
}

impl State {
    /// Judges an allocation by the gap that runs when it comes, which was drawn
    /// at `drawn_at`, also if the interval is another by now: the end of a gap
    /// is the one moment at which it must not be replaced. Whatever begins anew
    /// begins after this allocation.
    fn judge(&self, size: i64, gap: i64, drawn_at: u64, interval: u64) -> Decision {
        if drawn_at == 0 {
            return Decision::Pass;
        }
        let after = gap.saturating_sub(size);
        if after < 0 {
            self.begin_gap(interval);
            return Decision::Sample { interval: drawn_at };
        }
        if interval == drawn_at {
            self.set_gap(after);
        } else {
            // The exponential has no memory: an unfinished gap may be replaced.
            self.begin_gap(interval);
        }
        Decision::Pass
    }

    /// The interval to draw gaps at where `set` is what was asked for, after so
    /// many bytes since the last look.
    fn paced(&self, set: u64, passed: i64, defaults: &Defaults) -> u64 {
        let overhead = config::overhead_or_decide(defaults);
        // An interval of 1 is for exact figures.
        if set <= 1 || overhead == 0 {
            self.pace.pause();
            return set;
        }
        self.pace.allocated(passed, os::now());
        self.pace.interval(set, f64::from(overhead) / 1e6)
    }

    /// Draws a gap at this interval; with sampling off, sets the distance to
    /// the next look at the interval.
    fn begin_gap(&self, interval: u64) {
        self.interval.set(interval);
        if interval == 0 {
            self.set_gap(STRETCH);
            return;
        }
        let mut random = match self.random.get() {
            0 => first_random(),
            state => Random(state),
        };
        self.set_gap(draw_gap(interval, &mut random));
        self.random.set(random.0);
    }

    fn set_gap(&self, gap: i64) {
        let stretch = gap.min(STRETCH);
        self.countdown.set(stretch);
        self.stretch.set(stretch);
        self.beyond.set(gap - stretch);
    }

    /// The countdown with which nothing is sampled.
    fn quiet(&self) -> i64 {
        match self.mode.get() {
            Mode::Usual => NEVER,
            Mode::Probing | Mode::Child => ALWAYS,
        }
    }

    fn gap(&self) -> i64 {
        self.countdown.get().saturating_add(self.beyond.get())
    }
}

/// Notes that what a sample takes has been done since the last [`decide`], or
/// been given up. To be called before the block is obtained: that is the
/// program's own time.
pub(crate) fn sampled(interval: u64) {
    if interval > 1 && config::max_overhead() > 0 {
        let taken = with(|state| state.pace.sampled(os::now()));
        SAMPLING_NANOS.fetch_add(taken, Ordering::Relaxed);
    }
}

/// Nanoseconds that all threads spent on taking samples; 0 while that is not
/// bounded, and so not measured.
pub(crate) fn sampling_nanos() -> u64 {
    SAMPLING_NANOS.load(Ordering::Relaxed)
}

/// The beginning of this thread's stream of random numbers.
#[cold]
fn first_random() -> Random {
    let family = match FAMILY.load(Ordering::Relaxed) {
        0 => decide_family(),
        family => family,
    };
    Random::stream(family, NEXT_STREAM.fetch_add(1, Ordering::Relaxed))
}

fn decide_family() -> u64 {
    let seed = config::seed().max(1);
    match FAMILY.compare_exchange(0, seed, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => seed,
        Err(decided_meanwhile) => decided_meanwhile,
    }
}

/// Notes that the wrapper is in use.
pub(crate) fn note_installed() {
    if SINCE.load(Ordering::Relaxed) == 0 {
        let now = os::wall_now().max(1);
        // Whoever comes first is near enough.
        let _ = SINCE.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// Since when allocations pass through the wrapper, in wall-clock nanoseconds;
/// `None` if none has.
pub(crate) fn installed_since() -> Option<u64> {
    match SINCE.load(Ordering::Relaxed) {
        0 => None,
        since => Some(since),
    }
}

/// Sets the mean bytes between samples; 0 switches sampling off. Takes effect
/// at once on the calling thread and on each other one within its next 4 MiB of
/// allocations. Estimates stay unbiased, since each sample keeps the interval
/// that it was drawn at.
pub fn set_sample_interval(bytes: u64) {
    config::set_interval(bytes);
    restart_gap();
}

/// Makes this thread take up the interval at its next allocation.
fn restart_gap() {
    with(|state| {
        if state.muted.get() == 0 {
            // This moment has nothing to do with where the gap would end, so
            // the gap may be dropped.
            state.countdown.set(0);
            state.interval.set(NO_GAP);
        }
    });
}

/// While it lives, nothing that this thread allocates is sampled.
struct Muted {
    countdown: i64,
}

impl Muted {
    fn new() -> Self {
        with(|state| {
            state.muted.set(state.muted.get() + 1);
            Muted {
                countdown: state.countdown.replace(state.quiet()),
            }
        })
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        with(|state| {
            state.muted.set(state.muted.get() - 1);
            let countdown = match state.muted.get() {
                _ if state.mode.get() == Mode::Child => ALWAYS,
                // A watch may have begun or ended meanwhile.
                0 if state.watching.get() > 0 => ALWAYS,
                0 if state.interval.get() == NO_GAP => 0,
                _ => self.countdown,
            };
            state.countdown.set(countdown);
        });
    }
}

/// Runs `f` without sampling what this thread allocates meanwhile. Frees of
/// sampled blocks are still seen. Costs a few instructions; scopes nest.
///
/// The profiler's own agent runs in such a scope, so that its memory does not
/// show in the profile of its host.
pub fn untracked<T>(f: impl FnOnce() -> T) -> T {
    let _muted = Muted::new();
    f()
}

/// Runs `f`, all of whose allocations pass through the slow path, unsampled, so that
/// the allocator that serves them can be told.
pub(crate) fn probe(f: impl FnOnce()) {
    let countdown = with(|state| {
        state.mode.set(Mode::Probing);
        state.countdown.replace(ALWAYS)
    });
    f();
    with(|state| {
        state.mode.set(Mode::Usual);
        state.countdown.set(countdown);
    });
}

/// Whether this thread is in [`probe`].
pub(crate) fn is_probing() -> bool {
    with(|state| state.mode.get() == Mode::Probing)
}

/// Sends all allocations of this thread, the only one of its process, through the
/// slow path for good, unsampled.
pub(crate) fn enter_child() {
    with(|state| {
        state.mode.set(Mode::Child);
        state.countdown.set(ALWAYS);
    });
}

/// Runs the profiler's bookkeeping: nothing is sampled meanwhile, not even for
/// a signal handler that interrupts it, and `errno` is as before afterwards.
pub(crate) fn inside<T>(f: impl FnOnce() -> T) -> T {
    let _errno = os::ErrnoGuard::new();
    untracked(f)
}

/// Runs `f`, whose allocations come from the profiler's own memory. For use
/// [`inside`] only.
pub(crate) fn with_own_memory<T>(f: impl FnOnce() -> T) -> T {
    struct Scope(i64);
    impl Drop for Scope {
        fn drop(&mut self) {
            with(|state| {
                state.own_memory.set(false);
                state.countdown.set(self.0);
            });
        }
    }
    let _scope = with(|state| {
        state.own_memory.set(true);
        Scope(state.countdown.replace(ALWAYS))
    });
    f()
}

/// While it lives, everything that this thread allocates is sampled, with the
/// weight of one. Such scopes nest.
#[derive(Debug)]
pub(crate) struct Watching;

impl Watching {
    /// `None` if there is no chain left for this thread.
    pub(crate) fn start() -> Option<Self> {
        with(|state| {
            if state.watching.get() == 0 {
                state.chain.set(watches::take_chain()?);
                // The gap may be dropped, as in `restart_gap`.
                state.interval.set(NO_GAP);
                if state.muted.get() == 0 {
                    state.countdown.set(ALWAYS);
                }
            }
            state.watching.set(state.watching.get() + 1);
            Some(Watching)
        })
    }

    /// The chain that blocks of this thread are on meanwhile.
    #[expect(clippy::unused_self, reason = "only while it lives")]
    pub(crate) fn chain(&self) -> Chain {
        chain()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        with(|state| {
            state.watching.set(state.watching.get() - 1);
            if state.watching.get() == 0 {
                watches::free_chain(state.chain.replace(Chain::ALL));
                restart_gap();
            }
        });
    }
}

/// The chain of watches that this thread is on.
pub(crate) fn chain() -> Chain {
    with(|state| state.chain.get())
}

/// Who holds what this thread samples at present.
pub(crate) fn mark() -> Mark {
    with(|state| state.mark.get())
}

/// Sets who holds what this thread samples from now on; returns who did.
pub(crate) fn replace_mark(mark: Mark) -> Mark {
    with(|state| state.mark.replace(mark))
}

/// The labels of what this thread samples at present.
pub(crate) fn labels() -> LabelSet {
    with(|state| state.labels.get())
}

/// Sets the labels of what this thread samples from now on; returns those before.
pub(crate) fn replace_labels(labels: LabelSet) -> LabelSet {
    with(|state| state.labels.replace(labels))
}

/// Bounds of this thread's stack `(lowest, end)`, looked up on the first call
/// of each thread; `None` where the system cannot tell.
pub(crate) fn stack_bounds() -> Option<(usize, usize)> {
    with(|state| {
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
    with(|state| state.random.set(Random::stream(seed, 0).0.max(1)));
    restart_gap();
}
