//! The walk by unwind tables, through framehop and its cache of rules: no frame
//! pointers needed, nothing allocated, no lock waited for.
//!
//! A few walkers, each with a cache of its own, serve all threads: a thread
//! takes one that is free and goes without if none is. Their flags lie in
//! memory that is zero again in a forked child, so that a walk that another
//! thread was in the middle of at the fork leaves nothing held.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering};

use framehop::{
    CacheNative, ExplicitModuleSectionInfo, FrameAddress, MustNotAllocateDuringUnwind, Unwinder,
    UnwinderNative,
};

use super::frames::Frames;
use super::memory::StackMemory;
use super::modules::{self, Module};
use super::registers::Registers;
use crate::arena::Arena;
use crate::{os, thread};

type Rules = UnwinderNative<&'static [u8], MustNotAllocateDuringUnwind>;
type Cache = CacheNative<MustNotAllocateDuringUnwind>;

/// Walkers that can be at work at once.
const WALKERS: usize = 16;

/// Room on the stack that a walk wants. Evaluating a rule for the first time was
/// seen to take 27 KiB.
pub(crate) const STACK_ROOM: u64 = 48 * 1024;

/// Room that the first walk of the process, or of a walker, wants: a cache is
/// put together on the stack before it moves to its place.
const SETUP_ROOM: u64 = 256 * 1024;

/// The rules of all loaded objects. The sections that `rules` refers to are
/// kept by `modules`, which is dropped after it.
struct Tables {
    rules: Rules,
    modules: Vec<Module>,
    fingerprint: u64,
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
    tables: AtomicPtr<Tables>,
    building: AtomicU8,
    next: AtomicU64,
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
            tables: AtomicPtr::new(std::ptr::null_mut()),
            building: AtomicU8::new(IDLE),
            next: AtomicU64::new(0),
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
        let may_set_up = memory.room() >= SETUP_ROOM;
        if self.tables.load(Ordering::Acquire).is_null() {
            match self.build(may_set_up) {
                Outcome::Walked => {}
                other => return other,
            }
        }
        let Some(held) = self.take(may_set_up) else {
            return Outcome::Busy;
        };
        let tables = self.tables.load(Ordering::Acquire);
        // SAFETY: `replace` frees old tables only after it has held every
        // walker once since they were replaced, so while this walker is held
        // the tables read just now exist.
        let Some(tables) = (unsafe { tables.as_ref() }) else {
            return Outcome::Unavailable;
        };
        // SAFETY: the walker is held, and `take` made its cache ready.
        let cache = unsafe { (*held.walker.cache.get()).assume_init_mut() };
        follow(&tables.rules, cache, start, memory, frames);
        Outcome::Walked
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
        let tables = thread::with_own_memory(|| Box::new(Tables::load()));
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
            let new = Box::into_raw(Box::new(Tables::load()));
            let old = self.tables.swap(new, Ordering::AcqRel);
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

    fn take(&self, may_set_up: bool) -> Option<Held> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        // Only as many walkers as threads sample at once are ever made: try
        // the first ones first.
        let order = (0..WALKERS).map(|step| if step < 2 { (first + step) % 2 } else { step });
        for index in order {
            let (Some(flags), Some(walker)) = (self.flags.get(index), self.walkers.get(index))
            else {
                continue;
            };
            if flags
                .taken
                .compare_exchange(0, 1, Ordering::Acquire, Ordering::Relaxed)
                .is_err()
            {
                continue;
            }
            let held = Held { flags, walker };
            if flags.ready.load(Ordering::Relaxed) == 0 {
                if !may_set_up {
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
    fn load() -> Self {
        let fingerprint = modules::fingerprint();
        let modules = modules::load();
        let mut rules = Rules::new();
        for module in &modules {
            rules.add_module(framehop_module(module));
        }
        Tables {
            rules,
            modules,
            fingerprint,
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

fn follow(
    rules: &Rules,
    cache: &mut Cache,
    start: Registers,
    memory: &StackMemory,
    frames: &mut Frames,
) {
    #[cfg(target_arch = "x86_64")]
    let mut registers = framehop::x86_64::UnwindRegsX86_64::new(start.ip, start.sp, start.fp);
    #[cfg(target_arch = "aarch64")]
    let mut registers = framehop::aarch64::UnwindRegsAarch64::new(start.lr, start.sp, start.fp);
    let mut read = |address| memory.read(address).ok_or(());
    let mut address = FrameAddress::from_instruction_pointer(start.ip);
    while let Ok(Some(caller)) = rules.unwind_frame(address, &mut registers, cache, &mut read) {
        if !frames.push(caller) {
            return;
        }
        let Some(next) = FrameAddress::from_return_address(caller) else {
            return;
        };
        address = next;
    }
}
