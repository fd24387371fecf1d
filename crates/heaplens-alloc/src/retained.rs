//! How many bytes a value retains: what dropping it now would give back.
//!
//! A child of this process, made by `fork`, drops its copy of the value while the
//! allocator only counts what is freed, tells its parent, and ends. So the answer is
//! that of the value's own destructors: exact for any type, closures, trait objects and
//! reference counts included, and without a word in the types themselves. The program
//! keeps its value, and does not notice.
//!
//! ```
//! use std::collections::HashMap;
//! use heaplens_alloc::{Alloc, allow_what_if, retained};
//!
//! #[global_allocator]
//! static ALLOC: Alloc<std::alloc::System> = Alloc::with(std::alloc::System);
//!
//! fn main() -> Result<(), heaplens_alloc::retained::RetainedError> {
//!     allow_what_if(true);
//!     let map = HashMap::from([(1, vec![0u8; 1000]), (2, vec![0u8; 3000])]);
//!     let retained = retained(&map)?;
//!     assert_eq!(retained.blocks, 3); // two vectors and the table
//!     assert!(retained.bytes > 4000);
//!     assert_eq!(map.len(), 2);
//!     Ok(())
//! }
//! ```
//!
//! # What the number means
//!
//! Requested bytes of the blocks that go when this value alone goes. What an `Rc` or
//! `Arc` holds counts if all strong references lie inside the value, and does not if one
//! lies outside. Spare capacity, tables and tree nodes count. What a real drop would not
//! free does not: cycles, leaked blocks, the control block of an `Arc` with a `Weak`
//! outside; nor does memory that does not come from the global allocator, or what a
//! destructor hands to another thread. What destructors allocate and free on their way
//! does not count either.
//!
//! # What a child may do
//!
//! It has one thread and is closed in before it drops anything. A seccomp filter lets it
//! work on its own memory and look at clocks; whatever reaches out of the process, such
//! as writing to a file or a socket, deleting a file, sending a signal or starting a
//! thread, fails with `EPERM`. Shared memory is replaced by private copies, or taken
//! away if there is more than 16 MiB of it or it is a device's. Signals are blocked, no
//! handler and no panic hook of the program runs, no exit handler either. It is the
//! first that the kernel kills when memory runs out, and is killed when it takes longer
//! or more memory than its [`Limits`], or than half of what the process's control groups
//! leave. Where they leave next to nothing, there is no child ([`RetainedError::NoRoom`]).
//!
//! | a destructor | the answer |
//! |---|---|
//! | writes, sends, deletes, spawns a process or thread | exact: the call fails |
//! | panics, prints (which panics when it fails), or joins a thread (the same) | [`Retained::is_lower_bound`] |
//! | panics while another panic unwinds, or in a program with `panic = "abort"` | the same |
//! | takes a lock that was free at the fork | exact |
//! | takes a lock that another thread held, waits for another thread, sleeps for long | [`RetainedError::TimedOut`] |
//! | recurses too deeply | [`RetainedError::StackOverflow`] |
//! | aborts, touches shared memory that was taken away, or makes a system call that destructors do not make (`ptrace`, `mount`, …) | [`RetainedError::Crashed`] |
//! | ends the process | [`RetainedError::Exited`] |
//!
//! # Safety, and why it must be allowed
//!
//! [`retained`] is a safe function for every type, because nothing that the destructors
//! do in the child, be it undefined, reaches another process: what is left to them is
//! their own memory and a pipe whose content the parent checks. If another thread is
//! changing the value through a shared reference at the moment of the fork (under a lock
//! inside of the value, say), the figures may be wrong or the child may crash.
//!
//! Yet `fork` is an act of the whole process, so a program must allow it once, by
//! [`allow_what_if`]:
//!
//! * Libraries' `pthread_atfork` handlers run, on this thread. Whoever holds a lock that
//!   one of them takes must not ask.
//! * Pages are shared with the child until either writes to them: threads that go on
//!   writing pay for copies while the child lives, and before Linux 5.19 direct I/O
//!   (`O_DIRECT`, RDMA) into private memory may miss its page.
//! * The parent gets a SIGCHLD.
//! * Two processes take more memory than one, if little more. Where a cgroup kills all
//!   of its processes together (`memory.oom.group`), the child may be the last straw.
//!
//! # Cost
//!
//! The calling thread is paused by the fork, for 20 to 60 ms a GiB of resident memory,
//! and other threads that map memory meanwhile wait too. The child takes some 80 ns a
//! block. Memory grows by the pages that destructors
//! write to, such as those of reference counts, and otherwise by some hundred KiB.
//! Nothing where nobody asks: on x86-64 a free takes as many instructions as without
//! this, on aarch64 three more.

mod child;
mod classes;
mod counts;
mod error;
pub(crate) mod gate;
pub(crate) mod heap;
mod limits;
mod lone;
mod measurement;
mod memory;
mod pipe;
mod process;
mod report;
mod room;
mod seccomp;
mod shared;
mod signals;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};

pub use error::RetainedError;
pub use limits::Limits;
pub use measurement::Measurement;
pub use report::{Retained, RetainedClass};

static ALLOWED: AtomicBool = AtomicBool::new(false);

/// Allows or forbids what-if drops in this process: see [the module](self) for what is
/// allowed with that. They are forbidden at first.
pub fn allow_what_if(allowed: bool) {
    ALLOWED.store(allowed, Ordering::Relaxed);
}

/// Whether [`allow_what_if`] was called.
pub fn is_what_if_allowed() -> bool {
    ALLOWED.load(Ordering::Relaxed)
}

/// What dropping `value` now would free, in the default [`Limits`]. The caller waits for
/// the answer: see [the module](self) for what it takes and what it means.
///
/// To ask what the content of an `Arc` retains, give `&*arc`: an `Arc` itself retains
/// nothing as long as there is another.
///
/// # Errors
/// [`RetainedError`]: [`NotAllowed`](RetainedError::NotAllowed) unless
/// [`allow_what_if`] was called, and when the child gave no figures.
pub fn retained<T: ?Sized>(value: &T) -> Result<Retained, RetainedError> {
    start(value, Limits::default())?.finish()
}

/// As [`retained`], without waiting: the value is needed for the fork only, so that a
/// lock need not be held until the answer is there.
///
/// # Errors
/// [`RetainedError`], when there is no child.
pub fn start<T: ?Sized>(value: &T, limits: Limits) -> Result<Measurement, RetainedError> {
    if !is_what_if_allowed() {
        return Err(RetainedError::NotAllowed);
    }
    if cfg!(miri) {
        return Err(RetainedError::Unsupported { what: "processes" });
    }
    // Where it is, not moved: some values know their address.
    let value = std::hint::black_box(std::ptr::from_ref(value).cast_mut());
    let mut drop_value = || {
        // SAFETY: called in a child alone, to which nobody returns: there is no code in
        // it that could use the value or a reference to it once more. No other thread
        // exists there. Whatever the destructor does stays in that process.
        unsafe { std::ptr::drop_in_place(value) };
    };
    // SAFETY: see above.
    unsafe { Measurement::start(&mut drop_value, limits) }
}
