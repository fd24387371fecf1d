//! Seconds since 1970, read by every map without asking the system.
//!
//! Whoever watches the maps sets it: [`tick`] by the agent once a second, and
//! each report. Where nobody watches, it stands still and nothing is dated.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

static NOW: AtomicU32 = AtomicU32::new(0);

/// The time of the last tick; 0 before the first.
#[inline]
pub(crate) fn now() -> u32 {
    NOW.load(Ordering::Relaxed)
}

/// Sets the clock by which maps date their last read, in steps as fine as the
/// calls are frequent. Costs a system call that does not enter the kernel.
///
/// A program without the agent calls this once a second or so if it wants
/// that date; [`report`](crate::report()) calls it too.
pub fn tick() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    NOW.store(
        u32::try_from(seconds).unwrap_or(u32::MAX),
        Ordering::Relaxed,
    );
}

/// A date as the slots have it; 0 is none.
pub(crate) fn date(seconds: u32) -> Option<SystemTime> {
    (seconds != 0).then(|| UNIX_EPOCH + Duration::from_secs(u64::from(seconds)))
}
