//! What the process takes of memory, at one moment.

use heaplens_alloc::AllocatorStats;

use super::varint::{Reader, write};
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

    fn figures(&self) -> [Option<u64>; 5] {
        [
            self.allocated,
            self.active,
            self.resident,
            self.retained,
            self.limit,
        ]
    }

    /// Appends it: each figure and one, or nothing where it is not known.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for figure in self.figures() {
            write(out, figure.map_or(0, |figure| figure.saturating_add(1)));
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut figure = || from.read().map(|written| written.checked_sub(1));
        Some(Process {
            allocated: figure()?,
            active: figure()?,
            resident: figure()?,
            retained: figure()?,
            limit: figure()?,
        })
    }
}
