//! The time of series: what has passed since the watch began, unless a test has a time of its
//! own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn(Instant) -> Duration + Send + Sync>);

impl Clock {
    /// The time that passes from `start` on.
    pub(super) fn since(start: Instant) -> Self {
        Clock::new(move |now| now.saturating_duration_since(start))
    }

    /// One that tells its own time of a moment. Later moments have no earlier time.
    pub(crate) fn new(time: impl Fn(Instant) -> Duration + Send + Sync + 'static) -> Self {
        Clock(Arc::new(time))
    }

    pub(super) fn time(&self, moment: Instant) -> Duration {
        (self.0)(moment)
    }

    /// How old in this time is what is `age` old at `now`.
    pub(super) fn age(&self, now: Instant, age: Duration) -> Duration {
        match now.checked_sub(age) {
            Some(born) => self.time(now).saturating_sub(self.time(born)),
            None => age,
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_the_same_time_as_series() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let real = Clock::since(start);
        assert_eq!(real.time(after(7)), Duration::from_secs(7));
        assert_eq!(real.time(start), Duration::ZERO);
        assert_eq!(
            real.age(after(7), Duration::from_secs(3)),
            Duration::from_secs(3)
        );
        let fast = Clock::new(move |now| 60 * now.saturating_duration_since(start));
        assert_eq!(fast.time(after(2)), Duration::from_secs(120));
        assert_eq!(
            fast.age(after(2), Duration::from_secs(1)),
            Duration::from_secs(60)
        );
        assert_eq!(fast.age(start, Duration::MAX), Duration::MAX);
    }
}
