//! The walk by unwind tables: no frame pointers needed, nothing allocated, no lock
//! waited for.
//!
//! Most steps go by a [`Rule`] that some thread has learned before. Where there
//! is none framehop takes the step, and the rule is learned from it. It has to be
//! given room to work in: a few walkers serve all threads, a thread takes one that
//! is free and goes without if none is. Their flags lie in memory that is zero
//! again in a forked child, so that a walk that another thread was in the middle of
//! at the fork leaves nothing held.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, MustNotAllocateDuringUnwind, Unwinder,
    UnwinderNative,
};

use super::frames::Frames;
use super::memory::StackMemory;
use super::modules::{self, Module};
use super::registers::Registers;
use super::rule::{Frame, Rule, Step};
use super::rules::{Key, Rules};
use crate::arena::Arena;
use crate::{os, thread};

type Unwind = UnwinderNative<&'static [u8], MustNotAllocateDuringUnwind>;
type Cache = CacheNative<MustNotAllocateDuringUnwind>;

/// Walkers that can be at work at once.
const WALKERS: usize = 16;

/// Room on the stack that a walk wants. Evaluating a rule for the first time was
/// seen to take 27 KiB.
pub(crate) const STACK_ROOM: u64 = 48 * 1024;

/// Room that the first walk of the process, or of a walker, wants: a cache is
/// put together on the stack before it moves to its place.
const SETUP_ROOM: u64 = 256 * 1024;

/// Rules that are kept: the return addresses of a large service's allocations.
/// 128 KiB once there are so many.
const RULES: usize = 8192;

/// Walks that read the tables and release their pages each; later ones do so
/// together, for there may be steps that no rule can be learned for.
const RELEASED_AT_ONCE: u64 = 1024;
const RELEASE_EVERY: u64 = 16;

/// The tables of all loaded objects. The sections that `unwind` refers to are
/// kept by `modules`, which is dropped after it.
struct Tables {
    unwind: Unwind,
    modules: Vec<Module>,
    fingerprint: u64,
    /// Of the keys of the rules that are learned from these tables.
    generation: u16,
}

struct Walker {
    cache: UnsafeCell<MaybeUninit<Cache>>,
}

// SAFETY: the cache is reached only by the thread that holds the walker's flag.
unsafe impl Sync for Walker {}

/// Flags of one walker, zero = free and without a cache.
#[repr(C)]
struct Flags {
    taken: AtomicU32,
    ready: AtomicU32,
}

/// All walkers and the tables that they use.
pub(crate) struct Pool {
    walkers: &'static [Walker],
    flags: &'static [Flags],
    rules: Rules,
    tables: AtomicPtr<Tables>,
    /// That of the tables.
    generation: AtomicU16,
    building: AtomicU8,
    /// Walks that read the tables.
    reads: AtomicU64,
}

/// How a walk by tables ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Frames were pushed.
    Walked,
    /// All walkers were in use, or the tables are just being read.
    Busy,
    /// There are no tables.
    Unavailable,
}

const IDLE: u8 = 0;
const AT_WORK: u8 = 1;
const FAILED: u8 = 2;

impl Pool {
    /// Walkers without tables; `None` if there is no memory for them.
    pub(crate) fn new(arena: &Arena) -> Option<Self> {
        let flags = os::map_wiped_on_fork(WALKERS * size_of::<Flags>())?;
        // SAFETY: both are fresh, zeroed and aligned (a mapping starts at a
        // page); flags are atomics and walkers are MaybeUninit, for which zero
        // is a value. Neither is ever unmapped.
        let (flags, walkers) = unsafe {
            (
                NonNull::slice_from_raw_parts(flags.cast::<Flags>(), WALKERS).as_ref(),
                arena.zeroed_slice(WALKERS)?,
            )
        };
        Some(Pool {
            walkers,
            flags,
            rules: Rules::new(arena, RULES)?,
            generation: AtomicU16::new(0),
            tables: AtomicPtr::new(std::ptr::null_mut()),
            building: AtomicU8::new(IDLE),
            reads: AtomicU64::new(0),
        })
    }

    /// Walks from `start`, which must be the registers of a function that has
    /// not returned.
    pub(crate) fn walk(
        &self,
        start: Registers,
        memory: &StackMemory,
        frames: &mut Frames,
    ) -> Outcome {
        if self.tables.load(Ordering::Acquire).is_null() {
            match self.build(memory.room() >= SETUP_ROOM) {
                Outcome::Walked => {}
                other => return other,
            }
        }
        let generation = self.generation.load(Ordering::Acquire);
        let mut held = None;
        let mut frame = start.frame();
        loop {
            let known = Key::new(generation, &frame).and_then(|key| self.rules.find(key));
            let step = if let Some(Ok(caller)) = known.map(|rule| rule.apply(&frame, memory)) {
                Ok(caller)
            } else if let Some(held) = held.get_or_insert_with(|| self.take(memory)) {
                self.step(held, &frame, memory, known.is_none())
            } else {
                return Outcome::Busy;
            };
            match step {
                Ok(Some(caller)) if frames.push(caller.address) => frame = caller,
                _ => break,
            }
        }
        if let Some(Some(held)) = &held {
            self.release_pages(held);
        }
        Outcome::Walked
    }

    /// Makes the pages of the tables that a walk has read not resident: what is
    /// learned is not read again, and each page brings fifteen others with it.
    #[cold]
    #[inline(never)]
    fn release_pages(&self, _held: &Held) {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed);
        if reads >= RELEASED_AT_ONCE && !reads.is_multiple_of(RELEASE_EVERY) {
            return;
        }
        // SAFETY: as in `step`, they exist while a walker is held.
        if let Some(tables) = unsafe { self.tables.load(Ordering::Acquire).as_ref() } {
            tables.modules.iter().for_each(Module::release_pages);
        }
    }

    /// The step from a frame to its caller as the tables have it. Learns its rule.
    #[cold]
    #[inline(never)]
    fn step(&self, held: &Held, frame: &Frame, memory: &StackMemory, learn: bool) -> Step {
        let tables = self.tables.load(Ordering::Acquire);
        // SAFETY: `refresh` frees old tables only after it has held every
        // walker once since they were replaced, so while this walker is held
        // the tables read just now exist.
        let tables = unsafe { tables.as_ref() }.ok_or(())?;
        // SAFETY: the walker is held, and `take` made its cache ready.
        let cache = unsafe { (*held.walker.cache.get()).assume_init_mut() };
        let step = unwind(&tables.unwind, cache, frame, &mut |address| {
            memory.read(address).ok_or(())
        });
        let key = Key::new(tables.generation, frame).filter(|_| learn && step.is_ok());
        if let Some(key) = key {
            let rule = Rule::learn(frame, |frame, words| {
                unwind(&tables.unwind, cache, frame, &mut |address| {
                    Ok(words.read(address))
                })
            });
            if let Some(rule) = rule {
                self.rules.keep(key, rule.packed());
            }
        }
        step
    }

    /// Whether the tables could be read.
    pub(crate) fn is_available(&self) -> bool {
        !self.tables.load(Ordering::Relaxed).is_null()
    }

    /// Whether a thread is reading the tables for the first time.
    pub(crate) fn is_building(&self) -> bool {
        !self.is_available() && self.building.load(Ordering::Relaxed) == AT_WORK
    }

    /// Reads the tables for the first time. Allocates: from the arena, since
    /// the caller is inside the profiler.
    fn build(&self, may_set_up: bool) -> Outcome {
        if !may_set_up {
            return Outcome::Busy;
        }
        match self
            .building
            .compare_exchange(IDLE, AT_WORK, Ordering::Acquire, Ordering::Relaxed)
        {
            Ok(_) => {}
            Err(FAILED) => return Outcome::Unavailable,
            Err(_) => return Outcome::Busy,
        }
        let tables = thread::with_own_memory(|| Box::new(Tables::load(0)));
        if tables.modules.is_empty() {
            self.building.store(FAILED, Ordering::Release);
            return Outcome::Unavailable;
        }
        self.tables.store(Box::into_raw(tables), Ordering::Release);
        self.building.store(IDLE, Ordering::Release);
        Outcome::Walked
    }

    /// Reads the tables again if objects were loaded or unloaded since. To be
    /// called outside the allocator: it allocates and waits for walkers.
    pub(crate) fn refresh(&self) {
        if !self.is_available()
            || self
                .building
                .compare_exchange(IDLE, AT_WORK, Ordering::Acquire, Ordering::Relaxed)
                .is_err()
        {
            return;
        }
        let current = self.tables.load(Ordering::Acquire);
        // SAFETY: this thread alone may replace the tables now.
        let known = unsafe { current.as_ref() }.map(|tables| tables.fingerprint);
        if known != Some(modules::fingerprint()) {
            // Rules of objects that were unloaded are found no more.
            let generation = self.generation.load(Ordering::Relaxed).wrapping_add(1);
            let new = Box::into_raw(Box::new(Tables::load(generation)));
            let old = self.tables.swap(new, Ordering::AcqRel);
            self.generation.store(generation, Ordering::Release);
            if self.every_walker_was_free() {
                // SAFETY: made by Box::into_raw; no walker uses it any more
                // and none can find it.
                drop(unsafe { Box::from_raw(old) });
            }
        }
        self.building.store(IDLE, Ordering::Release);
    }

    /// Holds each walker once. `false` if one stays taken, as by a thread that
    /// is stopped: then what it may use must not be freed.
    fn every_walker_was_free(&self) -> bool {
        self.flags.iter().all(|flags| {
            (0..10_000).any(|_| {
                let free = flags
                    .taken
                    .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok();
                if free {
                    flags.taken.store(0, Ordering::Release);
                } else {
                    std::thread::yield_now();
                }
                free
            })
        })
    }

    fn take(&self, memory: &StackMemory) -> Option<Held> {
        // The first ones first: only as many are ever made as are at work at once.
        for (flags, walker) in self.flags.iter().zip(self.walkers) {
            if flags
                .taken
                .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
                .is_err()
            {
                continue;
            }
            let held = Held { flags, walker };
            if flags.ready.load(Ordering::Relaxed) == 0 {
                if memory.room() < SETUP_ROOM {
                    continue;
                }
                // SAFETY: the walker is held; what a parent process may have
                // left there is overwritten without being dropped.
                unsafe { (*walker.cache.get()).write(thread::with_own_memory(Cache::new_in)) };
                flags.ready.store(1, Ordering::Relaxed);
            }
            return Some(held);
        }
        None
    }
}

/// A walker that this thread holds.
struct Held {
    flags: &'static Flags,
    walker: &'static Walker,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.flags.taken.store(0, Ordering::Release);
    }
}

impl Tables {
    fn load(generation: u16) -> Self {
        let fingerprint = modules::fingerprint();
        let modules = modules::load();
        let mut unwind = Unwind::new();
        for module in &modules {
            unwind.add_module(framehop_module(module));
            module.release_pages();
        }
        Tables {
            unwind,
            modules,
            fingerprint,
            generation,
        }
    }
}

fn framehop_module(module: &Module) -> framehop::Module<&'static [u8]> {
    let sections = &module.sections;
    let range = |start: u64, bytes: &[u8]| Some(start..start + bytes.len() as u64);
    let info = ExplicitModuleSectionInfo {
        eh_frame_hdr_svma: range(sections.header_address, sections.header),
        eh_frame_hdr: Some(sections.header),
        eh_frame_svma: range(sections.frames_address, sections.frames),
        eh_frame: Some(sections.frames),
        ..Default::default()
    };
    framehop::Module::new(String::new(), module.code.clone(), module.bias, info)
}

/// One step of framehop.
fn unwind(
    tables: &Unwind,
    cache: &mut Cache,
    frame: &Frame,
    mut read: &mut dyn FnMut(u64) -> Result<u64, ()>,
) -> Step {
    let address = if frame.is_innermost {
        FrameAddress::from_instruction_pointer(frame.address)
    } else {
        FrameAddress::from_return_address(frame.address).ok_or(())?
    };
    #[cfg(target_arch = "x86_64")]
    let mut registers = framehop::x86_64::UnwindRegsX86_64::new(frame.address, frame.sp, frame.fp);
    #[cfg(target_arch = "aarch64")]
    let mut registers = framehop::aarch64::UnwindRegsAarch64::new(frame.link, frame.sp, frame.fp);
    let caller = tables
        .unwind_frame(address, &mut registers, cache, &mut read)
        .map_err(|_| ())?;
    #[cfg(target_arch = "x86_64")]
    let fp = registers.bp();
    #[cfg(target_arch = "aarch64")]
    let fp = registers.fp();
    Ok(caller.map(|caller| Frame::caller(caller, registers.sp(), fp)))
}

#[cfg(test)]
mod tests {
    use super::super::mapped_file::tests::resident;
    use super::*;
    use std::collections::BTreeSet;
    use std::hint::black_box;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn pool() -> Pool {
        // An arena that is not released stays mapped.
        let arena = Arena::reserve(1 << 20).expect("memory");
        Pool::new(&arena).expect("fits")
    }

    /// The walk of the caller's stack, three times: by the unwinder alone, by rules
    /// that are learned on the way, and by rules that are known.
    #[inline(never)]
    fn three_ways(pool: &Pool) -> [Vec<u64>; 3] {
        let start = Registers::here();
        let memory = StackMemory::from(start.sp, thread::stack_bounds());
        let walk = || {
            let mut frames = Frames::new();
            assert_eq!(pool.walk(start, &memory, &mut frames), Outcome::Walked);
            frames.as_slice().to_vec()
        };
        let alone = || {
            let held = pool.take(&memory).expect("a walker is free");
            let (mut frame, mut addresses) = (start.frame(), Vec::new());
            while let Ok(Some(caller)) = pool.step(&held, &frame, &memory, false) {
                addresses.push(caller.address);
                frame = caller;
            }
            addresses
        };
        let learned = walk();
        let (known, alone) = (walk(), alone());
        [learned, known, alone]
    }

    /// Stacks of many shapes: frames of all sizes, of generic and of dynamic
    /// functions, of std's and the C library's code.
    fn stacks(pool: &Pool, shape: u32, depth: u32, seen: &mut Vec<[Vec<u64>; 3]>) {
        if depth == 0 {
            seen.push(three_ways(pool));
            return;
        }
        let mut below = |shape| stacks(pool, shape, depth - 1, seen);
        match shape % 6 {
            0 => {
                let room = black_box([0u8; 16_000]);
                below(shape / 6);
                black_box(room);
            }
            1 => {
                let dynamic: &mut dyn FnMut(u32) = &mut below;
                black_box(dynamic)(shape / 6);
            }
            2 => {
                let mut once = Some(below);
                black_box(&mut [3, 1, 2]).sort_by(|one, other| {
                    if let Some(mut below) = once.take() {
                        below(shape / 6);
                    }
                    one.cmp(other)
                });
            }
            3 => {
                let set: BTreeSet<u32> = [shape / 6].into();
                set.iter().copied().for_each(&mut below);
            }
            4 => {
                let caught = catch_unwind(AssertUnwindSafe(|| below(shape / 6)));
                assert!(caught.is_ok());
            }
            _ => below(black_box(shape / 6)),
        }
        black_box(depth);
    }

    #[test]
    fn rules_lead_where_the_unwinder_does() {
        let pool = pool();
        let mut seen = Vec::new();
        for shape in (0..6u32.pow(4)).step_by(7) {
            stacks(&pool, shape, 4, &mut seen);
        }
        for [learned, known, alone] in &seen {
            assert!(alone.len() > 8, "{alone:x?}");
            assert_eq!(learned, alone);
            assert_eq!(known, alone);
        }
        let distinct: BTreeSet<&Vec<u64>> = seen.iter().map(|[.., alone]| alone).collect();
        assert!(distinct.len() > 100, "{} stacks", distinct.len());
    }

    #[inline(never)]
    fn here(pool: &Pool) -> (Outcome, usize) {
        let start = Registers::here();
        let memory = StackMemory::from(start.sp, thread::stack_bounds());
        let mut frames = Frames::new();
        (
            pool.walk(start, &memory, &mut frames),
            frames.as_slice().len(),
        )
    }

    #[test]
    fn what_a_walk_has_read_does_not_stay_resident() {
        let pool = pool();
        assert_eq!(here(&pool).0, Outcome::Walked);
        assert_eq!(pool.reads.load(Ordering::Relaxed), 1);
        // SAFETY: nothing replaces them here.
        let tables = unsafe { pool.tables.load(Ordering::Acquire).as_ref() };
        let modules = &tables.expect("read").modules;
        assert!(modules.len() > 1);
        for module in modules {
            assert_eq!(resident(module.sections.frames.as_ptr()), Some(0));
        }
    }

    #[test]
    fn known_stacks_need_no_walker() {
        let pool = pool();
        let start = Registers::here();
        let memory = StackMemory::from(start.sp, thread::stack_bounds());
        let mut walks = Vec::new();
        // One call in the code, not one for each turn.
        for turn in 0..black_box(2) {
            let walkers = turn * WALKERS;
            let held: Vec<Held> = (0..walkers).map_while(|_| pool.take(&memory)).collect();
            assert_eq!(held.len(), walkers);
            walks.push(here(black_box(&pool)));
        }
        assert_eq!(walks[0].0, Outcome::Walked);
        assert_eq!(walks[1], walks[0]);
    }
}
