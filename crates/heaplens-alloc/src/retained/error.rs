//! Why there is no answer.

use std::fmt;
use std::io;
use std::time::Duration;

/// Why a what-if drop gave no figures. Displayed with what to do about it. In all cases
/// the program is as it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetainedError {
    /// [`allow_what_if`](super::allow_what_if) was not called.
    NotAllowed,
    /// No allocation of this process goes through an [`Alloc`](crate::Alloc).
    NotInstalled,
    /// This system lacks something.
    Unsupported {
        /// What it lacks.
        what: &'static str,
    },
    /// Another what-if drop of this process is under way.
    Busy,
    /// This thread is panicking: a destructor that panics too would abort.
    Panicking,
    /// The control groups leave too little memory for a child.
    NoRoom {
        /// Bytes that they leave.
        headroom: u64,
        /// Bytes that there must be.
        needed: u64,
    },
    /// A system call of this process failed.
    System {
        /// Which.
        call: &'static str,
        /// With this `errno`.
        errno: i32,
    },
    /// The child could not be closed in, so it has dropped nothing.
    NotClosedIn {
        /// What failed.
        step: &'static str,
        /// With this `errno`.
        errno: i32,
    },
    /// The child took longer than [`Limits::time`](super::Limits::time).
    TimedOut {
        /// That limit.
        limit: Duration,
    },
    /// The child took more memory than [`Limits::memory`](super::Limits::memory).
    TooMuchMemory {
        /// That limit in bytes.
        limit: u64,
    },
    /// Destructors used up the child's stack. They would use up that of the program
    /// when the value is dropped on this thread.
    StackOverflow,
    /// The child came to its end by a signal: a destructor aborted, did what ends the
    /// child, or went wrong.
    Crashed {
        /// Number of the signal.
        signal: i32,
    },
    /// A destructor ended the process.
    Exited {
        /// With this status.
        status: i32,
    },
    /// The child is gone without an answer, and somebody else has reaped it.
    Lost,
    /// What the child said cannot be understood: a destructor wrote where it must not.
    Garbled,
}

/// Steps of closing a child in, by the number under which it tells of them.
pub(super) const STEPS: [&str; 4] = [
    "to reserve memory for what destructors allocate",
    "to set resource limits",
    "to take shared memory away",
    "to install a seccomp filter",
];

impl fmt::Display for RetainedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = |errno: &i32| io::Error::from_raw_os_error(*errno);
        match self {
            RetainedError::NotAllowed => f.write_str(
                "what-if drops are off: they fork this process, and destructors run in the \
                 child. Call `heaplens_alloc::allow_what_if(true)` once at the start",
            ),
            RetainedError::NotInstalled => f.write_str(
                "what would be freed cannot be seen: this program's global allocator is not \
                 Heaplens's. Add `#[global_allocator] static ALLOC: heaplens::Alloc = \
                 heaplens::Alloc::new();`",
            ),
            RetainedError::Unsupported { what } => {
                write!(f, "what-if drops need {what}, which this system lacks")
            }
            RetainedError::Busy => f.write_str(
                "a what-if drop of this process is under way, and there is one at a time: \
                 try again when it is done",
            ),
            RetainedError::Panicking => f.write_str(
                "this thread is panicking, so a destructor that panics would abort: ask \
                 outside of destructors",
            ),
            RetainedError::NoRoom { headroom, needed } => write!(
                f,
                "the memory limit of this process's control group leaves {headroom} bytes, and \
                 a child needs {needed}: ask while the process takes less, or raise the limit"
            ),
            RetainedError::System { call, errno } => {
                write!(f, "{call} failed: {}", cause(errno))
            }
            RetainedError::NotClosedIn { step, errno } => write!(
                f,
                "nothing was dropped, because the child failed {step}: {}",
                cause(errno)
            ),
            RetainedError::TimedOut { limit } => write!(
                f,
                "the drop took longer than {limit:?} and was given up: the value is large, or \
                 a destructor waits for a lock or a thread, which the child does not have. \
                 Set a larger `Limits::time`, if it is the former"
            ),
            RetainedError::TooMuchMemory { limit } => write!(
                f,
                "the drop took more than {limit} bytes of memory and was given up: \
                 destructors write to what they free. Set a larger `Limits::memory`"
            ),
            RetainedError::StackOverflow => f.write_str(
                "destructors used up the stack of the child, as they would that of this \
                 thread: the value is nested too deeply to be dropped recursively",
            ),
            RetainedError::Crashed {
                signal: libc::SIGSYS,
            } => f.write_str(
                "a destructor made a system call that no destructor is expected to make, and \
                 the child was killed for it: this value cannot be measured",
            ),
            RetainedError::Crashed { signal } => write!(
                f,
                "the child ended by signal {signal}: a destructor aborted or went wrong, \
                 touched shared memory that was taken away, or another thread was changing \
                 the value"
            ),
            RetainedError::Exited { status } => {
                write!(f, "a destructor ended the child with status {status}")
            }
            RetainedError::Lost => f.write_str(
                "the child ended without an answer, and this program has reaped it itself \
                 (it waits for any child, or ignores SIGCHLD), so nobody knows how",
            ),
            RetainedError::Garbled => f.write_str(
                "the child's answer cannot be understood: a destructor wrote to memory that \
                 is not its own",
            ),
        }
    }
}

impl std::error::Error for RetainedError {}
