//! All scenarios, and which of them are held out.
//!
//! The split is by family, so that what is held out has not been seen in any form: its
//! families have lifetimes, shapes of growth and ways to end of their own.

mod controls;
mod declared;
mod fixed;
mod leaks;
mod storms;
mod tenants;

use crate::load::Load;
use crate::program::{Part, Program, Scenario, Truth};
use crate::random::Random;

type Make = fn(Load, &mut Random) -> Program;

use Part::{HeldOut, Tuning};
use Truth::{Leak, Sound, Undeclared};

/// Families that are run under each load by itself: among them the five cases, leaking and
/// fixed.
const BY_LOAD: [(&str, Truth, Part, Make); 15] = [
    ("sessions never removed", Leak, Tuning, leaks::sessions),
    ("field: a cache that never hits", Leak, Tuning, leaks::field),
    ("error path forgets 2-15 %", Leak, Tuning, leaks::error_path),
    ("sessions, fixed", Sound, Tuning, fixed::sessions),
    ("field, fixed", Sound, Tuning, fixed::field),
    ("sessions of any length", Sound, Tuning, controls::sessions),
    ("metrics by user", Leak, HeldOut, leaks::metrics),
    ("closures kept", Leak, HeldOut, leaks::closures),
    ("callbacks of a timer", Leak, HeldOut, leaks::callbacks),
    (
        "cancelled requests leave 2-15 %",
        Leak,
        HeldOut,
        leaks::cancelled,
    ),
    ("metrics, fixed", Sound, HeldOut, fixed::metrics),
    ("closures, fixed", Sound, HeldOut, fixed::closures),
    ("callbacks, fixed", Sound, HeldOut, fixed::callbacks),
    (
        "jobs of very different length",
        Sound,
        HeldOut,
        controls::jobs,
    ),
    ("hourly sweep", Sound, HeldOut, controls::hourly_sweep),
];

/// Families whose load is drawn for each run.
const BY_CHANCE: [(&str, Truth, Part, Make); 29] = [
    (
        "slow leak, 3-27 entries a minute",
        Leak,
        Tuning,
        leaks::slow,
    ),
    ("values that grow", Leak, Tuning, leaks::values),
    ("values that fill up", Sound, Tuning, controls::values_fill),
    ("TTL cache", Sound, Tuning, controls::ttl_cache),
    ("warm-up over finite keys", Sound, Tuning, controls::warm_up),
    (
        "LRU filling, declared",
        Sound,
        Tuning,
        controls::lru_declared,
    ),
    ("batch: build, then clear", Sound, Tuning, controls::batch),
    ("traffic step", Sound, Tuning, controls::traffic_step),
    ("steady and noisy", Sound, Tuning, controls::noisy),
    (
        "LRU filling, undeclared",
        Undeclared,
        Tuning,
        controls::lru_undeclared,
    ),
    ("label keys by Heaps' law", Leak, HeldOut, leaks::heaps),
    ("leak since a release", Leak, HeldOut, leaks::release),
    ("sweep that misses 3-40 %", Leak, HeldOut, leaks::sweep),
    ("storms leave connections", Leak, HeldOut, storms::forgotten),
    (
        "tenants that are never dropped",
        Leak,
        HeldOut,
        tenants::stay,
    ),
    (
        "declared bound, not kept",
        Leak,
        HeldOut,
        declared::bound_broken,
    ),
    (
        "declared time to live, not kept",
        Leak,
        HeldOut,
        declared::ttl_broken,
    ),
    ("sawtooth compaction", Sound, HeldOut, controls::compaction),
    ("configuration reload", Sound, HeldOut, controls::reload),
    ("one big load", Sound, HeldOut, controls::big_load),
    (
        "many short-lived maps",
        Sound,
        HeldOut,
        controls::short_lived,
    ),
    ("growing data, declared", Sound, HeldOut, declared::growth),
    ("backlog of a queue", Sound, HeldOut, controls::backlog),
    (
        "cache that expires unread keys",
        Sound,
        HeldOut,
        controls::expires_unread,
    ),
    ("12 h to live, declared", Sound, HeldOut, declared::long_ttl),
    ("storms of connections", Sound, HeldOut, storms::noticed),
    ("tenants that leave", Sound, HeldOut, tenants::leave),
    (
        "growing data, undeclared",
        Undeclared,
        HeldOut,
        declared::growth_untold,
    ),
    (
        "12 h to live, undeclared",
        Undeclared,
        HeldOut,
        declared::long_ttl_untold,
    ),
];

/// Held-out families with a like in the simulation that the first values of the rules came
/// from. What is held out without them is told by itself.
const FORERUN: [&str; 8] = [
    "metrics by user",
    "closures kept",
    "callbacks of a timer",
    "cancelled requests leave 2-15 %",
    "label keys by Heaps' law",
    "hourly sweep",
    "configuration reload",
    "12 h to live, undeclared",
];

/// Whether the first values of the rules came from something like this family.
pub(crate) fn has_forerunner(family: &str) -> bool {
    FORERUN.contains(&family)
}

/// All scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let by_load = BY_LOAD.iter().flat_map(|row| {
        let loads = Load::ALL.into_iter().map(Some);
        loads.map(move |load| (row, load))
    });
    let by_chance = BY_CHANCE.iter().map(|row| (row, None));
    by_load
        .chain(by_chance)
        .map(|((family, truth, part, make), load)| Scenario {
            family,
            load,
            truth: *truth,
            part: *part,
            make: *make,
        })
        .collect()
}

/// A round number of ticks between two times in seconds.
fn ticks(random: &mut Random, low: f64, high: f64) -> usize {
    (random.between(low, high) / crate::world::TICK) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_family_is_on_both_sides_and_each_side_has_both_truths() {
        let of = |part| {
            let all = scenarios().into_iter();
            all.filter(|scenario| scenario.part == part)
                .map(|scenario| scenario.family)
                .collect::<HashSet<_>>()
        };
        assert!(of(Tuning).is_disjoint(&of(HeldOut)));
        assert!(FORERUN.iter().all(|family| of(HeldOut).contains(family)));
        for part in [Tuning, HeldOut] {
            for truth in [Leak, Sound, Undeclared] {
                assert!(
                    scenarios()
                        .iter()
                        .any(|scenario| (scenario.part, scenario.truth) == (part, truth))
                );
            }
        }
    }
}
