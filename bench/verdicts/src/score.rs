//! How well a contender did.

use crate::program::Truth;
use crate::run::Said;
use crate::trial::Trial;
use crate::wilson::Share;
use crate::world::TICK;

/// Over many days; programs with an undeclared bound are left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Score {
    /// Leaks that were named.
    pub(crate) recall: Share,
    /// Sound programs that were named a leak.
    pub(crate) false_alarms: Share,
    /// What was named a leak, that was one.
    pub(crate) precision: Share,
    /// Leaks that were suspected.
    pub(crate) suspected: Share,
    /// Sound programs that were suspected.
    pub(crate) false_suspects: Share,
    /// Hours from the first leaked entry on to the verdict, sorted.
    pub(crate) hours: Vec<f64>,
    /// Megabytes that were held at the verdict, sorted.
    pub(crate) held: Vec<f64>,
    /// By how much the estimate was off then, as a share, sorted.
    pub(crate) errors: Vec<f64>,
}

impl Score {
    /// Of this contender.
    pub(crate) fn of<'a>(trials: impl Iterator<Item = &'a Trial>, contender: usize) -> Self {
        let mut score = Score::default();
        for trial in trials {
            if let Some(said) = trial.outcome.said.get(contender) {
                score.add(trial, said, contender);
            }
        }
        for values in [&mut score.hours, &mut score.held, &mut score.errors] {
            values.sort_by(f64::total_cmp);
        }
        score
    }

    fn add(&mut self, trial: &Trial, said: &Said, contender: usize) {
        let at = trial.flagged_at(contender);
        match trial.truth {
            Truth::Undeclared => return,
            Truth::Sound => {
                self.false_alarms.add(at.is_some());
                self.false_suspects.add(said.suspect.is_some());
            }
            Truth::Leak => {
                self.recall.add(at.is_some());
                self.suspected.add(said.suspect.is_some());
            }
        }
        // One that was named before it leaked was named wrongly.
        if said.leak.is_some() {
            self.precision
                .add(at.is_some() && trial.truth == Truth::Leak);
        }
        let Some(at) = at else { return };
        if trial.truth == Truth::Leak {
            let ticks = at.saturating_sub(trial.outcome.leaks_from);
            self.hours.push(ticks as f64 * TICK / 3600.0);
            self.held.push(said.held / 1e6);
            if said.estimated > 0.0 && said.held > 0.0 {
                self.errors.push((said.estimated / said.held - 1.0).abs());
            }
        }
    }
}

/// The value below which this share of sorted values lies; `None` of nothing.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((share * last as f64).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Outcome;

    fn trial(truth: Truth, leaks_from: usize, leak: Option<usize>) -> Trial {
        let said = Said {
            leak,
            suspect: leak,
            held: 2e6,
            estimated: 3e6,
            stays: true,
            strength: 0.0,
        };
        Trial {
            scenario: 0,
            truth,
            nth: 0,
            outcome: Outcome {
                leaks_from,
                said: vec![said],
                moments: Vec::new(),
            },
        }
    }

    #[test]
    fn verdicts_are_counted_by_truth() {
        let trials = [
            trial(Truth::Leak, 240, Some(480)),
            trial(Truth::Leak, 240, Some(100)),
            trial(Truth::Leak, 0, None),
            trial(Truth::Sound, 0, Some(5)),
            trial(Truth::Sound, 0, None),
            trial(Truth::Undeclared, 0, Some(5)),
        ];
        let score = Score::of(trials.iter(), 0);
        // One of the leaks was named before it leaked.
        assert_eq!(score.recall, Share { hits: 1, of: 3 });
        assert_eq!(score.false_alarms, Share { hits: 1, of: 2 });
        assert_eq!(score.precision, Share { hits: 1, of: 3 });
        assert_eq!(score.hours, [1.0]);
        assert!((score.errors[0] - 0.5).abs() < 1e-12);
    }

    #[test]
    fn quantiles() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0, 2.0, 9.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0, 9.0], 0.9), Some(9.0));
    }
}
