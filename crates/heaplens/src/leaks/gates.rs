//! What is asked of one window.

use super::blocks::{BLOCKS, Blocks};
use super::cohorts::Cohorts;
use super::facts::{Facts, Kind};
use super::retention::{self, Retention};
use super::rules::Rules;
use super::trend::{mann_kendall, slope_alone};

/// A question asked of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Gate {
    /// Do the troughs rise? The score of the test of Mann and Kendall.
    Trend,
    /// By enough entries? The growth within the window.
    Entries,
    /// By enough for its size? The growth as a share of the window's start.
    Share,
    /// By enough bytes?
    Bytes,
    /// Does it still grow? The slope of the second half as a share of that of the first.
    Alive,
    /// Is the last trough near the highest? As a share of it.
    NearTop,
    /// Would it do harm where it levels off? The projected size in bytes; without bound
    /// where it does not slow down.
    Plateau,
    /// Do the old ones stay? The survival of births of the window's older half, as a share
    /// of that of the quarter after it; from sampled ages.
    Survivors,
    /// Do the old ones stay? Entries that stayed of all that came; from counters.
    Retention,
}

impl Gate {
    /// As it is written in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Gate::Trend => "trend",
            Gate::Entries => "entries",
            Gate::Share => "share",
            Gate::Bytes => "bytes",
            Gate::Alive => "alive",
            Gate::NearTop => "near_top",
            Gate::Plateau => "plateau",
            Gate::Survivors => "survivors",
            Gate::Retention => "retention",
        }
    }
}

/// What came of a question.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// What was asked.
    pub gate: Gate,
    /// Whether it speaks for a leak.
    pub passed: bool,
    /// What it came to. Infinite for growth that does not slow down at all.
    pub value: f64,
    /// What would have been needed, at the least.
    pub needed: f64,
    /// Samples that it rests on, where it rests on samples.
    pub samples: Option<u32>,
}

impl Reading {
    pub(super) fn at_least(gate: Gate, value: f64, needed: f64) -> Self {
        Reading {
            gate,
            passed: value >= needed,
            value,
            needed,
            samples: None,
        }
    }
}

/// What a window comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Finding {
    /// No growth that matters.
    Still,
    /// It grows towards so many units, which do no harm.
    Saturating(f64),
    /// It grows, and the old ones need not stay.
    Unproven,
    /// All signs of a leak.
    Holds,
}

/// See [`assess`].
#[derive(Clone, Debug)]
pub(super) struct Assessment {
    pub(super) finding: Finding,
    pub(super) readings: Vec<Reading>,
}

/// What grows: its troughs, and what one unit of it takes.
pub(super) struct Measure<'a> {
    pub(super) troughs: &'a [f64; BLOCKS],
    pub(super) unit_bytes: f64,
    least_units: f64,
    least_bytes: f64,
}

impl<'a> Measure<'a> {
    fn entries(blocks: &'a Blocks, facts: &Facts<'_>, rules: &Rules) -> Self {
        Measure {
            troughs: blocks.entries(),
            unit_bytes: unit_bytes(blocks, facts),
            least_units: rules.least_entries,
            least_bytes: rules.least_bytes,
        }
    }

    fn bytes(blocks: &'a Blocks, facts: &Facts<'_>, rules: &Rules) -> Self {
        let resolution = facts.bytes_per_sample.unwrap_or(0.0);
        Measure {
            troughs: blocks.bytes(),
            unit_bytes: 1.0,
            least_units: 0.0,
            least_bytes: rules.least_bytes.max(rules.least_samples * resolution),
        }
    }

    fn last(&self) -> f64 {
        self.troughs[BLOCKS - 1]
    }

    /// From the middle of the window to its end.
    fn late_rise(&self) -> f64 {
        (self.last() - self.troughs[BLOCKS / 2]).max(0.0)
    }
}

fn unit_bytes(blocks: &Blocks, facts: &Facts<'_>) -> f64 {
    let (entries, bytes) = (blocks.entries()[BLOCKS - 1], blocks.bytes()[BLOCKS - 1]);
    facts
        .bytes_per_entry
        .unwrap_or(if entries > 0.0 { bytes / entries } else { 0.0 })
}

/// Asks all that is to be asked of one window. A map that gains no entries is asked for its
/// bytes: values may grow.
pub(super) fn assess(kind: Kind, blocks: &Blocks, facts: &Facts<'_>, rules: &Rules) -> Assessment {
    let by_bytes = || assess_one(&Measure::bytes(blocks, facts, rules), blocks, facts, rules);
    if kind == Kind::Site {
        return by_bytes();
    }
    let measure = Measure::entries(blocks, facts, rules);
    let by_entries = assess_one(&measure, blocks, facts, rules);
    if by_entries.finding == Finding::Still && values_may_grow(blocks, rules) {
        return by_bytes();
    }
    by_entries
}

/// Entries neither come nor go, so that bytes are not theirs.
fn values_may_grow(blocks: &Blocks, rules: &Rules) -> bool {
    let entries = blocks.entries();
    let most = entries.iter().copied().fold(0.0, f64::max);
    let least = entries.iter().copied().fold(f64::INFINITY, f64::min);
    let turnover = blocks.births(0, BLOCKS);
    most > 0.0 && most - least < rules.least_share * most && turnover < rules.least_share * most
}

fn assess_one(
    measure: &Measure<'_>,
    blocks: &Blocks,
    facts: &Facts<'_>,
    rules: &Rules,
) -> Assessment {
    let mut readings = Vec::with_capacity(8);
    let gained = size(measure, rules, &mut readings);
    if !passed(&readings) {
        return Assessment {
            finding: Finding::Still,
            readings,
        };
    }
    let halves = ratio_of_halves(measure);
    alive(measure, halves, rules, &mut readings);
    if !passed(&readings) {
        return Assessment {
            finding: Finding::Still,
            readings,
        };
    }
    let retention = retention::of(measure, blocks, facts.cohorts, gained, rules);
    let limit = facts
        .memory_limit
        .map_or(rules.assumed_limit, |bytes| bytes as f64);
    let plateau = plateau(measure, blocks, halves, &retention, rules);
    let harm = plateau.map_or(f64::INFINITY, |units| units * measure.unit_bytes);
    readings.push(Reading::at_least(
        Gate::Plateau,
        harm,
        rules.plateau * limit,
    ));
    readings.push(retention.reading);
    let finding = match (plateau, harm >= rules.plateau * limit) {
        (Some(units), false) => Finding::Saturating(units),
        _ if retention.reading.passed => Finding::Holds,
        _ => Finding::Unproven,
    };
    Assessment { finding, readings }
}

fn passed(readings: &[Reading]) -> bool {
    readings.iter().all(|reading| reading.passed)
}

/// The growth within the window; 0 if there is no trend.
fn size(measure: &Measure<'_>, rules: &Rules, readings: &mut Vec<Reading>) -> f64 {
    let score = mann_kendall(measure.troughs);
    readings.push(Reading::at_least(Gate::Trend, score, rules.trend));
    if !passed(readings) {
        return 0.0;
    }
    let gained = slope_alone(measure.troughs) * BLOCKS as f64;
    if measure.least_units > 0.0 {
        let entries = Reading::at_least(Gate::Entries, gained, measure.least_units);
        readings.push(entries);
    }
    let first = measure.troughs[0];
    let share = if first > 0.0 {
        gained / first
    } else {
        f64::INFINITY
    };
    readings.push(Reading::at_least(Gate::Share, share, rules.least_share));
    let bytes = gained * measure.unit_bytes;
    readings.push(Reading::at_least(Gate::Bytes, bytes, measure.least_bytes));
    gained
}

fn alive(measure: &Measure<'_>, halves: f64, rules: &Rules, readings: &mut Vec<Reading>) {
    readings.push(Reading::at_least(Gate::Alive, halves, rules.alive));
    let top = measure.troughs.iter().copied().fold(0.0, f64::max);
    let near = if top > 0.0 { measure.last() / top } else { 0.0 };
    readings.push(Reading::at_least(Gate::NearTop, near, rules.near_top));
}

/// The slope of the second half as a share of that of the first; 0 if the second does not
/// rise, infinite if only the second does.
fn ratio_of_halves(measure: &Measure<'_>) -> f64 {
    let (first, second) = measure.troughs.split_at(BLOCKS / 2);
    let (first, second) = (slope_alone(first), slope_alone(second));
    match (first > 0.0, second > 0.0) {
        (_, false) => 0.0,
        (true, true) => second / first,
        (false, true) => f64::INFINITY,
    }
}

/// Where growth ends if each half of the window adds less than the one before by the same
/// factor; `None` if it does not slow down.
fn plateau(
    measure: &Measure<'_>,
    blocks: &Blocks,
    halves: f64,
    retention: &Retention,
    rules: &Rules,
) -> Option<f64> {
    // Of many that come few stay, for good: they follow what comes, and not the size, which
    // is that of those on their way.
    let ratio = if retention.is_sediment {
        let (first, second) = (
            blocks.births(0, BLOCKS / 2),
            blocks.births(BLOCKS / 2, BLOCKS),
        );
        if first > 0.0 {
            second / first
        } else {
            f64::INFINITY
        }
    } else {
        halves
    };
    (ratio < rules.steady).then(|| measure.last() + measure.late_rise() * ratio / (1.0 - ratio))
}

/// Survivors of the window's parts, for [`retention`].
pub(super) fn parts(cohorts: &Cohorts, blocks: &Blocks) -> [super::cohorts::Class; 2] {
    let span = blocks.span();
    [
        cohorts.between(span / 4, span / 2),
        cohorts.between(span / 2, span),
    ]
}
