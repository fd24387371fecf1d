//! The life of a child: it closes itself in, drops the value, and tells.
//!
//! Nothing here returns to the program's code, and nothing that the program registered
//! for the end of a process is run.

use std::cell::Cell;
use std::os::fd::RawFd;
use std::panic::{self, AssertUnwindSafe};

use super::gate::Key;
use super::heap::CHILD;
use super::limits::{LEAST_MEMORY, Limits};
use super::lone::Lone;
use super::memory::Origin;
use super::wire::{self, Ended, Usage};
use super::{pipe, seccomp, shared, signals};
use crate::os;
use crate::thread;

static PANICKED: Lone<Cell<bool>> = Lone::new(Cell::new(false));

/// What a child starts with.
pub(super) struct Start {
    pub(super) gate: Key,
    pub(super) limits: Limits,
    /// Its own end of the pipe, and the parent's.
    pub(super) pipe: RawFd,
    pub(super) parents_end: RawFd,
}

/// Drops the value, and ends the process.
///
/// # Safety
/// To be called at once in a new child of `fork`, with all signals blocked. `drop_value`
/// may be called once.
pub(super) unsafe fn run(start: &Start, drop_value: &mut dyn FnMut()) -> ! {
    // SAFETY: a child has one thread, and the filter lets it have no other.
    unsafe {
        let child = CHILD.get();
        child.out.open(start.pipe);
        libc::close(start.parents_end);
        if !pipe::await_release(start.pipe) {
            libc::_exit(1);
        }
        if let Err((step, errno)) = close_in(start) {
            child.out.words(&wire::refused(step, errno));
            libc::_exit(1);
        }
        quieten_panics();
        let result = panic::catch_unwind(AssertUnwindSafe(drop_value));
        let ended = if result.is_ok() {
            Ended::Whole
        } else {
            Ended::Panicked
        };
        // What was thrown may have a destructor too.
        std::mem::forget(result);
        end(ended)
    }
}

/// Tells the parent what was counted, and ends the process.
///
/// # Safety
/// This is a child that was told to start.
pub(super) unsafe fn end(ended: Ended) -> ! {
    // SAFETY: by the caller's promise.
    unsafe {
        let child = CHILD.get();
        child.out.flush();
        child.out.words(&wire::end(ended, usage(), &child.counts));
        libc::_exit(0)
    }
}

/// Whether a destructor has panicked.
///
/// # Safety
/// This is a child.
pub(super) unsafe fn has_panicked() -> bool {
    // SAFETY: by the caller's promise.
    unsafe { PANICKED.get() }.get()
}

/// From here on nothing that this process does shows outside of it. `Err` with a
/// number of [`super::error::STEPS`] and the cause.
///
/// # Safety
/// This is a child, in which no other thread exists.
unsafe fn close_in(start: &Start) -> Result<(), (u32, i32)> {
    // SAFETY: by the caller's promise.
    unsafe {
        let memory = &CHILD.get().memory;
        if !memory.reserve(start.limits.own_memory(), LEAST_MEMORY) {
            return Err((0, libc::ENOMEM));
        }
        start.gate.open();
        thread::enter_child();
        let own = std::alloc::Layout::array::<u8>(signals::STACK).map_err(|_| (0, libc::ENOMEM))?;
        let stack = memory.allocate(own, false, Origin::default());
        if stack.is_null() {
            return Err((0, libc::ENOMEM));
        }
        signals::take_over(stack);
        offer_to_the_oom_killer();
        // No core file of a process that may be as large as the program.
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::prctl(libc::PR_SET_NAME, c"heaplens-drop".as_ptr(), 0, 0, 0);
        start.limits.enforce().map_err(|errno| (1, errno))?;
        shared::replace().map_err(|errno| (2, errno))?;
        seccomp::install(start.pipe).map_err(|errno| (3, errno))
    }
}

/// If memory runs out, it is the child that goes, not the program.
fn offer_to_the_oom_killer() {
    let most = b"1000";
    // SAFETY: a descriptor of our own, and four bytes that live for the call. If it
    // fails, the child is as likely to go as the program.
    unsafe {
        let file = libc::open(
            c"/proc/self/oom_score_adj".as_ptr(),
            libc::O_WRONLY | libc::O_CLOEXEC,
        );
        if file >= 0 {
            libc::write(file, most.as_ptr().cast(), most.len());
            libc::close(file);
        }
    }
}

/// Puts a hook in place of the program's that only notes that there was a panic. It
/// prints nothing and allocates nothing. The program's is not dropped: it may own
/// something.
fn quieten_panics() {
    std::mem::forget(panic::take_hook());
    panic::set_hook(Box::new(|_| {
        // SAFETY: this is the child.
        unsafe { PANICKED.get() }.set(true);
    }));
}

fn usage() -> Usage {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: valid for writing; zero is a value of it.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    Usage {
        cpu_nanos: os::cpu_now(),
        minor_faults: usage.ru_minflt as u64,
    }
}
