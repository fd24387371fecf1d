//! Do the old ones stay?

use super::blocks::{BLOCKS, Blocks};
use super::cohorts::{Class, Cohorts};
use super::gates::{Gate, Measure, Reading, parts};
use super::rules::Rules;

/// Fewer sampled births than that in a part tell nothing.
const LEAST_BIRTHS: f64 = 10.0;
/// One end of an interval beyond which 5 % lie.
const ONE_SIDED_95: f64 = 1.645;
/// Survival that falls by no more than this from one part to the next does not fall.
const FLAT: f64 = 0.8;
/// The same for the lower end of its interval.
const FLAT_LOW: f64 = 0.5;

/// What is known of the old ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retention {
    pub(super) reading: Reading,
    /// Most that come go again, and of those that do not none ever goes.
    pub(super) is_sediment: bool,
}

/// By ages if there are enough samples, else by counters. `gained` is the growth within the
/// window in the measure's units.
pub(super) fn of(
    measure: &Measure<'_>,
    blocks: &Blocks,
    cohorts: Option<&Cohorts>,
    gained: f64,
    rules: &Rules,
) -> Retention {
    cohorts
        .and_then(|cohorts| by_ages(measure, blocks, cohorts, gained, rules))
        .unwrap_or_else(|| by_counters(blocks, rules))
}

fn by_ages(
    measure: &Measure<'_>,
    blocks: &Blocks,
    cohorts: &Cohorts,
    gained: f64,
    rules: &Rules,
) -> Option<Retention> {
    let all = cohorts.all();
    let births = births_of_parts(blocks);
    let entries = blocks.entries()[BLOCKS - 1];
    if entries <= 0.0 || all.weight <= 0.0 {
        return None;
    }
    // An entry may own several sampled blocks, or none.
    let samples_per_entry = f64::from(all.samples) / entries;
    if blocks.flow_is_known()
        && births
            .iter()
            .any(|births| births * samples_per_entry < LEAST_BIRTHS)
    {
        return None;
    }
    let [young, old] = parts(cohorts, blocks);
    let (ratio, low) = survival_ratio(young, old, births);
    let old_units = old.weight / all.weight * measure.troughs[BLOCKS - 1];
    let passed = ratio >= rules.survivors
        && low >= rules.survivors_low
        && old.samples >= rules.survivor_samples
        && old_units >= rules.survivor_growth * gained;
    let kept = 1.0 - removed_share(blocks).unwrap_or(0.0);
    Some(Retention {
        reading: Reading {
            gate: Gate::Survivors,
            passed,
            value: ratio,
            needed: rules.survivors,
            samples: Some(old.samples),
        },
        is_sediment: passed && kept < rules.retention && ratio >= FLAT && low >= FLAT_LOW,
    })
}

/// Births of the quarter before the last, and of the first half. Where nobody counts, as if
/// they were the same at all times.
fn births_of_parts(blocks: &Blocks) -> [f64; 2] {
    if blocks.flow_is_known() {
        [
            blocks.births(BLOCKS / 2, BLOCKS * 3 / 4),
            blocks.births(0, BLOCKS / 2),
        ]
    } else {
        [1.0, 2.0]
    }
}

/// The survival of the older as a share of that of the younger, and the lower end of its
/// interval: counts of samples are Poisson.
fn survival_ratio(young: Class, old: Class, births: [f64; 2]) -> (f64, f64) {
    let survival = |class: Class, births: f64| {
        if births > 0.0 {
            class.weight / births
        } else {
            0.0
        }
    };
    let (younger, older) = (survival(young, births[0]), survival(old, births[1]));
    if older <= 0.0 || old.samples == 0 {
        return (0.0, 0.0);
    }
    if younger <= 0.0 || young.samples == 0 {
        // None of the young ones stays, by chance: nothing can be said of the ratio.
        return (0.0, 0.0);
    }
    let ratio = older / younger;
    let variance = 1.0 / f64::from(young.samples) + 1.0 / f64::from(old.samples);
    (ratio, ratio * (-ONE_SIDED_95 * variance.sqrt()).exp())
}

fn by_counters(blocks: &Blocks, rules: &Rules) -> Retention {
    let stayed = removed_share(blocks).map_or(0.0, |removed| 1.0 - removed);
    let first = blocks.entries()[0];
    // At least so many are older than the window: nobody removes what has gone already.
    let old = (first - blocks.deaths(0, BLOCKS)).max(0.0);
    let old_share = if first > 0.0 && blocks.flow_is_known() {
        old / first
    } else {
        0.0
    };
    Retention {
        reading: Reading::at_least(Gate::Retention, stayed.max(old_share), rules.retention),
        is_sediment: false,
    }
}

/// Deaths for each birth of the window.
pub(super) fn removed_share(blocks: &Blocks) -> Option<f64> {
    let births = blocks.births(0, BLOCKS);
    (births > 0.0).then(|| blocks.deaths(0, BLOCKS) / births)
}
