//! Sentences with figures.

use std::fmt::Write as _;

use heaplens::leaks::Windows;

use super::Results;
use crate::contender::Contender;
use crate::corpus::has_forerunner;
use crate::cost::{Cost, micros};
use crate::program::{Part, Truth};
use crate::score::quantile;
use crate::wilson::Share;

/// What the summary does not say.
pub(super) fn alarms(results: &Results) -> String {
    let score = results.score(Contender::Map);
    let mut text = format!(
        "Suspected, which is where to look and no alarm: {} of the leaks, {} of the sound \
         programs.\n\n",
        score.suspected.percent(),
        score.false_suspects.percent(),
    );
    if results.part == Part::HeldOut {
        let new = results.score_of(Contender::Map, |_, one| !has_forerunner(one.family));
        let mut left_out: Vec<&str> = results
            .scenarios
            .iter()
            .map(|scenario| scenario.family)
            .filter(|family| has_forerunner(family))
            .collect();
        left_out.dedup();
        let _ = writeln!(
            text,
            "Without the families that had a like in the simulation that the first values came \
             from ({}): recall {}, false alarms {}, precision {}.\n",
            left_out.join("; "),
            new.recall.percent(),
            new.false_alarms.percent(),
            new.precision.percent(),
        );
    }
    text
}

/// What is judged wrongly most often, by family.
pub(super) fn mistakes(results: &Results) -> String {
    let place = results.place(Contender::Map);
    let of = |truth: Truth| {
        let mut wrong: Vec<(&str, Share)> = Vec::new();
        for trial in results.trials.iter().filter(|trial| trial.truth == truth) {
            let Some(scenario) = results.scenarios.get(trial.scenario) else {
                continue;
            };
            if wrong
                .last()
                .is_none_or(|(family, _)| *family != scenario.family)
            {
                wrong.push((scenario.family, Share::default()));
            }
            if let Some((_, share)) = wrong.last_mut() {
                share.add(trial.is_flagged(place) != (truth == Truth::Leak));
            }
        }
        wrong.retain(|(_, share)| share.hits > 0);
        wrong.sort_by(|(_, one), (_, other)| other.value().total_cmp(&one.value()));
        let told = wrong.iter().map(|(family, share)| {
            let Share { hits, of } = share;
            format!("{family} ({hits} of {of})")
        });
        let told: Vec<String> = told.collect();
        if told.is_empty() {
            "none".to_owned()
        } else {
            told.join("; ")
        }
    };
    format!(
        "Leaks that were missed: {}.\n\nSound programs that were flagged: {}.\n\n",
        of(Truth::Leak),
        of(Truth::Sound)
    )
}

/// Of leaks that were named: when, how much they held, and where they came.
pub(super) fn of_named(results: &Results) -> String {
    let score = results.score(Contender::Map);
    let sites = results.score(Contender::Site);
    let culprit = results.culprit();
    let mut text =
        String::from("### Leaks that were named\n\n| | Median | 90 % within |\n|---|---|---|\n");
    let mut row = |what: &str, values: &[f64], unit: &str| {
        let [median, most] = [0.5, 0.9].map(|share| {
            let value = quantile(values, share);
            value.map_or("-".to_owned(), |value| format!("{value:.1} {unit}"))
        });
        let _ = writeln!(text, "| {what} | {median} | {most} |");
    };
    row("time until the verdict, maps", &score.hours, "h");
    row("the same, call sites", &sites.hours, "h");
    row("held by then, in truth", &score.held, "MB");
    let percent: Vec<f64> = score.errors.iter().map(|error| 100.0 * error).collect();
    row("error of the estimate of these bytes", &percent, "%");
    let _ = writeln!(
        text,
        "\nRank: among nine sound maps the leak comes first in {}, among the first three in {}. \
         Call sites, by series alone and without samples that are labelled with their map: \
         co-growth names the right one first in {}, among three in {}, and only others in {}.\n",
        culprit.first.percent(),
        culprit.third.percent(),
        culprit.site_first.percent(),
        culprit.site_named.percent(),
        culprit.site_wrong.percent(),
    );
    text
}

/// What it costs.
pub(super) fn costs(cost: &Cost) -> String {
    format!(
        "## What it costs\n\nMeasured when this was printed, on one core. A point of a series: {}. \
         A look at a subject that stands still: {}; at one that grows in all {} windows: {}. \
         Counting the ages of a live sample: {}.\n\n\
         | Judged | Share of a core |\n|---|---|\n\
         | 200 groups and 10,000 sites, each with a series, all still | {:.4} % |\n\
         | the same, where all groups and the {} largest sites grow in all windows | **{:.4} %** |\n\
         | the same, where all 10,000 sites do | {:.4} % |\n\n\
         The bar is 0.1 %. The last row is out of reach for a process within its limit: each of the \
         sites would gain 4 MiB in half an hour. A full series takes {} bytes.\n",
        micros(cost.push),
        micros(cost.still),
        Windows::standard().spans().len(),
        micros(cost.growing),
        micros(cost.age),
        100.0 * cost.share(0),
        crate::cost::LARGEST,
        100.0 * cost.share(200 + crate::cost::LARGEST),
        100.0 * cost.share(200 + crate::cost::SITES),
        cost.bytes,
    )
}
