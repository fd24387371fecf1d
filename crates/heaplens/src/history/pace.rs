//! When something is to be done again that may take at most a small share of a core.

use std::time::{Duration, Instant};

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};

/// See the module.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Between two times, where that keeps within the share.
    period: Duration,
    /// One part in so many of the time.
    share: u32,
    next: Option<Instant>,
}

impl Pace {
    pub(crate) fn new(period: Duration, share: u32) -> Self {
        Pace {
            period,
            share,
            next: None,
        }
    }

    /// Timers are not exact: a little early counts as due.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let early = self.period / 8;
        self.next.is_none_or(|next| now + early >= next)
    }

    /// Notes that it was begun at `now` and took so much of a core.
    pub(crate) fn done(&mut self, now: Instant, took: Duration) {
        let pause = took.saturating_mul(self.share).max(self.period);
        self.next = now.checked_add(pause);
    }
}

/// What this thread takes of a core while it does this. Where the system has no such
/// clock, it is the time that passes.
pub(crate) fn measured<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = (Instant::now(), processor_time());
    let done = work();
    let took = match (begun.1, processor_time()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => begun.0.elapsed(),
    };
    (done, took)
}

fn processor_time() -> Option<Duration> {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).ok()?;
    u64::try_from(time.num_nanoseconds())
        .ok()
        .map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_by_the_period_or_later_if_it_takes_long() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        let mut pace = Pace::new(Duration::from_secs(60), 1000);
        assert!(pace.is_due(begun));
        pace.done(begun, Duration::from_millis(1));
        assert!(!pace.is_due(after(50)));
        assert!(pace.is_due(after(53)) && pace.is_due(after(90)));
        pace.done(after(60), Duration::from_millis(500));
        assert!(!pace.is_due(after(500)), "500 s for half a second");
        assert!(pace.is_due(after(560)));
        pace.done(begun, Duration::MAX);
        assert!(pace.is_due(begun) || pace.next.is_some());
    }

    #[test]
    fn waiting_takes_nothing() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let (_, took) = measured(|| receiver.recv_timeout(Duration::from_millis(20)));
        assert!(took < Duration::from_millis(20), "{took:?}");
        drop(sender);
    }
}
