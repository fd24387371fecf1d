//! Over which times growth is judged, how finely, and for how long it must hold.

use std::time::Duration;

use super::blocks::BLOCKS;

/// How many windows there are.
pub(super) const WINDOWS: usize = 5;
/// How many rings a series consists of.
pub(super) const RINGS: usize = 3;

/// A ring of a series: so many points, one each step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RingSpec {
    pub(super) step: Duration,
    pub(super) points: usize,
}

/// A window: so many points of one ring to each of its blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WindowSpec {
    pub(super) ring: usize,
    pub(super) per_block: usize,
    /// How long it must have held for a leak, if no other window says so too.
    pub(super) alone: Option<Duration>,
}

/// The windows of a judgement with their resolution, how often it is made, and for how long
/// its signs must be there.
///
/// Whoever pushes points makes a [`Series`](super::Series) and a [`Judge`](super::Judge) of
/// the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    pub(super) rings: [RingSpec; RINGS],
    /// From the shortest to the longest.
    pub(super) specs: [WindowSpec; WINDOWS],
    pub(super) look_every: Duration,
    /// So many looks in a row make a suspect.
    pub(super) looks: u32,
    /// The second window must have held for so long, and
    pub(super) second: Duration,
    /// the first and the third together for so long, for a leak.
    pub(super) beside: Duration,
    /// What does no harm within so long can wait for the third window.
    pub(super) patience: Option<Duration>,
}

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ring(step: Duration, points: usize) -> RingSpec {
    RingSpec { step, points }
}

const fn window(ring: usize, per_block: usize, alone: Option<Duration>) -> WindowSpec {
    WindowSpec {
        ring,
        per_block,
        alone,
    }
}

impl Windows {
    /// For services: 30 min, 2 h, 6 h, 12 h and 24 h, a point every 15 s, a look every 5 min.
    /// A suspect takes 45 min at least, a leak 3 h; one that would take a day to do harm, 6 h.
    pub const fn standard() -> Self {
        Windows {
            rings: [
                ring(seconds(15), 120),
                ring(minutes(1), 120),
                ring(minutes(15), 96),
            ],
            specs: [
                window(0, 5, None),
                window(1, 5, None),
                window(2, 1, Some(minutes(120))),
                window(2, 2, Some(minutes(60))),
                window(2, 4, Some(minutes(60))),
            ],
            look_every: minutes(5),
            looks: 4,
            second: minutes(60),
            beside: minutes(15),
            patience: Some(minutes(24 * 60)),
        }
    }

    /// For demonstrations and tests of a set-up: 72 s, 144 s, 8 min, 16 min and 32 min, a
    /// point every second, a look every 5 s. A suspect takes 87 s at least, a leak 204 s.
    /// Services sweep and warm up more slowly than that: not for production.
    pub const fn demo() -> Self {
        Windows {
            rings: [
                ring(seconds(1), 120),
                ring(seconds(2), 120),
                ring(seconds(20), 96),
            ],
            specs: [
                window(0, 3, None),
                window(1, 3, Some(seconds(90))),
                window(2, 1, Some(seconds(120))),
                window(2, 2, Some(seconds(60))),
                window(2, 4, Some(seconds(60))),
            ],
            look_every: seconds(5),
            looks: 4,
            second: seconds(60),
            beside: seconds(15),
            patience: None,
        }
    }

    /// The same, but nobody waits for a longer window where there is time to: quicker verdicts,
    /// of which more are wrong.
    #[must_use]
    pub const fn without_patience(self) -> Self {
        Windows {
            patience: None,
            ..self
        }
    }

    /// How often a point is to be pushed: 15 s, or 1 s in a demonstration.
    pub const fn tick(&self) -> Duration {
        self.rings[0].step
    }

    /// How often a judgement is made.
    pub const fn look_every(&self) -> Duration {
        self.look_every
    }

    /// The windows, from the shortest to the longest.
    pub fn spans(&self) -> impl ExactSizeIterator<Item = Duration> + '_ {
        self.specs.iter().map(|window| self.span(window))
    }

    /// The longest of them: what a series reaches back.
    pub fn longest(&self) -> Duration {
        self.spans().max().unwrap_or_default()
    }

    pub(super) fn span(&self, window: &WindowSpec) -> Duration {
        let points = BLOCKS * window.per_block;
        let step = self.rings.get(window.ring).map(|ring| ring.step);
        step.unwrap_or_default()
            .saturating_mul(u32::try_from(points).unwrap_or(u32::MAX))
    }

    /// The window of that length.
    pub(super) fn find(&self, span: Duration) -> Option<&WindowSpec> {
        self.specs.iter().find(|window| self.span(window) == span)
    }
}

impl Default for Windows {
    fn default() -> Self {
        Windows::standard()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_fits_its_ring_in_whole_points() {
        for windows in [Windows::standard(), Windows::demo()] {
            for window in &windows.specs {
                let ring = windows.rings[window.ring];
                assert!(BLOCKS * window.per_block <= ring.points, "{window:?}");
                assert_eq!(windows.find(windows.span(window)), Some(window));
            }
            assert!(windows.spans().is_sorted());
            assert_eq!(Some(windows.longest()), windows.spans().last());
        }
    }

    #[test]
    fn as_documented() {
        let standard = Windows::standard();
        let spans = standard.spans().map(|span| span.as_secs() / 60);
        assert_eq!(spans.collect::<Vec<_>>(), [30, 120, 360, 720, 1440]);
        assert_eq!(standard.tick(), Duration::from_secs(15));
        let demo = Windows::demo();
        let spans = demo.spans().map(|span| span.as_secs());
        assert_eq!(spans.collect::<Vec<_>>(), [72, 144, 480, 960, 1920]);
        assert_eq!(demo.tick(), Duration::from_secs(1));
    }
}
