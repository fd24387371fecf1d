//! `heaplens leaks`: which maps and places leak.

use std::time::Duration;

use crate::amount;
use crate::cli::Leaks;
use crate::client::Refusal;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::leaks_page::{self, Evidence, Page, State, Verdict};
use crate::maps_page;
use crate::session::Session;
use crate::source::Source;
use crate::style::{Mark, Style};
use crate::text::{printable, wrapped};

pub(crate) fn run(asked: &Leaks, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let address = Source::service(&asked.source)?;
    let client = session.client()?;
    let route = address.route(leaks_page::PATH);
    let answer = client.get(&address, &route, Duration::ZERO);
    let answer = answer.map_err(|refusal| match refusal {
        Refusal::NotFound(fault) => Fault::unreachable(format!(
            "{fault}; verdicts come with newer versions of the agent, or are switched off"
        )),
        Refusal::Other(fault) => fault,
    })?;
    let page: Page = maps_page::parse(&address, leaks_page::PATH, &answer.body)?;
    let exit = exit(&page, asked.strict);
    if session.json {
        session.console.write(&answer.body)?;
        return Ok(exit);
    }
    let style = session.console.style();
    let mut lines = vec![heading(&address.to_string(), &page, style)];
    let shown: Vec<&Verdict> = page
        .verdicts
        .iter()
        .filter(|of| asked.all || of.state.is_of_interest())
        .collect();
    if shown.is_empty() && !page.verdicts.is_empty() {
        let all = "Nothing grows without end. --all shows what is watched.";
        lines.extend([String::new(), all.to_owned()]);
    }
    let columns = session.console.text_columns();
    for verdict in shown {
        lines.push(String::new());
        lines.extend(told(verdict, asked.evidence, style, columns));
    }
    session.print_lines(&lines)?;
    Ok(exit)
}

/// The worst of all verdicts decides.
fn exit(page: &Page, is_strict: bool) -> Exit {
    let states = page.verdicts.iter().map(|of| of.state);
    let is_found = states
        .chain([page.state])
        .any(|state| state == State::Leak || is_strict && state == State::Suspect);
    if is_found { Exit::Found } else { Exit::Fine }
}

pub(crate) fn mark(state: State) -> Mark {
    match state {
        State::Leak => Mark::Red,
        State::Suspect | State::Growing | State::Other => Mark::Yellow,
        State::Filling | State::Warming => Mark::Cyan,
        State::Ok => Mark::Green,
    }
}

fn heading(address: &str, page: &Page, style: Style) -> String {
    let count = |state: State| page.verdicts.iter().filter(|of| of.state == state).count();
    let states = [
        State::Leak,
        State::Suspect,
        State::Growing,
        State::Filling,
        State::Warming,
        State::Ok,
        State::Other,
    ];
    let mut parts = vec![address.to_owned()];
    for state in states {
        match count(state) {
            0 => {}
            number => parts.push(style.paint(mark(state), &format!("{number} {}", state.name()))),
        }
    }
    if page.verdicts.is_empty() {
        parts.push("nothing is watched yet".to_owned());
    }
    parts.extend(
        page.uptime_seconds
            .map(|of| format!("watched for {}", amount::duration(of))),
    );
    parts.extend(
        page.limit_bytes
            .map(|of| format!("memory limit {}", amount::bytes(of as f64))),
    );
    if !page.taken_at.is_empty() {
        parts.push(printable(&page.taken_at));
    }
    parts.join(", ")
}

fn told(verdict: &Verdict, with_evidence: bool, style: Style, columns: usize) -> Vec<String> {
    let state = style.paint(mark(verdict.state), &verdict.state.name().to_uppercase());
    let name = style.paint(Mark::Bold, &printable(&verdict.name));
    let kind = style.paint(Mark::Dim, &printable(&verdict.kind));
    let mut lines = vec![format!("{state}  {kind} {name}")];
    for sentence in [Some(&verdict.sentence), verdict.suggestion.as_ref()]
        .into_iter()
        .flatten()
    {
        lines.extend(wrapped(&printable(sentence), columns, "  "));
    }
    let facts = facts(verdict);
    if !facts.is_empty() {
        lines.extend(
            wrapped(&facts.join(", "), columns, "  ")
                .iter()
                .map(|line| style.paint(Mark::Dim, line)),
        );
    }
    for origin in &verdict.filled_from {
        let each = origin
            .bytes_per_entry
            .map(|of| format!(", {} an entry", amount::bytes(of)));
        let bytes = origin.bytes.map(|of| format!(", {}", amount::bytes(of)));
        lines.push(format!(
            "  filled from {}{}{}",
            style.paint(Mark::Cyan, &printable(&origin.site)),
            each.unwrap_or_default(),
            bytes.unwrap_or_default()
        ));
    }
    lines.extend(
        verdict
            .explained_by
            .iter()
            .map(|map| format!("  held by map {}", printable(map))),
    );
    if with_evidence {
        lines.extend(verdict.evidence.iter().flat_map(|of| evidence(of, style)));
    }
    lines
}

/// Figures beside the sentence.
fn facts(verdict: &Verdict) -> Vec<String> {
    let mut facts = Vec::new();
    facts.extend(
        verdict
            .entries
            .map(|of| format!("{} entries", amount::count(of as i128))),
    );
    facts.extend(verdict.bytes.map(amount::bytes));
    if let Some(growth) = verdict.growth {
        let range = growth.low.zip(growth.high);
        let range =
            range.map(|(low, high)| format!(" ({} to {})", amount::rate(low), amount::rate(high)));
        let entries = growth.entries_per_minute.map(amount::rate);
        facts.extend(entries.map(|of| format!("{of} entries/min{}", range.unwrap_or_default())));
        let bytes = growth
            .bytes_per_minute
            .map(|of| amount::change(of as i128, "bytes"));
        facts.extend(bytes.map(|of| format!("{of}/min")));
    }
    facts.extend(
        verdict
            .share_of_growth
            .map(|of| format!("{:.0} % of all growth", of * 100.0)),
    );
    facts.extend(
        verdict
            .seconds_to_limit
            .map(|of| format!("full in {}", amount::duration(of))),
    );
    facts.extend(
        verdict
            .since
            .as_ref()
            .map(|of| format!("since {}", printable(of))),
    );
    if let Some(retained) = verdict.retained {
        let blocks = retained
            .blocks
            .map(|of| format!(" in {} blocks", amount::count(of as i128)));
        let bytes = retained.bytes.map(amount::bytes);
        facts.extend(bytes.map(|of| format!("retains {of}{}", blocks.unwrap_or_default())));
    }
    facts
}

fn evidence(of: &Evidence, style: Style) -> Vec<String> {
    let holds = match of.holds {
        Some(true) => "holds",
        Some(false) => "does not hold",
        None => "not decided",
    };
    let mut lines = vec![format!(
        "  within {}: {holds}",
        amount::duration(of.window_seconds)
    )];
    for gate in &of.gates {
        let (word, mark) = match gate.passed {
            Some(true) => ("yes", Mark::Green),
            Some(false) => ("no ", Mark::Red),
            None => ("-  ", Mark::Dim),
        };
        let figures = match (gate.value, gate.needed) {
            (Some(value), Some(needed)) => format!(" ({value:.2}, needed {needed:.2})"),
            (Some(value), None) => format!(" ({value:.2})"),
            _ => String::new(),
        };
        let says = printable(&gate.says);
        let gate = printable(&gate.name);
        lines.push(format!(
            "    {} {gate}{figures}: {says}",
            style.paint(mark, word)
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let page = |states: &[State]| Page {
            verdicts: states
                .iter()
                .map(|&state| Verdict {
                    state,
                    ..Verdict::default()
                })
                .collect(),
            ..Page::default()
        };
        for (states, strict, exit_code) in [
            (&[][..], true, 0),
            (&[State::Ok, State::Growing], true, 0),
            (&[State::Suspect], false, 0),
            (&[State::Suspect], true, 1),
            (&[State::Ok, State::Leak], false, 1),
            (&[State::Other], true, 0),
        ] {
            assert_eq!(exit(&page(states), strict).code(), exit_code, "{states:?}");
        }
    }
}
