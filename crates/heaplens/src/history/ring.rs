//! Values over a day in little memory: the last half hour as they came, two hours by
//! the minute, a day by the quarter of an hour.

use std::collections::VecDeque;

/// Seconds between two values, at the least, and how many there are.
const TIERS: [(u64, usize); 3] = [(0, 120), (60, 120), (900, 96)];

/// See the module. Of several values in one place the last one stays.
#[derive(Clone, Debug)]
pub(crate) struct Ring<T> {
    tiers: [VecDeque<(u64, T)>; TIERS.len()],
}

impl<T> Default for Ring<T> {
    fn default() -> Self {
        Ring {
            tiers: std::array::from_fn(|_| VecDeque::new()),
        }
    }
}

impl<T: Copy> Ring<T> {
    /// Adds the value at this second, which is not before the last one.
    pub(crate) fn push(&mut self, at: u64, value: T) {
        for (tier, (step, most)) in self.tiers.iter_mut().zip(TIERS) {
            let slot = |at: u64| at.checked_div(step).unwrap_or(at);
            match tier.back_mut() {
                Some(last) if slot(last.0) == slot(at) => *last = (at, value),
                _ => {
                    if tier.len() >= most {
                        tier.pop_front();
                    }
                    tier.push_back((at, value));
                }
            }
        }
    }

    /// All values in their order, each from the finest tier that has it.
    pub(crate) fn points(&self) -> impl Iterator<Item = (u64, T)> + '_ {
        let begins = self
            .tiers
            .each_ref()
            .map(|tier| tier.front().map_or(u64::MAX, |point| point.0));
        let tiers = self.tiers.iter().enumerate().rev();
        tiers.flat_map(move |(number, tier)| {
            let finer = number.checked_sub(1).and_then(|finer| begins.get(finer));
            let end = finer.copied().unwrap_or(u64::MAX);
            tier.iter().copied().take_while(move |point| point.0 < end)
        })
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        let places = self.tiers.iter().map(VecDeque::capacity);
        places.sum::<usize>() * size_of::<(u64, T)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_in_three_grains() {
        let mut ring = Ring::default();
        let begin = 1_800_000_000;
        for tick in 0..2 * 24 * 240 {
            let at = begin + tick * 15;
            ring.push(at, tick);
            assert!(ring.bytes() < 10_000, "{}", ring.bytes());
        }
        let end = begin + (2 * 24 * 240 - 1) * 15;
        let points: Vec<(u64, u64)> = ring.points().collect();
        assert!(points.windows(2).all(|two| two[0].0 < two[1].0));
        assert!(points.iter().all(|(at, tick)| *at == begin + tick * 15));
        let count = |from: u64, to: u64| {
            let within = |point: &&(u64, u64)| (from..to).contains(&(end - point.0));
            points.iter().filter(within).count()
        };
        assert_eq!(count(0, 1800), 120);
        assert_eq!(count(1800, 7200), 90);
        assert!((86..=88).contains(&count(7200, 86_400)), "{points:?}");
        assert_eq!(points.last(), Some(&(end, 2 * 24 * 240 - 1)));
    }

    #[test]
    fn the_first_values_are_there_at_once() {
        let mut ring = Ring::default();
        assert_eq!(ring.points().count(), 0);
        for at in [5, 20, 35] {
            ring.push(at, at);
        }
        assert_eq!(
            ring.points().collect::<Vec<_>>(),
            [(5, 5), (20, 20), (35, 35)]
        );
    }
}
