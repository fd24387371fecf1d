//! Many days of many programs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::contender::Contender;
use crate::program::{Scenario, Truth};
use crate::run::{Outcome, Setting, run};

/// A day of a scenario.
pub(crate) struct Trial {
    /// Its place among the scenarios.
    pub(crate) scenario: usize,
    /// Whether it leaks.
    pub(crate) truth: Truth,
    /// Its number among those of the scenario, which with the name makes its chance.
    pub(crate) nth: u64,
    /// What came of it.
    pub(crate) outcome: Outcome,
}

impl Trial {
    /// Whether this contender's verdict was that it leaks; before it does, that is no
    /// detection.
    pub(crate) fn is_flagged(&self, contender: usize) -> bool {
        self.flagged_at(contender).is_some()
    }

    /// When.
    pub(crate) fn flagged_at(&self, contender: usize) -> Option<usize> {
        let leak = self.outcome.said.get(contender)?.leak?;
        (self.truth != Truth::Leak || leak >= self.outcome.leaks_from).then_some(leak)
    }
}

/// So many of the days of each scenario are judged by all contenders too, the others by the
/// first ones only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brief {
    /// From this day on
    pub(crate) from: u64,
    /// by so many.
    pub(crate) contenders: usize,
}

/// So many days of each scenario, on all cores, in the order of scenarios and seeds.
pub(crate) fn trials(
    scenarios: &[Scenario],
    setting: &Setting,
    seeds: u64,
    contenders: &[Contender],
    brief: Option<Brief>,
) -> Vec<Trial> {
    let jobs: Vec<(usize, u64)> = (0..scenarios.len())
        .flat_map(|scenario| (0..seeds).map(move |nth| (scenario, nth)))
        .collect();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some((at, nth)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let scenario = &scenarios[*at];
            let few = brief.filter(|brief| *nth >= brief.from);
            let few = few.map_or(contenders.len(), |brief| brief.contenders);
            let seed = seed(&scenario.name(), *nth);
            let outcome = run(scenario, setting, seed, &contenders[..few]);
            let trial = Trial {
                scenario: *at,
                truth: scenario.truth,
                nth: *nth,
                outcome,
            };
            done.lock().expect("no run panics").push(trial);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    let mut done = done.into_inner().expect("no run panics");
    done.sort_by_key(|trial| (trial.scenario, trial.nth));
    done
}

/// Digest of what the first contenders said in the first days of each scenario: the same
/// programs, judged in the same way, come to the same.
pub(crate) fn digest<'a>(
    trials: impl Iterator<Item = &'a Trial>,
    first: u64,
    contenders: usize,
) -> u64 {
    let tick = |tick: Option<usize>| tick.map_or(u64::MAX, |tick| tick as u64);
    let said = trials
        .filter(|trial| trial.nth < first)
        .flat_map(|trial| trial.outcome.said.iter().take(contenders));
    fnv(said
        .flat_map(|said| [said.suspect, said.leak].map(tick))
        .flat_map(u64::to_le_bytes))
}

/// Of a scenario's name and a number, so that a new scenario changes no other.
pub(crate) fn seed(name: &str, nth: u64) -> u64 {
    fnv(name.bytes().chain(nth.to_le_bytes()))
}

/// FNV-1a.
pub(crate) fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::scenarios;

    #[test]
    fn the_same_seed_is_the_same_day() {
        assert_eq!(fnv("a".bytes()), 0xAF63_DC4C_8601_EC8C);
        assert_ne!(seed("a", 1), seed("a", 2));
        let some: Vec<Scenario> = scenarios().into_iter().take(2).collect();
        let contenders = Contender::brief();
        let days = |seeds| trials(&some, &Setting::default(), seeds, &contenders, None);
        let digest = |trials: &[Trial]| digest(trials.iter(), 2, contenders.len());
        assert_eq!(
            digest(&days(2)),
            digest(&days(3)),
            "a day more changes no other"
        );
        assert_ne!(digest(&days(2)), digest(&days(1)));
    }
}
