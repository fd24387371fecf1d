//! What the process takes of memory, at one moment.

use heaplens_alloc::AllocatorStats;

use crate::memory::Memory;

/// All in bytes; `None` is not known, or no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    /// Handed out by the allocator.
    pub(crate) allocated: Option<u64>,
    /// In pages with live blocks.
    pub(crate) active: Option<u64>,
    /// Resident set of the process.
    pub(crate) resident: Option<u64>,
    /// Address space that the allocator keeps without memory behind it.
    pub(crate) retained: Option<u64>,
    pub(crate) limit: Option<u64>,
}

impl Process {
    pub(crate) fn of(stats: &AllocatorStats, memory: Memory) -> Self {
        Process {
            allocated: stats.allocated,
            active: stats.active,
            resident: memory.resident,
            retained: stats.retained,
            limit: memory.limit,
        }
    }
}
