//! How a rule would do with any other cut-off.

use crate::program::Truth;
use crate::trial::Trial;
use crate::wilson::Share;

/// What comes of one cut-off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    /// Leaks that exceed it.
    pub(crate) recall: Share,
    /// What exceeds it, that leaks.
    pub(crate) precision: Share,
}

/// A rule with every cut-off that makes a difference, from the highest to the lowest. Chosen
/// in hindsight on the runs that it is judged by, which no real rule can have: an upper bound
/// of what can be had from it.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    points: Vec<Point>,
}

impl Curve {
    /// Of this contender; programs with an undeclared bound are left out.
    pub(crate) fn of<'a>(trials: impl Iterator<Item = &'a Trial>, contender: usize) -> Self {
        let counted = trials.filter(|trial| trial.truth != Truth::Undeclared);
        let mut strengths: Vec<(f64, bool)> = counted
            .filter_map(|trial| {
                let said = trial.outcome.said.get(contender)?;
                Some((said.strength, trial.truth == Truth::Leak))
            })
            .collect();
        strengths.sort_by(|one, other| other.0.total_cmp(&one.0));
        let leaks = strengths.iter().filter(|(_, leaks)| *leaks).count();
        let mut flagged = Share::default();
        let mut points = Vec::new();
        for (place, (strength, is_leak)) in strengths.iter().enumerate() {
            if *strength <= 0.0 {
                break;
            }
            flagged.add(*is_leak);
            let next = strengths.get(place + 1).map_or(0.0, |(next, _)| *next);
            if next < *strength {
                let recall = Share {
                    hits: flagged.hits,
                    of: leaks,
                };
                points.push(Point {
                    recall,
                    precision: flagged,
                });
            }
        }
        Curve { points }
    }

    /// The most leaks that it finds with at least this precision.
    pub(crate) fn best_recall(&self, precision: f64) -> Option<Point> {
        let precise = self.points.iter().copied();
        precise
            .filter(|point| point.precision.value() >= precision)
            .max_by(|one, other| one.recall.value().total_cmp(&other.recall.value()))
    }

    /// The most precise that it is with at least this recall.
    pub(crate) fn best_precision(&self, recall: f64) -> Option<Point> {
        let sensitive = self.points.iter().copied();
        sensitive
            .filter(|point| point.recall.value() >= recall)
            .max_by(|one, other| one.precision.value().total_cmp(&other.precision.value()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Outcome, Said};

    fn trial(truth: Truth, strength: f64) -> Trial {
        Trial {
            scenario: 0,
            truth,
            nth: 0,
            outcome: Outcome {
                leaks_from: 0,
                said: vec![Said {
                    strength,
                    ..Said::default()
                }],
                moments: Vec::new(),
            },
        }
    }

    #[test]
    fn each_cut_off_is_tried() {
        let trials = [
            trial(Truth::Leak, 9.0),
            trial(Truth::Sound, 8.0),
            trial(Truth::Leak, 7.0),
            trial(Truth::Leak, 7.0),
            trial(Truth::Sound, 7.0),
            trial(Truth::Undeclared, 10.0),
            trial(Truth::Leak, 0.0),
        ];
        let curve = Curve::of(trials.iter(), 0);
        assert_eq!(
            curve.points.len(),
            3,
            "equal strengths cannot be told apart"
        );
        let precise = curve.best_recall(0.95).expect("the first is a leak");
        assert_eq!(precise.recall, Share { hits: 1, of: 4 });
        let most = curve.best_precision(0.75).expect("three of four");
        assert_eq!(most.precision, Share { hits: 3, of: 5 });
        assert_eq!(
            curve.best_precision(0.8),
            None,
            "one shows no strength at all"
        );
    }
}
