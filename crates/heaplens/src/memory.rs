//! What the process takes of memory, and may take.

use std::fs;

use heaplens_alloc::cgroup;

/// Both in bytes; `None` is not known, or no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident set of the process.
    pub(crate) resident: Option<u64>,
    /// The tightest limit of its control groups.
    pub(crate) limit: Option<u64>,
}

impl Memory {
    /// A few reads of small files, some 100 µs.
    pub(crate) fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status");
        Memory {
            resident: status.ok().as_deref().and_then(resident),
            limit: cgroup::memory_limit(),
        }
    }

    /// What is left of the limit. What else counts against it, as the page
    /// cache of files, is given back by the kernel under pressure and is not
    /// taken off.
    pub(crate) fn headroom(&self) -> Option<u64> {
        Some(self.limit?.saturating_sub(self.resident?))
    }
}

/// `VmRSS` of `/proc/self/status`, which is in units of 1024 bytes.
fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_bytes() {
        let status = "Name:\tVmRSS\nVmHWM:\t  9999 kB\nVmRSS:\t  2188 kB\nRssAnon:\t1 kB\n";
        assert_eq!(resident(status), Some(2188 << 10));
        for nonsense in [
            "",
            "VmRSS:",
            "VmRSS:\t12 MB",
            "VmRSS:\t-1 kB",
            "vmrss: 1 kB",
        ] {
            assert_eq!(resident(nonsense), None, "{nonsense}");
        }
        let now = Memory::now();
        assert!(now.resident.is_some_and(|bytes| bytes > 1 << 16), "{now:?}");
    }

    #[test]
    fn headroom_needs_both_and_is_never_negative() {
        let memory = |resident, limit| Memory { resident, limit };
        assert_eq!(memory(Some(30), Some(100)).headroom(), Some(70));
        assert_eq!(memory(Some(130), Some(100)).headroom(), Some(0));
        assert_eq!(memory(Some(30), None).headroom(), None);
        assert_eq!(memory(None, Some(100)).headroom(), None);
    }
}
