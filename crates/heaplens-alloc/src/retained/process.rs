//! A child process, by a descriptor: whatever becomes of its number, what is killed and
//! reaped here is this one.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// How a process came to its end, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Exited(i32),
    Killed(i32),
    /// Somebody else has reaped it: the program waits for any child, or ignores SIGCHLD.
    Unknown,
}

/// A child of this process that was not reaped here yet.
#[derive(Debug)]
pub(super) struct Process {
    pid: libc::pid_t,
    descriptor: OwnedFd,
}

/// A descriptor of a process. `Err` also if the kernel is older than Linux 5.3.
pub(super) fn descriptor_of(pid: libc::pid_t) -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers.
    let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) })
}

impl Process {
    /// A child that is still there, or was not reaped.
    pub(super) fn new(pid: libc::pid_t, descriptor: OwnedFd) -> Self {
        Process { pid, descriptor }
    }

    pub(super) fn kill(&self) {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: sends a signal to the process behind the descriptor. It fails only if
        // that is gone.
        unsafe {
            let of = self.descriptor.as_raw_fd();
            libc::syscall(libc::SYS_pidfd_send_signal, of, libc::SIGKILL, no_info, 0);
        }
    }

    /// Waits until there is something to read from `other` or the process has ended, at
    /// most so long. Returns which.
    pub(super) fn wait_or_read(&self, other: &OwnedFd, most: Duration) -> (bool, bool) {
        let entry = |of: &OwnedFd| libc::pollfd {
            fd: of.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let mut entries = [entry(&self.descriptor), entry(other)];
        let millis = most.as_millis().clamp(1, 60_000) as libc::c_int;
        // SAFETY: two entries, valid for reading and writing. If it is interrupted, then
        // neither is ready.
        let ready = unsafe { libc::poll(entries.as_mut_ptr(), 2, millis) };
        let [process, other] = entries.map(|entry| ready > 0 && entry.revents != 0);
        (process, other)
    }

    /// Waits for its end, and leaves no zombie.
    pub(super) fn reap(self) -> Ending {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
        let of = self.descriptor.as_raw_fd() as libc::id_t;
        loop {
            // SAFETY: `info` is valid for writing.
            let result =
                unsafe { libc::waitid(libc::P_PIDFD, of, info.as_mut_ptr(), libc::WEXITED) };
            if result == 0 {
                // SAFETY: zeroed, and filled in for a child that ended.
                let (code, status) = unsafe {
                    let info = info.assume_init();
                    (info.si_code, info.si_status())
                };
                return if code == libc::CLD_EXITED {
                    Ending::Exited(status)
                } else {
                    Ending::Killed(status)
                };
            }
            if io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
                return Ending::Unknown;
            }
        }
    }

    /// Pages that were copied or filled for it; `None` if the system does not say.
    pub(super) fn pages_taken(&self) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        // The name before it, in parentheses, may have spaces.
        let (_, fields) = text.rsplit_once(')')?;
        fields.split_ascii_whitespace().nth(7)?.parse().ok()
    }
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests {
    use super::*;

    fn child(status: Option<i32>) -> Process {
        // SAFETY: the child calls what is safe after a fork.
        let pid = unsafe {
            let pid = libc::fork();
            if pid == 0 {
                if let Some(status) = status {
                    libc::_exit(status);
                }
                loop {
                    libc::pause();
                }
            }
            pid
        };
        assert!(pid > 0);
        Process::new(pid, descriptor_of(pid).expect("it was not reaped"))
    }

    #[test]
    fn ends_are_told() {
        for status in [0, 7, 255] {
            assert_eq!(child(Some(status)).reap(), Ending::Exited(status));
        }
        let killed = child(None);
        assert!(killed.pages_taken().is_some_and(|pages| pages < 1 << 30));
        killed.kill();
        assert_eq!(killed.reap(), Ending::Killed(libc::SIGKILL));
    }

    #[test]
    fn one_that_somebody_else_reaped_is_no_harm() {
        let gone = child(Some(3));
        // SAFETY: waits for a child of ours.
        unsafe { libc::waitpid(gone.pid, std::ptr::null_mut(), 0) };
        gone.kill();
        assert_eq!(gone.reap(), Ending::Unknown);
    }
}
