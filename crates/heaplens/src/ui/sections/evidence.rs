//! What a verdict rests on: what was asked of each window, and what it came to.

use crate::leaks::{Evidence, Gate, Reading};
use crate::ui::document::lasting;
use crate::ui::html::Html;
use crate::units;

/// In the order in which they are asked.
const GATES: [Gate; 9] = [
    Gate::Trend,
    Gate::Entries,
    Gate::Share,
    Gate::Bytes,
    Gate::Alive,
    Gate::NearTop,
    Gate::Plateau,
    Gate::Survivors,
    Gate::Retention,
];

/// Writes a table: a row for each question, a column for each window.
pub(super) fn render(html: &mut Html, windows: &[Evidence]) {
    if windows.is_empty() {
        return;
    }
    html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Evidence\"><table class=\"evidence\"><thead><tr><th scope=\"col\">Signs of a leak</th>");
    for window in windows {
        let span = lasting(window.span.as_secs_f64()).unwrap_or_default();
        html.raw("<th scope=\"col\" class=\"n\">")
            .text(span)
            .raw("</th>");
    }
    html.raw("</tr></thead>\n<tbody>");
    for gate in GATES {
        let readings: Vec<Option<&Reading>> = windows.iter().map(|of| of.reading(gate)).collect();
        if let Some(any) = readings.iter().flatten().next() {
            let (short, whole) = question(gate);
            html.raw("<tr><th scope=\"row\" title=\"").raw(whole);
            html.raw("\">").raw(short);
            html.raw(match gate {
                Gate::Plateau => " <span class=\"note\">harm from ",
                _ => " <span class=\"note\">needs ",
            });
            html.text(value(gate, any.needed)).raw("</span></th>");
            for reading in readings {
                cell(html, reading.map(|of| (of.passed, value(gate, of.value))));
            }
            html.raw("</tr>\n");
        }
    }
    html.raw("<tr class=\"all\"><th scope=\"row\">All of them</th>");
    for window in windows {
        let word = if window.holds { "yes" } else { "no" };
        cell(html, Some((window.holds, word.to_owned())));
    }
    html.raw("</tr></tbody></table></div>\n");
}

fn cell(html: &mut Html, reading: Option<(bool, String)>) {
    match reading {
        None => html.raw("<td class=\"n unknown\" title=\"not asked\">–</td>"),
        Some((true, said)) => html
            .raw("<td class=\"n yes\">")
            .text(said)
            .raw(" <b title=\"speaks for a leak\">✓</b></td>"),
        Some((false, said)) => html
            .raw("<td class=\"n no\">")
            .text(said)
            .raw(" <b title=\"speaks against a leak\">✗</b></td>"),
    };
}

/// In short, and as a whole sentence.
fn question(gate: Gate) -> (&'static str, &'static str) {
    match gate {
        Gate::Trend => (
            "Low points rise",
            "Do the lowest points rise? Score of the test of Mann and Kendall",
        ),
        Gate::Entries => ("Entries gained", "By enough entries?"),
        Gate::Share => (
            "Gained for its size",
            "By enough for its size? As a share of what it began with",
        ),
        Gate::Bytes => ("Bytes gained", "By enough bytes?"),
        Gate::Alive => (
            "Still grows",
            "Does it still grow? The second half as a share of the first",
        ),
        Gate::NearTop => (
            "Near its highest",
            "Is the last low point near the highest? As a share of it",
        ),
        Gate::Plateau => (
            "Levels off at",
            "Would it do harm where it levels off, if it does?",
        ),
        Gate::Survivors => (
            "Old stay, by age",
            "Do the old ones stay? By the ages of samples: as a share of later ones that do",
        ),
        Gate::Retention => (
            "Old stay, by count",
            "Do the old ones stay? By inserts and removals: what stayed of all that came",
        ),
    }
}

fn value(gate: Gate, value: f64) -> String {
    match gate {
        Gate::Share if value.is_infinite() => "from empty".to_owned(),
        Gate::Alive if value.is_infinite() => "only late".to_owned(),
        _ if value.is_infinite() => "never".to_owned(),
        Gate::Trend => format!("{value:.1}"),
        Gate::Entries => units::signed(value),
        Gate::Bytes | Gate::Plateau => units::bytes(value),
        Gate::Share | Gate::Alive | Gate::NearTop | Gate::Survivors | Gate::Retention => {
            format!(
                "{} %",
                units::count((value * 100.0).max(0.0).round() as u64)
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn reading(gate: Gate, passed: bool, value: f64, needed: f64) -> Reading {
        Reading {
            gate,
            passed,
            value,
            needed,
            samples: None,
        }
    }

    #[test]
    fn a_row_for_each_question_and_a_column_for_each_window() {
        let window = |minutes: u64, holds: bool, readings: Vec<Reading>| Evidence {
            span: Duration::from_secs(minutes * 60),
            holds,
            readings,
        };
        let short = vec![
            reading(Gate::Retention, false, 0.25, 0.5),
            reading(Gate::Trend, true, 4.25, 3.09),
            reading(Gate::Plateau, true, f64::INFINITY, 1_048_576.0),
        ];
        let long = vec![reading(Gate::Trend, true, 5.0, 3.09)];
        let mut html = Html::default();
        render(
            &mut html,
            &[window(30, false, short), window(120, true, long)],
        );
        let html = html.into_string();
        let document = roxmltree::Document::parse(&html).expect("well formed");
        let rows = document.descendants().filter(|of| of.has_tag_name("tr"));
        let rows: Vec<Vec<String>> = rows
            .map(|row| {
                let cells = row.children().filter(roxmltree::Node::is_element);
                let text = |cell: roxmltree::Node<'_, '_>| {
                    let parts = cell
                        .descendants()
                        .filter(roxmltree::Node::is_text)
                        .map(|of| of.text());
                    parts.flatten().collect::<String>()
                };
                cells.map(text).collect()
            })
            .collect();
        assert_eq!(
            rows,
            [
                ["Signs of a leak", "30m00s", "2h00m"],
                ["Low points rise needs 3.1", "4.2 ✓", "5.0 ✓"],
                ["Levels off at harm from 1.0 MiB", "never ✓", "–"],
                ["Old stay, by count needs 50 %", "25 % ✗", "–"],
                ["All of them", "no ✗", "yes ✓"],
            ]
        );
    }

    #[test]
    fn every_question_has_its_place() {
        for gate in GATES {
            assert!(question(gate).0.len() < question(gate).1.len());
            assert!(!value(gate, 1.0).is_empty());
        }
        let mut html = Html::default();
        render(&mut html, &[]);
        assert_eq!(html.into_string(), "");
    }
}
