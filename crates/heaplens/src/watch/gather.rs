//! What is alive at one moment, by the row that it was allocated in, and by who holds it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use heaplens_alloc::holder::{Holder, Part};
use heaplens_alloc::{each_live, each_site};

use crate::leaks::{Cohorts, Windows};

/// Of one row: a stack, a size class and labels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) objects: f64,
    pub(super) bytes: f64,
    /// Objects allocated since sampling began.
    pub(super) births: f64,
}

/// All rows, by their number.
#[derive(Debug, Default)]
pub(super) struct Sums {
    pub(super) rows: HashMap<u32, Row, Spread>,
    /// Bytes of a row that somebody holds as contents.
    pub(super) held: HashMap<(u32, Holder), f64, Spread>,
    pub(super) bytes: f64,
}

impl Sums {
    /// Some 50 ns a live sample and row.
    pub(super) fn now() -> Self {
        let mut sums = Sums::default();
        each_live(|sample| {
            let row = sums.rows.entry(sample.site).or_default();
            row.objects += sample.objects;
            row.bytes += sample.bytes;
            sums.bytes += sample.bytes;
            if let Some((holder, Part::Contents)) = sample.holder {
                *sums.held.entry((sample.site, holder)).or_default() += sample.bytes;
            }
        });
        each_site(|site, alloc| {
            sums.rows.entry(site).or_default().births = alloc.objects;
        });
        sums
    }
}

/// Spreads numbers by a multiplication. They are the process's own, and nobody chooses them.
pub(super) type Spread = BuildHasherDefault<Spreading>;

/// See [`Spread`].
#[derive(Debug, Default)]
pub(super) struct Spreading(u64);

impl Hasher for Spreading {
    fn finish(&self) -> u64 {
        // The upper bits depend on all that was written.
        self.0.rotate_left(26)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// For whom live samples are counted by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// A group of maps, by what it holds.
    Holder(Holder),
    /// A call site, by its number.
    Place(u32),
}

/// Counts live samples by age, for those who are wanted; `place_of` gives the call site of a
/// row, `age_of` what an age is in the time of series. Some 50 ns a live sample.
pub(super) fn ages(
    windows: &Windows,
    wanted: &[Owner],
    place_of: impl Fn(u32) -> Option<u32>,
    age_of: impl Fn(Duration) -> Duration,
) -> HashMap<Owner, Cohorts> {
    let mut ages: HashMap<Owner, Cohorts> = wanted
        .iter()
        .map(|owner| (*owner, Cohorts::new(windows)))
        .collect();
    if ages.is_empty() {
        return ages;
    }
    each_live(|sample| {
        let holder = match sample.holder {
            Some((holder, Part::Contents)) => Some(Owner::Holder(holder)),
            _ => None,
        };
        let place = place_of(sample.site).map(Owner::Place);
        for owner in [holder, place].into_iter().flatten() {
            if let Some(cohorts) = ages.get_mut(&owner) {
                cohorts.add(age_of(sample.age), sample.objects);
            }
        }
    });
    ages
}
