//! The verdicts on maps and call sites, a value for each state: 1 for the one that it is in.

use super::series::{Kind, Sample, Series, by, sample};
use crate::leaks::State;

/// See the module.
pub(super) static VERDICTS: &[Series] = &[
    by(
        "map_leak_verdict",
        "Whether the group is found to be in the state verdict: ok, warming, filling, growing, \
         suspect or leak.",
        Kind::Gauge,
        &["map", "verdict"],
        |now| states(&now.verdicts.maps),
    ),
    by(
        "heap_site_leak_verdict",
        "Whether the call site, one of the twenty that concern most, is found to be in the state \
         verdict, as in map_leak_verdict.",
        Kind::Gauge,
        &["site", "verdict"],
        |now| states(&now.verdicts.sites),
    ),
];

fn states(found: &[(String, State)]) -> Vec<Sample<'_>> {
    let samples = found.iter().flat_map(|(name, is)| {
        State::ALL.map(|state| sample([&**name, state.name()], f64::from(u8::from(state == *is))))
    });
    samples.collect()
}
