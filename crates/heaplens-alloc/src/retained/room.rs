//! Whether the process may take the memory that a child needs.

use std::ffi::CStr;

use super::{Limits, RetainedError};
use crate::cgroup;
use crate::os;
use crate::thread;

/// Bytes that a child takes whatever it drops: its stack, its own memory, and pages of
/// libraries and of this crate's that it writes to.
const FIXED: u64 = 8 << 20;

/// Page tables take a 512th of what they map, and a fork copies those of what is resident.
const PAGE_TABLES: u64 = 512;

/// The limits, lowered so that a child at its limit leaves half of what the control
/// groups leave.
///
/// # Errors
/// [`RetainedError::NoRoom`] if a child would hardly begin with what they leave.
pub(super) fn bounded(limits: Limits) -> Result<Limits, RetainedError> {
    let headroom = thread::untracked(cgroup::memory_headroom);
    within(limits, headroom, resident())
}

fn within(limits: Limits, headroom: Option<u64>, resident: u64) -> Result<Limits, RetainedError> {
    let Some(headroom) = headroom else {
        return Ok(limits);
    };
    let needed = FIXED + resident / PAGE_TABLES;
    // As much again for the program meanwhile.
    if headroom < 2 * needed {
        return Err(RetainedError::NoRoom {
            headroom,
            needed: 2 * needed,
        });
    }
    Ok(limits.with_memory(limits.memory.min(headroom / 2)))
}

/// Bytes of this process that are in memory, as the second number of this file says in
/// pages; 0 if it cannot be read.
fn resident() -> u64 {
    let mut text = [0u8; 128];
    os::read_once(STATM, &mut text)
        .and_then(|len| os::number_in(text.get(..len)?, 1))
        .map_or(0, |pages| pages.saturating_mul(os::page_size()))
}

const STATM: &CStr = c"/proc/self/statm";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_gets_half_of_what_is_left() {
        let limits = Limits::default();
        let gib = 1 << 30;
        assert_eq!(within(limits, None, 100 * gib), Ok(limits));
        assert_eq!(within(limits, Some(10 * gib), gib), Ok(limits));
        let lowered = within(limits, Some(gib), gib).map(|limits| limits.memory);
        assert_eq!(lowered, Ok(gib / 2));
        let less = limits.with_memory(1 << 20);
        assert_eq!(within(less, Some(gib), gib), Ok(less));
    }

    #[test]
    fn none_begins_without_room() {
        let needed = 2 * ((8 << 20) + (2 << 20));
        let refused = |headroom| RetainedError::NoRoom { headroom, needed };
        let ask = |headroom| within(Limits::default(), Some(headroom), 1 << 30);
        assert_eq!(ask(0), Err(refused(0)));
        assert_eq!(ask(needed - 1), Err(refused(needed - 1)));
        assert!(ask(needed).is_ok());
    }

    #[test]
    #[cfg_attr(miri, ignore = "reads /proc")]
    fn what_is_resident_is_what_the_kernel_says() {
        let status = std::fs::read_to_string("/proc/self/status").expect("a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes: u64 = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .and_then(|number| number.parse().ok())
            .expect("a number");
        // The kernel adds up its own counters late, and other tests take and give back.
        assert!(resident().abs_diff(kilobytes * 1024) < 64 << 20);
    }
}
