//! From which peaks something has come down before.

use std::time::Duration;

/// The highest since the last clearance, and from where that was. What is filled and cleared
/// again and again is no leak while it is filled the next time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peaks {
    highest: f64,
    cleared: Option<(Duration, f64)>,
}

impl Peaks {
    /// Takes in the size of now. `true` if it was cleared: it has fallen below this share of
    /// its peak.
    pub(super) fn observe(
        &mut self,
        now: Duration,
        size: f64,
        share: f64,
        memory: Duration,
    ) -> bool {
        let is_old = |at: Duration| now.saturating_sub(at) > memory;
        self.cleared = self.cleared.filter(|(at, _)| !is_old(*at));
        if size >= share * self.highest {
            self.highest = self.highest.max(size);
            return false;
        }
        let before = self.cleared.map_or(0.0, |(_, peak)| peak);
        self.cleared = Some((now, self.highest.max(before)));
        self.highest = size;
        true
    }

    /// Whether this is more, by this factor, than it was ever cleared from.
    pub(super) fn exceeded_by(&self, size: f64, factor: f64) -> bool {
        self.cleared.is_none_or(|(_, peak)| size >= factor * peak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_cleared_must_exceed_its_peak() {
        let hour = Duration::from_secs(3600);
        let mut peaks = Peaks::default();
        let mut observe = |hours: u32, size| peaks.observe(hour * hours, size, 0.25, hour * 24);
        assert!(!observe(0, 0.0));
        assert!(!observe(1, 100.0));
        assert!(!observe(2, 30.0), "a fall, but no clearance");
        assert!(observe(3, 20.0));
        assert!(!observe(4, 110.0));
        assert!(peaks.exceeded_by(120.0, 1.2));
        assert!(!peaks.exceeded_by(119.0, 1.2));
        // A day later it is forgotten.
        assert!(!peaks.observe(hour * 28, 110.0, 0.25, hour * 24));
        assert!(peaks.exceeded_by(1.0, 1.2));
    }
}
