//! The verdicts as text, for a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use super::says::says;
use crate::leaks::{Kind, State};
use crate::units::{bytes, counted, duration, printable};
use crate::watch::{Finding, Watch};

/// All of them, the worst first; of what is just well the names only.
pub(super) fn of(watch: &Watch) -> String {
    let findings = watch.findings();
    let (well, told): (Vec<&Finding>, Vec<&Finding>) = findings
        .iter()
        .partition(|finding| finding.verdict.state == State::Ok);
    let flagged = told
        .iter()
        .filter(|finding| finding.verdict.state.is_flagged());
    let mut text = format!(
        "{} suspected or leaking; watched for {}",
        counted(flagged.count() as u64, "subject"),
        duration(watch.age()),
    );
    if let Some(limit) = watch.memory().limit {
        // Writing to a string cannot fail.
        let _ = write!(text, "; memory limit {}", bytes(limit as f64));
    }
    text.push('\n');
    for finding in told {
        one(&mut text, watch, finding);
    }
    if !well.is_empty() {
        let names: Vec<&str> = well.iter().map(|finding| &*finding.name).collect();
        let _ = writeln!(text, "\nok: {}", printable(&names.join(", ")));
    }
    text
}

fn one(text: &mut String, watch: &Watch, finding: &Finding) {
    let of = &finding.verdict;
    let since = duration(watch.age().saturating_sub(of.state_since));
    let _ = writeln!(
        text,
        "\n{} {} {}, for {since}",
        of.state.name().to_uppercase(),
        match finding.kind {
            Kind::Map => "map",
            Kind::Site => "call site",
        },
        printable(&finding.name),
    );
    let _ = writeln!(text, "  {}.", printable(&finding.sentence));
    if let Some(suggestion) = finding.suggestion {
        let _ = writeln!(text, "  {}", suggestion.text());
    }
    for fill in &finding.filled_from {
        let _ = writeln!(
            text,
            "  filled from {}: {}, {} an entry",
            printable(&fill.place.name()),
            bytes(fill.link.bytes),
            bytes(fill.link.bytes_per_entry),
        );
    }
    for evidence in of.evidence.iter().filter(|of| !of.readings.is_empty()) {
        let said: Vec<String> = evidence
            .readings
            .iter()
            .map(|reading| {
                let mark = if reading.passed { "" } else { "NOT: " };
                format!("{mark}{}", says(reading, finding.kind))
            })
            .collect();
        let holds = if evidence.holds {
            "holds"
        } else {
            "does not hold"
        };
        let _ = writeln!(
            text,
            "  {} {holds}: {}",
            window(evidence.span),
            said.join("; ")
        );
    }
}

fn window(span: Duration) -> String {
    format!("window of {}", duration(span))
}
