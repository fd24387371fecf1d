//! The parent's side: fork, wait, reap.

use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::RetainedError;
use super::child::{self, Start};
use super::gate::Key;
use super::limits::Limits;
use super::pipe::{self, Reader};
use super::process::{self, Ending, Process};
use super::report::{self, Retained};
use super::room;
use super::signals::Blocked;
use crate::os;
use crate::thread;

/// One at a time: two children could take twice the memory, and each pauses a thread.
static BUSY: AtomicBool = AtomicBool::new(false);

/// While it lives, no other what-if drop begins.
#[derive(Debug)]
struct Turn;

impl Turn {
    fn take() -> Result<Turn, RetainedError> {
        if BUSY.swap(true, Ordering::Acquire) {
            return Err(RetainedError::Busy);
        }
        Ok(Turn)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        BUSY.store(false, Ordering::Release);
    }
}

/// A what-if drop under way: the value is free again, the child is at work. Dropped,
/// the child is killed.
#[derive(Debug)]
pub struct Measurement {
    /// There until it is reaped.
    process: Option<Process>,
    pipe: OwnedFd,
    limits: Limits,
    started: Instant,
    pause: Duration,
    _turn: Turn,
}

/// How often the memory of a child is looked at.
const LOOK: Duration = Duration::from_millis(20);

impl Measurement {
    /// Forks a child that calls `drop_value`.
    ///
    /// # Safety
    /// In a child that has one thread and is closed in, `drop_value` may be called once.
    pub(super) unsafe fn start(
        drop_value: &mut dyn FnMut(),
        limits: Limits,
    ) -> Result<Measurement, RetainedError> {
        if std::thread::panicking() {
            return Err(RetainedError::Panicking);
        }
        let gate = Key::find().ok_or(RetainedError::NotInstalled)?;
        let turn = Turn::take()?;
        let started = Instant::now();
        let limits = room::bounded(limits)?;
        // Better found out before there is a child.
        process::descriptor_of(std::process::id().cast_signed())
            .map_err(|_| RetainedError::Unsupported { what: "Linux 5.4" })?;
        let (ours, theirs) = pipe::pair().map_err(|error| system("socketpair", &error))?;
        let start = Start {
            gate,
            limits,
            pipe: theirs.as_raw_fd(),
            parents_end: ours.as_raw_fd(),
        };
        // SAFETY: by the caller's promise.
        let (pid, pause) = unsafe { fork(&start, drop_value) }?;
        // The child begins when it is told to, so it is there until then, and its number
        // stands for no other process.
        drop(theirs);
        let descriptor = match process::descriptor_of(pid) {
            Ok(descriptor) => descriptor,
            Err(error) => {
                drop(ours);
                reap_by_number(pid);
                return Err(system("pidfd_open", &error));
            }
        };
        pipe::release(&ours);
        Ok(Measurement {
            process: Some(Process::new(pid, descriptor)),
            pipe: ours,
            limits,
            started,
            pause,
            _turn: turn,
        })
    }

    /// How long the fork took, during which the calling thread did nothing else.
    pub fn pause(&self) -> Duration {
        self.pause
    }

    /// Waits for the answer, at most [`Limits::time`] after the fork. May be called on
    /// another thread than [`start`](super::start). What it allocates is not sampled.
    ///
    /// # Errors
    /// [`RetainedError`], when the child gave no figures.
    pub fn finish(mut self) -> Result<Retained, RetainedError> {
        thread::untracked(|| {
            let mut read = Reader::default();
            let failure = self.collect(&mut read).err();
            let ending = self.reap();
            if let Some(failure) = failure {
                return Err(failure);
            }
            match report::answer(read) {
                Some(Ok(figures)) => Ok(Retained {
                    duration: self.started.elapsed(),
                    pause: self.pause,
                    ..figures
                }),
                Some(Err(failure)) => Err(failure),
                None => Err(match ending {
                    Ending::Exited(status) => RetainedError::Exited { status },
                    Ending::Killed(signal) => RetainedError::Crashed { signal },
                    Ending::Unknown => RetainedError::Lost,
                }),
            }
        })
    }

    /// Reads until the child has said its last word or has ended.
    fn collect(&mut self, read: &mut Reader) -> Result<(), RetainedError> {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let mut looked = Instant::now();
        loop {
            let left = self.limits.time.saturating_sub(self.started.elapsed());
            if left.is_zero() {
                return Err(RetainedError::TimedOut {
                    limit: self.limits.time,
                });
            }
            let (ended, readable) = process.wait_or_read(&self.pipe, left.min(LOOK));
            // What it said before it ended is there now.
            if readable || ended {
                let all = read.fill(&self.pipe).map_err(|_| RetainedError::Garbled)?;
                if all || ended {
                    return Ok(());
                }
            }
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                self.check_memory(process)?;
            }
        }
    }

    fn check_memory(&self, process: &Process) -> Result<(), RetainedError> {
        let limit = self.limits.memory;
        match process.pages_taken() {
            Some(pages) if pages.saturating_mul(os::page_size()) > limit => {
                Err(RetainedError::TooMuchMemory { limit })
            }
            _ => Ok(()),
        }
    }

    /// Sees to it that the child is gone. It has no more to say, so it is killed, which
    /// a child that ended does not notice.
    fn reap(&mut self) -> Ending {
        let Some(process) = self.process.take() else {
            return Ending::Unknown;
        };
        process.kill();
        process.reap()
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.reap();
    }
}

/// Returns the child's number and how long it took.
///
/// # Safety
/// As [`Measurement::start`].
unsafe fn fork(
    start: &Start,
    drop_value: &mut dyn FnMut(),
) -> Result<(libc::pid_t, Duration), RetainedError> {
    let _signals = Blocked::new();
    let before = Instant::now();
    // SAFETY: the child does what `child::run` does, and never comes back. libc's own
    // fork, so that allocators and libraries have their handlers run.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        // SAFETY: at once, with all signals blocked; by the caller's promise.
        unsafe { child::run(start, drop_value) };
    }
    let pause = before.elapsed();
    if pid < 0 {
        return Err(system("fork", &std::io::Error::last_os_error()));
    }
    Ok((pid, pause))
}

/// Waits for a child that was not told to begin, and ends by itself for that.
fn reap_by_number(pid: libc::pid_t) {
    // SAFETY: waits for a child of ours that nobody has reaped: it does not end before
    // its end of the pipe is closed.
    while unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } < 0
        && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
    {}
}

fn system(call: &'static str, error: &std::io::Error) -> RetainedError {
    RetainedError::System {
        call,
        errno: error.raw_os_error().unwrap_or_default(),
    }
}
