//! How much a child may take of the machine.

use std::ffi::CStr;
use std::time::Duration;

use crate::os;

/// How long a what-if drop may take, and how much memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// From the fork to the answer. A child that takes longer is killed. 10 seconds
    /// by default, enough for a hundred million blocks, or a quarter of that where
    /// the program is not optimised.
    pub time: Duration,
    /// Bytes of memory that the child may add to what the process takes: pages that
    /// destructors write to (each reference count of an `Arc`), and what they
    /// allocate. 1 GiB by default. Looked at fifty times a second, so that a child
    /// may be some ten mebibytes beyond when it is killed.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            time: Duration::from_secs(10),
            memory: 1 << 30,
        }
    }
}

impl Limits {
    /// These limits with another [`Limits::time`].
    #[must_use]
    pub fn with_time(self, time: Duration) -> Self {
        Limits { time, ..self }
    }

    /// These limits with another [`Limits::memory`].
    #[must_use]
    pub fn with_memory(self, memory: u64) -> Self {
        Limits { memory, ..self }
    }

    /// Bytes of address space for what destructors allocate.
    pub(super) fn own_memory(&self) -> usize {
        self.memory.clamp(LEAST_MEMORY as u64, 1 << 30) as usize
    }

    /// Has the kernel hold this process to them, in case nobody is there to kill it.
    /// A limit that is lower already stays. `Err` with the cause.
    pub(super) fn enforce(&self) -> Result<(), i32> {
        let seconds = self.time.as_secs().saturating_add(2);
        restrict(libc::RLIMIT_CPU, seconds)?;
        restrict(libc::RLIMIT_CORE, 0)?;
        restrict(libc::RLIMIT_FSIZE, 0)?;
        if let Some(taken) = address_space() {
            restrict(libc::RLIMIT_AS, taken.saturating_add(self.memory))?;
        }
        alarm(seconds)
    }
}

/// Less than this for what destructors allocate is not worth a try.
pub(super) const LEAST_MEMORY: usize = 1 << 20;

#[cfg(target_env = "gnu")]
type Resource = libc::__rlimit_resource_t;
#[cfg(not(target_env = "gnu"))]
type Resource = libc::c_int;

fn restrict(resource: Resource, most: u64) -> Result<(), i32> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `limit` is valid for writing, then for reading.
    unsafe {
        if libc::getrlimit(resource, &raw mut limit) != 0 {
            return Err(os::errno());
        }
        // The hard one too, so that what is dropped cannot raise it again.
        limit.rlim_max = limit.rlim_max.min(most);
        limit.rlim_cur = limit.rlim_cur.min(limit.rlim_max);
        if libc::setrlimit(resource, &raw const limit) != 0 {
            return Err(os::errno());
        }
    }
    Ok(())
}

/// Has SIGALRM end this process after so many seconds.
fn alarm(seconds: u64) -> Result<(), i32> {
    let value = libc::timeval {
        tv_sec: seconds.min(1 << 30).cast_signed(),
        tv_usec: 0,
    };
    let timer = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: value,
    };
    // SAFETY: `timer` is valid for reading.
    if unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) } != 0 {
        return Err(os::errno());
    }
    Ok(())
}

/// Bytes of address space that this process has, which the first number in this file
/// says in pages.
fn address_space() -> Option<u64> {
    let mut text = [0u8; 32];
    let len = os::read_once(STATM, &mut text)?;
    let pages = os::number_in(text.get(..len)?, 0)?;
    Some(pages.saturating_mul(os::page_size()))
}

const STATM: &CStr = c"/proc/self/statm";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "reads /proc")]
    fn address_space_is_what_the_kernel_says() {
        let status = std::fs::read_to_string("/proc/self/status").expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
        let kilobytes: u64 = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .and_then(|number| number.parse().ok())
            .expect("a number");
        let seen = address_space().expect("a number");
        // Other threads of the test map and unmap meanwhile.
        assert!(
            seen.abs_diff(kilobytes * 1024) < 1 << 30,
            "{seen} {kilobytes}"
        );
    }

    #[test]
    fn own_memory_is_bounded() {
        let limits = Limits::default();
        assert_eq!(limits.own_memory(), 1 << 30);
        assert_eq!(limits.with_memory(0).own_memory(), LEAST_MEMORY);
        assert_eq!(limits.with_memory(u64::MAX).own_memory(), 1 << 30);
        assert_eq!(limits.with_memory(5 << 20).own_memory(), 5 << 20);
    }
}
