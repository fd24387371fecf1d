//! How many of the sampled blocks that are alive were born when.

use std::time::Duration;

use super::windows::{WINDOWS, Windows};

/// A quarter, a half and the whole of each window.
const EDGES: usize = 3 * WINDOWS;

/// Live samples by age, in classes that fit the windows: with the standard ones 7.5, 15, 30,
/// 60, 90 min and so on to 24 h. Takes 400 bytes, whatever is added.
#[derive(Clone, Debug, PartialEq)]
pub struct Cohorts {
    /// Ascending, some of them the same.
    edges: [Duration; EDGES],
    /// From the edge before it on, below its own; the last has none.
    classes: [Class; EDGES + 1],
}

/// Those of one class of age.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Class {
    pub(super) weight: f64,
    pub(super) samples: u32,
}

impl Cohorts {
    /// None yet.
    pub fn new(windows: &Windows) -> Self {
        let mut edges = [Duration::ZERO; EDGES];
        let parts = windows.spans().flat_map(|span| [span / 4, span / 2, span]);
        for (edge, part) in edges.iter_mut().zip(parts) {
            *edge = part;
        }
        edges.sort_unstable();
        Cohorts {
            edges,
            classes: [Class::default(); EDGES + 1],
        }
    }

    /// Adds a live sample of this age that stands for `weight` objects.
    pub fn add(&mut self, age: Duration, weight: f64) {
        let place = self.edges.partition_point(|edge| *edge <= age);
        if let Some(class) = self.classes.get_mut(place) {
            class.weight += weight;
            class.samples = class.samples.saturating_add(1);
        }
    }

    /// All together.
    pub(super) fn all(&self) -> Class {
        sum(&self.classes)
    }

    /// Those that are at least as old as `from`, and younger than `to`; both are a quarter,
    /// a half or the whole of a window.
    pub(super) fn between(&self, from: Duration, to: Duration) -> Class {
        let place = |age: Duration| self.edges.partition_point(|edge| *edge <= age);
        self.classes
            .get(place(from)..place(to))
            .map(sum)
            .unwrap_or_default()
    }
}

fn sum(classes: &[Class]) -> Class {
    let add = |sum: Class, class: &Class| Class {
        weight: sum.weight + class.weight,
        samples: sum.samples.saturating_add(class.samples),
    };
    classes.iter().fold(Class::default(), add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_apart_at_the_parts_of_windows() {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let mut cohorts = Cohorts::new(&Windows::standard());
        for age in [0, 7, 8, 29, 30, 59, 60, 61, 119, 120, 1439, 1440, 100_000] {
            cohorts.add(minutes(age), 2.0);
        }
        let within = |from, to| cohorts.between(minutes(from), minutes(to)).samples;
        assert_eq!(within(30, 60), 2);
        assert_eq!(within(60, 120), 3);
        assert_eq!(within(360, 1440), 1);
        assert_eq!(within(120, 60), 0, "nothing is older and younger");
        let all = cohorts.all();
        assert_eq!(all.samples, 13);
        assert!((all.weight - 26.0).abs() < 1e-12);
    }
}
