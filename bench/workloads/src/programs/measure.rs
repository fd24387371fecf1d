//! What the process has used of the machine.

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use std::time::Instant;

/// What was used until now, or between two moments.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    at: Instant,
    /// Seconds.
    pub(super) wall: f64,
    /// Seconds, of all threads.
    pub(super) user: f64,
    pub(super) system: f64,
    /// Page faults that needed no disk.
    pub(super) faults: f64,
    /// Context switches, voluntary and not.
    pub(super) switches: f64,
}

impl Usage {
    /// # Panics
    /// When the system does not tell, which would make every figure wrong.
    pub(super) fn now() -> Self {
        let usage = getrusage(UsageWho::RUSAGE_SELF).expect("getrusage of the process itself");
        Usage {
            at: Instant::now(),
            wall: 0.0,
            user: number(usage.user_time().num_microseconds()) / 1e6,
            system: number(usage.system_time().num_microseconds()) / 1e6,
            faults: number(usage.minor_page_faults()),
            switches: number(usage.voluntary_context_switches())
                + number(usage.involuntary_context_switches()),
        }
    }

    /// What was used between this moment and a later one.
    pub(super) fn to(&self, later: &Usage) -> Usage {
        Usage {
            at: self.at,
            wall: later.at.duration_since(self.at).as_secs_f64(),
            user: later.user - self.user,
            system: later.system - self.system,
            faults: later.faults - self.faults,
            switches: later.switches - self.switches,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "small enough to be exact")]
fn number(whole: i64) -> f64 {
    whole as f64
}

/// Bytes that the process had resident at most, since it began. That of `getrusage` counts what
/// its parent had.
///
/// # Panics
/// When Linux's `/proc` does not tell.
pub(super) fn peak_resident() -> u64 {
    status_bytes("VmHWM:")
}

/// What Linux says of the memory of this process in a line of `/proc/self/status`, in bytes.
///
/// # Panics
/// When there is no such line.
#[must_use]
pub fn status_bytes(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let kib: Option<u64> = status.lines().find_map(|text| {
        let rest = text.strip_prefix(line)?;
        rest.strip_suffix("kB")?.trim().parse().ok()
    });
    kib.unwrap_or_else(|| panic!("no {line} in /proc/self/status")) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_touched_becomes_resident_and_takes_faults() {
        let (start, before) = (Usage::now(), peak_resident());
        drop(std::hint::black_box(vec![1_u8; 64 << 20]));
        let used = start.to(&Usage::now());
        assert!(
            used.faults > 0.0 && used.user + used.system > 0.0,
            "{used:?}"
        );
        assert!(peak_resident() >= before + (32 << 20));
    }
}
