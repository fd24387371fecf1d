//! The report, in Markdown.

mod details;
mod prose;
mod tables;

use std::fmt::Write as _;

use heaplens::leaks::Rules;

use crate::contender::Contender;
use crate::cost::Cost;
use crate::culprit::Culprit;
use crate::curve::Curve;
use crate::frozen;
use crate::program::{Part, Scenario, Truth};
use crate::run::Setting;
use crate::score::Score;
use crate::trial::{self, Trial};
use crate::wilson::Share;

/// All that was run of one part.
pub(crate) struct Results {
    /// Which.
    pub(crate) part: Part,
    /// Its scenarios.
    pub(crate) scenarios: Vec<Scenario>,
    /// Their days.
    pub(crate) trials: Vec<Trial>,
    /// What was compared.
    pub(crate) contenders: Vec<Contender>,
    /// Days of each scenario.
    pub(crate) seeds: u64,
}

impl Results {
    fn place(&self, of: Contender) -> usize {
        let mut all = self.contenders.iter();
        all.position(|one| *one == of).unwrap_or(0)
    }

    /// How this contender did.
    pub(crate) fn score(&self, of: Contender) -> Score {
        Score::of(self.trials.iter(), self.place(of))
    }

    /// How it did on days of which this is true.
    fn score_of(&self, of: Contender, counts: impl Fn(&Trial, &Scenario) -> bool) -> Score {
        let counts = |trial: &&Trial| {
            let scenario = self.scenarios.get(trial.scenario);
            scenario.is_some_and(|scenario| counts(trial, scenario))
        };
        Score::of(self.trials.iter().filter(counts), self.place(of))
    }

    /// How this rule would do with other cut-offs.
    fn curve(&self, of: Contender) -> Curve {
        Curve::of(self.trials.iter(), self.place(of))
    }

    /// Where leaks come among others.
    pub(crate) fn culprit(&self) -> Culprit {
        Culprit::of(&self.trials, self.place(Contender::Map))
    }

    fn name(&self) -> &'static str {
        self.part.name()
    }
}

/// What came of the tuning part in another setting.
pub(crate) struct Variation {
    /// Which.
    pub(crate) setting: Setting,
    /// How the judges of maps and of sites did.
    pub(crate) scores: [Score; 2],
}

/// What every evaluation has to reach.
const PRECISION: f64 = 0.95;
const RECALL: f64 = 0.80;
const RANK_ONE: f64 = 0.95;

/// The whole report.
pub(crate) fn whole(parts: &[Results], variations: &[Variation], cost: &Cost) -> String {
    let mut text = String::from(prose::INTRODUCTION);
    text.push_str(&corpus(parts));
    for results in parts {
        let _ = writeln!(text, "## The {}\n", results.name());
        text.push_str(&tables::summary(results));
        text.push_str(&details::alarms(results));
        text.push_str(&tables::baselines(results));
        text.push_str(&tables::by_scenario(results));
        text.push_str(&details::mistakes(results));
        text.push_str(&tables::undeclared(results));
        text.push_str(&tables::ablations(results));
        text.push_str(&details::of_named(results));
    }
    if !variations.is_empty() {
        text.push_str(&tables::sensitivity(variations));
    }
    text.push_str(prose::LIMITS);
    text.push_str(&parameters(parts));
    text.push_str(&details::costs(cost));
    text
}

/// Which families are on which side.
fn corpus(parts: &[Results]) -> String {
    let mut text = String::from("## The corpus\n\n");
    for results in parts {
        let _ = writeln!(
            text,
            "The {}: {} days, {} of each of {} scenarios. A family with three loads is three \
             scenarios.\n",
            results.name(),
            results.trials.len(),
            results.seeds,
            results.scenarios.len(),
        );
        for (truth, title) in [
            (Truth::Leak, "Leaks"),
            (Truth::Sound, "Sound"),
            (Truth::Undeclared, "Sound by a bound that nobody declares"),
        ] {
            let of_truth = results.scenarios.iter().filter(|one| one.truth == truth);
            let mut families: Vec<&str> = of_truth.map(|one| one.family).collect();
            families.dedup();
            let _ = writeln!(text, "- {title}: {}.", families.join("; "));
        }
        text.push('\n');
    }
    text
}

fn parameters(parts: &[Results]) -> String {
    format!(
        "## The parameters\n\nDigest of the parameters and windows, as they were frozen before \
         the held-out part was run: `{:016x}`.\n\n{}\n\n```text\n{:#?}\n```\n\n",
        frozen::digest(),
        digest(parts),
        Rules::standard(),
    )
}

/// A line by which a report is recognized as one of these programs and this judge.
pub(crate) fn digest(parts: &[Results]) -> String {
    let trials = parts.iter().flat_map(|results| &results.trials);
    let first = crate::args::QUICK;
    let digest = trial::digest(trials, first, Contender::brief().len());
    format!("Digest of what was said in the first {first} days of each scenario: `{digest:016x}`.")
}

/// What every evaluation has to reach, and what was missed, if anything.
pub(crate) fn missed(results: &Results) -> Vec<String> {
    let score = results.score(Contender::Map);
    let mut missed = Vec::new();
    let mut demand = |what: &str, share: Share, least: f64| {
        if share.value() < least {
            missed.push(format!(
                "{what} on the {}: {}, and {:.0} % are needed",
                results.name(),
                share.percent(),
                100.0 * least
            ));
        }
    };
    demand("precision", score.precision, PRECISION);
    demand("recall", score.recall, RECALL);
    demand("rank 1", results.culprit().first, RANK_ONE);
    for contender in &results.contenders {
        if let Contender::Instead(rule) = contender
            && !is_beaten(results, *contender, &score)
        {
            missed.push(format!("{} on the {}", rule.name(), results.name()));
        }
    }
    missed
}

/// Whatever its cut-off: as precise, it finds less; finding as much, it is less precise.
///
/// A rule that flags everything misses nothing, so that recall alone decides nothing.
fn is_beaten(results: &Results, contender: Contender, judge: &Score) -> bool {
    let curve = results.curve(contender);
    let precise = curve.best_recall(judge.precision.value().min(PRECISION));
    let finds_less = precise.is_none_or(|point| point.recall.value() < judge.recall.value());
    let sensitive = curve.best_precision(judge.recall.value());
    let errs_more = sensitive.is_none_or(|point| point.precision.value() < judge.precision.value());
    finds_less && errs_more
}

/// Days of one scenario that were flagged, of those that this contender has judged.
fn flagged(results: &Results, scenario: usize, contender: usize, suspects: bool) -> usize {
    let all = results.trials.iter();
    let own = all.filter(|trial| trial.scenario == scenario);
    own.filter(|trial| {
        let said = trial.outcome.said.get(contender);
        let suspect = said.is_some_and(|said| said.suspect.is_some());
        trial.is_flagged(contender) || (suspects && suspect)
    })
    .count()
}
