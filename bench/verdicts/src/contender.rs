//! What is compared: the judge as it is, the judge with one rule taken away, and the rules that
//! people use instead.

use heaplens::leaks::{Facts, Judge, Keep, Kind, Rules, Windows};

use crate::baseline::Baseline;

/// One way to judge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    /// The judge, of the map.
    Map,
    /// The judge, of the site that allocates what the map holds.
    Site,
    /// The judge of the map with something missing.
    Without(Missing),
    /// Something else.
    Instead(Baseline),
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It need not rise all the time.
    Trend,
    /// It need not grow by much.
    Size,
    /// It need not go on growing.
    Alive,
    /// It may level off.
    Plateau,
    /// The old ones need not stay.
    Retention,
    /// Ages of samples, so that counters must do.
    Ages,
    /// Minima: means instead.
    Minima,
    /// Declared bounds.
    Bounds,
    /// The peaks that it was cleared from.
    Peaks,
    /// The wait for a longer window where there is time.
    Patience,
}

impl Missing {
    const ALL: [(Missing, &str); 10] = [
        (Missing::Trend, "without `trend`"),
        (Missing::Size, "without `entries`, `share`, `bytes`"),
        (Missing::Alive, "without `alive`, `near_top`"),
        (
            Missing::Plateau,
            "without `plateau`, and so without patience",
        ),
        (Missing::Retention, "without `survivors`, `retention`"),
        (Missing::Ages, "without ages: by counters only"),
        (Missing::Minima, "means instead of minima"),
        (Missing::Bounds, "without declared bounds"),
        (Missing::Peaks, "without earlier peaks"),
        (Missing::Patience, "without patience"),
    ];

    fn rules(self) -> Rules {
        let mut rules = Rules::standard();
        match self {
            Missing::Trend => rules.trend = f64::MIN,
            Missing::Size => {
                (rules.least_entries, rules.least_share) = (0.0, f64::MIN);
                (rules.least_bytes, rules.least_samples) = (0.0, 0.0);
            }
            Missing::Alive => (rules.alive, rules.near_top) = (f64::MIN, f64::MIN),
            Missing::Plateau => rules.plateau = 0.0,
            Missing::Retention => {
                (rules.retention, rules.survivors) = (f64::MIN, f64::MIN);
                (rules.survivors_low, rules.survivor_growth) = (f64::MIN, f64::MIN);
                rules.survivor_samples = 0;
            }
            Missing::Peaks => rules.beyond_peak = 0.0,
            Missing::Ages | Missing::Minima | Missing::Bounds | Missing::Patience => {}
        }
        rules
    }
}

impl Contender {
    /// The judge, and what is used instead.
    pub(crate) fn brief() -> Vec<Contender> {
        let baselines = Baseline::ALL
            .iter()
            .map(|(rule, _)| Contender::Instead(*rule));
        [Contender::Map, Contender::Site]
            .into_iter()
            .chain(baselines)
            .collect()
    }

    /// These, and after them what has something missing.
    pub(crate) fn all() -> Vec<Contender> {
        let missing = Missing::ALL
            .iter()
            .map(|(missing, _)| Contender::Without(*missing));
        Contender::brief().into_iter().chain(missing).collect()
    }

    /// As it is written in tables.
    pub(crate) fn name(self) -> &'static str {
        let of = |missing| Missing::ALL.iter().find(|(other, _)| *other == missing);
        match self {
            Contender::Map => "**Heaplens, maps**",
            Contender::Site => "Heaplens, sites",
            Contender::Without(missing) => of(missing).map_or("", |(_, name)| name),
            Contender::Instead(rule) => rule.name(),
        }
    }

    /// What stands for the points of a step in its series.
    pub(crate) fn keep(self) -> Keep {
        match self {
            Contender::Without(Missing::Minima) => Keep::Mean,
            _ => Keep::Minimum,
        }
    }

    /// A judge of it; `None` if it is none.
    pub(crate) fn judge(self, windows: &Windows) -> Option<Judge> {
        match self {
            Contender::Map => Some(Judge::new(Kind::Map, windows)),
            Contender::Site => Some(Judge::new(Kind::Site, windows)),
            Contender::Without(Missing::Patience) => {
                Some(Judge::new(Kind::Map, &windows.without_patience()))
            }
            Contender::Without(missing) => {
                Some(Judge::with_rules(Kind::Map, windows, missing.rules()))
            }
            Contender::Instead(_) => None,
        }
    }

    /// What it is told of what is known.
    pub(crate) fn facts(self, facts: Facts<'_>) -> Facts<'_> {
        match self {
            Contender::Without(Missing::Ages) => Facts {
                cohorts: None,
                ..facts
            },
            Contender::Without(Missing::Bounds) => Facts {
                max_entries: None,
                expected_ttl: None,
                ..facts
            },
            _ => facts,
        }
    }
}
