//! Its tables.

use std::fmt::Write as _;

use super::{PRECISION, Results, Variation, flagged};
use crate::contender::Contender;
use crate::program::Truth;
use crate::score::{Score, quantile};

/// The judges, and what people use instead.
pub(super) fn summary(results: &Results) -> String {
    let shown = |contender: &&Contender| !matches!(contender, Contender::Without(_));
    let rows = results.contenders.iter().filter(shown);
    let rows: String = rows
        .map(|contender| row(results, *contender, results.seeds))
        .collect();
    format!("{HEAD}{rows}\n")
}

const HEAD: &str = "\
| | Recall | False alarms | Precision | Median time |
|---|---|---|---|---|
";

/// The rules with the cut-offs that suit them best.
pub(super) fn baselines(results: &Results) -> String {
    let judge = results.score(Contender::Map);
    let (recall, precision) = (judge.recall.value(), judge.precision.value());
    let mut text = format!(
        "Rules that ask for growth alone flag most of what is sound as well. With any other \
         cut-off, of all the one that is best in hindsight on these very days:\n\n\
         | | Most leaks found with a precision of {:.0} % | Highest precision with {:.1} % of the \
         leaks found |\n|---|---|---|\n\
         | {} | **{:.1} %** | **{:.1} %** |\n",
        100.0 * PRECISION,
        100.0 * recall,
        Contender::Map.name(),
        100.0 * recall,
        100.0 * precision,
    );
    for contender in &results.contenders {
        if let Contender::Instead(rule) = contender {
            let curve = results.curve(*contender);
            let percent = |share: f64| format!("{:.1} %", 100.0 * share);
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                rule.name(),
                curve
                    .best_recall(PRECISION)
                    .map_or("none".to_owned(), |point| percent(point.recall.value())),
                curve
                    .best_precision(recall)
                    .map_or("never so many".to_owned(), |point| percent(
                        point.precision.value()
                    )),
            );
        }
    }
    text.push('\n');
    text
}

/// The judge with one thing missing.
pub(super) fn ablations(results: &Results) -> String {
    let all = results.contenders.iter();
    let missing = all.filter(|one| matches!(one, Contender::Without(_)));
    let days = results.seeds.min(crate::ABLATED);
    let rows: String = missing.map(|one| row(results, *one, days)).collect();
    if rows.is_empty() {
        return String::new();
    }
    let whole = row(results, Contender::Map, days);
    format!(
        "### What each rule does\n\nThe judge of maps with one thing missing, on the first {days} \
         days of each scenario.\n\n{HEAD}{whole}{rows}\n"
    )
}

/// By the first so many days of each scenario.
fn row(results: &Results, contender: Contender, days: u64) -> String {
    let score = results.score_of(contender, |trial, _| trial.nth < days);
    format!(
        "| {} | {} | {} | {} | {} |\n",
        contender.name(),
        score.recall.percent(),
        score.false_alarms.percent(),
        score.precision.percent(),
        hours(&score),
    )
}

fn hours(score: &Score) -> String {
    let median = quantile(&score.hours, 0.5);
    median.map_or("-".to_owned(), |hours| format!("{hours:.1} h"))
}

/// Days flagged, by scenario.
pub(super) fn by_scenario(results: &Results) -> String {
    let mut text = format!(
        "### By scenario\n\nDays flagged, of {}; and the median time from the first entry that leaks \
         to the verdict.\n\n",
        results.seeds
    );
    header(&mut text, results);
    for (truth, title) in [(Truth::Leak, "*Leaks*"), (Truth::Sound, "*Sound*")] {
        let _ = writeln!(
            text,
            "| {title} |{}",
            " |".repeat(columns(results).len() + 2)
        );
        rows(&mut text, results, truth);
    }
    text.push('\n');
    text
}

/// Those that nobody could tell from a leak.
pub(super) fn undeclared(results: &Results) -> String {
    let mut text = String::from(
        "Programs whose bound is reached late and that nobody declares are in none of the figures \
         above. Until they reach it nothing tells them from a leak:\n\n",
    );
    header(&mut text, results);
    rows(&mut text, results, Truth::Undeclared);
    text.push('\n');
    text
}

fn columns(results: &Results) -> Vec<(usize, Contender)> {
    let all = results.contenders.iter().copied().enumerate();
    all.filter(|(_, contender)| !matches!(contender, Contender::Without(_)))
        .collect()
}

fn header(text: &mut String, results: &Results) {
    let names = columns(results).into_iter().map(|(_, kind)| match kind {
        Contender::Map => "maps: leak | after | maps: suspect".to_owned(),
        Contender::Site => "sites: leak".to_owned(),
        other => other.name().to_owned(),
    });
    let names: Vec<String> = names.collect();
    let _ = writeln!(text, "| Scenario | {} |", names.join(" | "));
    let _ = writeln!(text, "|---|{}", "---|".repeat(names.len() + 2));
}

fn rows(text: &mut String, results: &Results, truth: Truth) {
    for (place, scenario) in results.scenarios.iter().enumerate() {
        if scenario.truth != truth {
            continue;
        }
        let cells = columns(results).into_iter().map(|(contender, kind)| {
            let leaks = flagged(results, place, contender, false);
            if kind != Contender::Map {
                return leaks.to_string();
            }
            let own = results
                .trials
                .iter()
                .filter(|trial| trial.scenario == place);
            let after = hours(&Score::of(own, contender));
            let suspects = flagged(results, place, contender, true);
            format!("**{leaks}** | {after} | {suspects}")
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(text, "| {} | {} |", scenario.name(), cells.join(" | "));
    }
}

/// The tuning part in other settings.
pub(super) fn sensitivity(variations: &[Variation]) -> String {
    let mut text = String::from(
        "## Other settings\n\nThe tuning part, with the same parameters.\n\n\
         | Memory limit | Sampling interval | | Recall | False alarms | Precision |\n\
         |---|---|---|---|---|---|\n",
    );
    for variation in variations {
        let limit = variation.setting.limit / 1e9;
        let interval = variation.setting.interval / 1024.0;
        for (what, score) in ["maps", "sites"].iter().zip(&variation.scores) {
            let _ = writeln!(
                text,
                "| {limit} GB | {interval} KiB | {what} | {} | {} | {} |",
                score.recall.percent(),
                score.false_alarms.percent(),
                score.precision.percent(),
            );
        }
    }
    text.push('\n');
    text
}
