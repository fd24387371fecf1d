//! For how long the signs of a leak have been there.

use std::time::Duration;

use super::windows::{WINDOWS, Windows};

/// Per window a leaky counter of time; and how many looks in a row found something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holds {
    held: [Duration; WINDOWS],
    in_a_row: u32,
    missed: u32,
}

impl Holds {
    /// After a look: which windows hold.
    pub(super) fn add(&mut self, windows: &Windows, holds: [bool; WINDOWS]) {
        // So that what has held for days is not held against it for days.
        let most = windows.second.saturating_mul(3);
        for (held, holds) in self.held.iter_mut().zip(holds) {
            *held = if holds {
                held.saturating_add(windows.look_every).min(most)
            } else {
                held.saturating_sub(windows.look_every)
            };
        }
        if holds.contains(&true) {
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.missed = 0;
        } else {
            self.in_a_row = 0;
            self.missed = self.missed.saturating_add(1);
        }
    }

    /// Enough looks in a row found something; or, for what was a suspect before, too few have
    /// found nothing since.
    pub(super) fn suspicious(&self, windows: &Windows, was: bool) -> bool {
        self.in_a_row >= windows.looks || (was && self.missed < windows.looks)
    }

    /// The short windows have held for long enough. What was a leak before stays one until
    /// they have held for less than half of that.
    pub(super) fn short(&self, windows: &Windows, was: bool) -> bool {
        let [first, second, third, ..] = self.held;
        let needed = |time: Duration| if was { time / 2 } else { time };
        second >= needed(windows.second) && first.saturating_add(third) >= needed(windows.beside)
    }

    /// One of the long windows has held for long enough by itself.
    pub(super) fn long(&self, windows: &Windows, was: bool) -> bool {
        let mut both = windows.specs.iter().zip(self.held);
        both.any(|(window, held)| {
            let needed = |time: Duration| if was { time / 2 } else { time };
            window.alone.is_some_and(|time| held >= needed(time))
        })
    }
}
