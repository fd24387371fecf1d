//! A map on simulated time: each of its entries comes, may be sampled, and goes at a moment of
//! its own.

use std::collections::VecDeque;
use std::time::Duration;

use heaplens::leaks::{Cohorts, Point, Windows};

use crate::random::Random;

/// Ticks of a day.
pub(crate) const DAY: usize = 5760;
/// Seconds of a tick.
pub(crate) const TICK: f64 = 15.0;
/// Mean bytes between two samples: the default of the allocator.
pub(crate) const INTERVAL: f64 = 512.0 * 1024.0;
/// Bytes of a slot of the map's table: key, a value of three words, control byte.
const SLOT: u64 = 33;

/// When an entry goes by itself: at the end of this tick.
pub(crate) const NEVER: usize = usize::MAX;

/// A sampled entry that was alive when it was last looked at.
#[derive(Clone, Copy, Debug)]
struct Sample {
    serial: u64,
    born: usize,
    goes: usize,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct World {
    now: usize,
    entries: u64,
    births: u64,
    deaths: u64,
    /// Entries and samples that go at the end of each tick.
    going: Vec<(u32, u32)>,
    samples: VecDeque<Sample>,
    sampled: Sampled,
    /// Of one entry, beside its slot in the table.
    bytes: f64,
    probability: f64,
    slots: u64,
    /// Bytes of values that grow in place, of all entries together.
    grown: f64,
}

/// Counts of samples.
#[derive(Clone, Copy, Debug, Default)]
struct Sampled {
    alive: u64,
    births: u64,
    deaths: u64,
}

impl World {
    /// Empty, with entries of so many bytes each, sampled every so many bytes.
    pub(crate) fn new(bytes: f64, interval: f64) -> Self {
        World {
            now: 0,
            entries: 0,
            births: 0,
            deaths: 0,
            going: vec![(0, 0); DAY + 1],
            samples: VecDeque::new(),
            sampled: Sampled::default(),
            bytes,
            probability: 1.0 - (-bytes / interval).exp(),
            slots: 0,
            grown: 0.0,
        }
    }

    /// Entries now.
    pub(crate) fn entries(&self) -> u64 {
        self.entries
    }

    /// Inserts so many; `goes` draws for each the tick at whose end it goes.
    pub(crate) fn insert(
        &mut self,
        count: u64,
        random: &mut Random,
        mut goes: impl FnMut(&mut Random) -> usize,
    ) {
        for _ in 0..count {
            let goes = goes(random).max(self.now);
            let is_sampled = random.chance(self.probability);
            let serial = self.births;
            self.births += 1;
            self.entries += 1;
            if let Some(going) = self.going.get_mut(goes) {
                going.0 += 1;
                going.1 += u32::from(is_sampled);
            }
            if is_sampled {
                self.sampled.alive += 1;
                self.sampled.births += 1;
                self.samples.push_back(Sample {
                    serial,
                    born: self.now,
                    goes,
                });
            }
        }
        while self.slots * 7 / 8 < self.entries {
            self.slots = (self.slots * 2).max(16);
        }
    }

    /// Takes the oldest away, where none goes by itself.
    pub(crate) fn evict_down_to(&mut self, most: u64) {
        let count = self.entries.saturating_sub(most);
        self.entries -= count;
        self.deaths += count;
        while self
            .samples
            .front()
            .is_some_and(|first| first.serial < self.deaths)
        {
            self.samples.pop_front();
            self.sampled.alive -= 1;
            self.sampled.deaths += 1;
        }
    }

    /// Takes all away.
    pub(crate) fn clear(&mut self) {
        self.deaths += self.entries;
        self.entries = 0;
        self.sampled.deaths += self.sampled.alive;
        self.sampled.alive = 0;
        self.samples.clear();
        self.going.fill((0, 0));
        self.grown = 0.0;
    }

    /// Values grow by so many bytes in all.
    pub(crate) fn grow_values(&mut self, bytes: f64) {
        self.grown += bytes;
    }

    /// Ends the tick: what is to go goes.
    pub(crate) fn end_tick(&mut self) {
        if let Some((entries, samples)) = self.going.get(self.now) {
            self.entries -= u64::from(*entries);
            self.deaths += u64::from(*entries);
            self.sampled.alive -= u64::from(*samples);
            self.sampled.deaths += u64::from(*samples);
        }
        self.now += 1;
    }

    /// Bytes that it holds in truth.
    pub(crate) fn true_bytes(&self) -> f64 {
        self.table_bytes() + self.entries as f64 * self.bytes + self.grown
    }

    /// Bytes as they are estimated: the table is known, what entries own is sampled.
    pub(crate) fn estimated_bytes(&self) -> f64 {
        self.table_bytes() + self.sampled_bytes(self.sampled.alive) + self.grown
    }

    fn table_bytes(&self) -> f64 {
        (self.slots * SLOT) as f64
    }

    fn objects(&self, samples: u64) -> f64 {
        samples as f64 / self.probability
    }

    fn sampled_bytes(&self, samples: u64) -> f64 {
        self.objects(samples) * self.bytes
    }

    /// As a tracked map reports itself.
    pub(crate) fn map_point(&self) -> Point {
        Point {
            entries: self.entries,
            bytes: self.estimated_bytes() as u64,
            births: self.births,
            deaths: self.deaths,
        }
    }

    /// As the site that makes the values is seen: by samples alone.
    pub(crate) fn site_point(&self) -> Point {
        Point {
            entries: self.objects(self.sampled.alive) as u64,
            bytes: (self.sampled_bytes(self.sampled.alive) + self.grown) as u64,
            births: self.objects(self.sampled.births) as u64,
            deaths: self.objects(self.sampled.deaths) as u64,
        }
    }

    /// Live samples by age.
    pub(crate) fn cohorts(&mut self, windows: &Windows) -> Cohorts {
        let now = self.now;
        self.samples.retain(|sample| sample.goes >= now);
        let mut cohorts = Cohorts::new(windows);
        for sample in &self.samples {
            let age = (now - sample.born) as f64 * TICK;
            cohorts.add(Duration::from_secs_f64(age), 1.0 / self.probability);
        }
        cohorts
    }

    /// Age of the oldest sampled entry.
    pub(crate) fn oldest(&mut self) -> Option<Duration> {
        let now = self.now;
        self.samples.retain(|sample| sample.goes >= now);
        let born = self.samples.front()?.born;
        Some(Duration::from_secs_f64((now - born) as f64 * TICK))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_go_when_they_are_to() {
        let mut random = Random::new(1);
        let mut world = World::new(INTERVAL * 50.0, INTERVAL);
        world.insert(10, &mut random, |_| 0);
        world.insert(5, &mut random, |_| 2);
        world.insert(3, &mut random, |_| NEVER);
        assert_eq!(world.map_point().births, 18);
        world.end_tick();
        assert_eq!((world.entries(), world.map_point().deaths), (8, 10));
        world.end_tick();
        world.end_tick();
        // Of such a size every entry is sampled.
        assert_eq!(world.map_point().entries, 3);
        assert_eq!(world.site_point().entries, 3);
        assert!((world.estimated_bytes() - world.true_bytes()).abs() < 1.0);
        let oldest = world.oldest().expect("alive");
        assert!((oldest.as_secs_f64() - 3.0 * TICK).abs() < 1e-9);
        world.clear();
        assert_eq!((world.entries(), world.map_point().deaths), (0, 18));
    }

    #[test]
    fn the_oldest_give_way() {
        let mut random = Random::new(1);
        let mut world = World::new(INTERVAL * 50.0, INTERVAL);
        for _ in 0..4 {
            world.insert(10, &mut random, |_| NEVER);
            world.evict_down_to(15);
            world.end_tick();
        }
        assert_eq!(world.entries(), 15);
        assert_eq!(world.site_point().entries, 15);
        let oldest = world.oldest().expect("alive");
        assert!((oldest.as_secs_f64() - 2.0 * TICK).abs() < 1e-9);
    }

    #[test]
    fn estimates_are_right_on_average() {
        let mut sum = 0.0;
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut world = World::new(1000.0, INTERVAL);
            world.insert(20_000, &mut random, |_| NEVER);
            sum += world.estimated_bytes() / world.true_bytes();
        }
        // 38 samples each: 16 % of deviation, 1.2 % of the mean of 200.
        assert!((sum / 200.0 - 1.0).abs() < 0.05, "{}", sum / 200.0);
    }
}
