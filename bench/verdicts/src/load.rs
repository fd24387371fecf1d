//! How many requests come.

use std::f64::consts::TAU;

use crate::random::Random;
use crate::world::{DAY, TICK};

/// The shape of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Load {
    /// The same all day.
    Steady,
    /// A wave of 24 hours, by 30 to 80 % up and down, at any phase.
    Daily,
    /// Half of the rate, and three times as much in bursts that are a fifth of the time.
    Bursty,
}

impl Load {
    /// All of them.
    pub(crate) const ALL: [Load; 3] = [Load::Steady, Load::Daily, Load::Bursty];

    /// As it is written in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Load::Steady => "steady",
            Load::Daily => "daily wave",
            Load::Bursty => "bursts",
        }
    }
}

/// Requests at a mean rate with the shape of a load, 10 % of noise from tick to tick, and the
/// chance of single events on top.
#[derive(Clone, Debug)]
pub(crate) struct Traffic {
    per_second: f64,
    load: Load,
    amplitude: f64,
    phase: f64,
    period: usize,
}

impl Traffic {
    /// At 5 to 50 requests a second.
    pub(crate) fn draw(load: Load, random: &mut Random) -> Self {
        let per_second = random.between(5.0, 50.0);
        Traffic::at(per_second, load, random)
    }

    /// At this mean rate.
    pub(crate) fn at(per_second: f64, load: Load, random: &mut Random) -> Self {
        Traffic {
            per_second,
            load,
            amplitude: random.between(0.3, 0.8),
            phase: random.between(0.0, TAU),
            period: (random.between(600.0, 3600.0) / TICK) as usize,
        }
    }

    /// The mean rate, a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.per_second
    }

    /// Those of one tick.
    pub(crate) fn arrivals(&self, now: usize, random: &mut Random) -> u64 {
        let noise = (1.0 + 0.1 * random.normal()).max(0.0);
        random.poisson(self.per_second * TICK * self.shape(now) * noise)
    }

    fn shape(&self, now: usize) -> f64 {
        match self.load {
            Load::Steady => 1.0,
            Load::Daily => {
                1.0 + self.amplitude * (TAU * now as f64 / DAY as f64 + self.phase).sin()
            }
            Load::Bursty if now % self.period < self.period / 5 => 3.0,
            Load::Bursty => 0.5,
        }
    }
}

/// Ticks from now on, by a time in seconds.
pub(crate) fn after(now: usize, seconds: f64) -> usize {
    now + (seconds / TICK) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_kept() {
        for load in Load::ALL {
            let mut random = Random::new(5);
            let traffic = Traffic::draw(load, &mut random);
            let sum: u64 = (0..DAY).map(|now| traffic.arrivals(now, &mut random)).sum();
            let expected = traffic.per_second() * 86_400.0;
            assert!((sum as f64 / expected - 1.0).abs() < 0.03, "{load:?}");
        }
    }
}
