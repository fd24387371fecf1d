//! What a series is: its name, its help, its labels, and where its figures come
//! from.

use std::borrow::Cow;

use heaplens_maps::CacheReport;

use super::cost::Cost;
use super::reading::Reading;
use super::{allocator, caches, maps, profiler, verdicts};
use crate::map_group::MapGroup;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Never negative.
    Gauge,
    /// A gauge that may be negative.
    Trend,
    Counter,
}

/// Where the values come from. What is not known has none.
#[derive(Clone, Copy)]
enum Values {
    /// One value, without labels.
    One(fn(&Reading) -> Option<f64>),
    /// One a group of maps, labelled `map`.
    Map(fn(&MapGroup) -> Option<f64>),
    /// One a group of caches, labelled `cache`.
    Cache(fn(&CacheReport) -> Option<u64>),
    /// Any number, with these labels.
    By(&'static [&'static str], fn(&Reading) -> Vec<Sample<'_>>),
}

/// A value, and what its labels say, in the order of their names.
pub(super) struct Sample<'a> {
    pub(super) labels: Vec<Cow<'a, str>>,
    pub(super) value: f64,
}

pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    values: Values,
}

impl Series {
    /// The names of its labels.
    pub(super) fn labels(&self) -> &'static [&'static str] {
        match self.values {
            Values::One(_) => &[],
            Values::Map(_) => &["map"],
            Values::Cache(_) => &["cache"],
            Values::By(labels, _) => labels,
        }
    }

    /// Its values now: finite, and not negative unless its kind allows that.
    pub(super) fn samples<'a>(&self, reading: &'a Reading) -> Vec<Sample<'a>> {
        let mut samples = self.read(reading);
        samples.retain(|sample| sample.value.is_finite());
        if self.kind != Kind::Trend {
            for sample in &mut samples {
                sample.value = sample.value.max(0.0);
            }
        }
        samples
    }

    fn read<'a>(&self, reading: &'a Reading) -> Vec<Sample<'a>> {
        let groups = reading.maps.groups.iter();
        match self.values {
            Values::One(read) => read(reading)
                .map(|value| sample([], value))
                .into_iter()
                .collect(),
            Values::Map(read) => groups
                .filter_map(|group| Some(sample([group.name()], read(group)?)))
                .collect(),
            Values::Cache(read) => groups
                .filter_map(|group| {
                    let value = number(read(group.report.cache.as_ref()?))?;
                    Some(sample([group.name()], value))
                })
                .collect(),
            Values::By(_, read) => read(reading),
        }
    }
}

/// The tables: what has to be read for the series of each, and these.
pub(super) static TABLES: [(Cost, &[Series]); 10] = [
    (Cost::Allocator, allocator::RUST_MEMSTATS),
    (Cost::Allocator, allocator::JEMALLOC),
    (Cost::Counters, profiler::COUNTERS),
    (Cost::Samples, profiler::ESTIMATES),
    (Cost::Maps, maps::MAPS),
    (Cost::Held, maps::HELD),
    (Cost::Counters, maps::LIMITS),
    (Cost::Files, maps::PROCESS),
    (Cost::Maps, caches::CACHES),
    (Cost::Counters, verdicts::VERDICTS),
];

/// All series, in the order in which they are described.
pub(super) fn all() -> impl Iterator<Item = &'static Series> {
    TABLES.iter().flat_map(|(_, series)| *series)
}

pub(super) const fn gauge(
    name: &'static str,
    help: &'static str,
    read: fn(&Reading) -> Option<f64>,
) -> Series {
    series(name, help, Kind::Gauge, Values::One(read))
}

pub(super) const fn counter(
    name: &'static str,
    help: &'static str,
    read: fn(&Reading) -> Option<f64>,
) -> Series {
    series(name, help, Kind::Counter, Values::One(read))
}

/// One a group of maps.
pub(super) const fn map(
    name: &'static str,
    help: &'static str,
    kind: Kind,
    read: fn(&MapGroup) -> Option<f64>,
) -> Series {
    series(name, help, kind, Values::Map(read))
}

/// One a group of caches.
pub(super) const fn cache(
    name: &'static str,
    help: &'static str,
    kind: Kind,
    read: fn(&CacheReport) -> Option<u64>,
) -> Series {
    series(name, help, kind, Values::Cache(read))
}

pub(super) const fn by(
    name: &'static str,
    help: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    read: fn(&Reading) -> Vec<Sample<'_>>,
) -> Series {
    series(name, help, kind, Values::By(labels, read))
}

const fn series(name: &'static str, help: &'static str, kind: Kind, values: Values) -> Series {
    Series {
        name,
        help,
        kind,
        values,
    }
}

pub(super) fn sample<const N: usize>(labels: [&str; N], value: f64) -> Sample<'_> {
    Sample {
        labels: labels.map(Cow::Borrowed).into(),
        value,
    }
}

/// A count or a number of bytes, as the format has it.
pub(super) fn number(value: Option<u64>) -> Option<f64> {
    value.map(|value| value as f64)
}
