//! The verdicts as JSON.

use std::time::SystemTime;

use heaplens_profile::rfc3339;
use serde_json::{Value, json};

use super::says::says;
use crate::leaks::{Evidence, Growth, Kind, State, Verdict};
use crate::watch::{Fill, Finding, Place, Watch};

/// All of them, the worst first.
pub(super) fn of(watch: &Watch) -> Value {
    let findings = watch.findings();
    let spans = watch.windows().spans();
    let worst = findings.iter().map(|finding| finding.verdict.state).max();
    json!({
        "taken_at": rfc3339::format(SystemTime::now()),
        "uptime_seconds": watch.age().as_secs_f64(),
        "limit_bytes": watch.memory().limit,
        "windows_seconds": spans.map(|span| span.as_secs_f64()).collect::<Vec<_>>(),
        "state": worst.unwrap_or(State::Ok).name(),
        "verdicts": findings.iter().map(|of| verdict(watch, of)).collect::<Vec<_>>(),
    })
}

fn verdict(watch: &Watch, finding: &Finding) -> Value {
    let of = &finding.verdict;
    let date = |at| rfc3339::format(watch.date(at));
    let place = finding.place.as_ref();
    json!({
        "kind": finding.kind.name(),
        "name": finding.name,
        "function": place.map(|place| &place.function),
        "file": place.and_then(Place::file),
        "line": place.and_then(Place::line),
        "state": of.state.name(),
        "since": of.since.map(date),
        "state_since": date(of.state_since),
        "entries": of.entries,
        "bytes": of.bytes,
        "growth": of.growth.as_ref().map(growth),
        "removed_share": of.removed_share,
        "share_of_growth": of.share_of_growth,
        "seconds_to_limit": of.seconds_to_limit,
        "max_entries": of.bound,
        "expected_ttl_seconds": of.expected_ttl.map(|ttl| ttl.as_secs_f64()),
        "plateau_entries": plateau(of, finding.kind == Kind::Map),
        "plateau_bytes": plateau(of, finding.kind == Kind::Site),
        "filled_from": finding.filled_from.iter().map(fill).collect::<Vec<_>>(),
        "explained_by": finding.explained_by,
        "retained": finding.retained.map(|last| json!({
            "bytes": last.bytes,
            "blocks": last.blocks,
            "taken_at": rfc3339::format(last.taken_at),
        })),
        "sentence": finding.sentence,
        "suggestion": finding.suggestion.map(crate::leaks::words::Suggestion::text),
        "evidence": of.evidence.iter().map(|of| evidence(of, finding.kind)).collect::<Vec<_>>(),
    })
}

fn growth(of: &Growth) -> Value {
    let entries = of.entries_per_second;
    json!({
        "entries_per_minute": 60.0 * entries.slope,
        "low": 60.0 * entries.low,
        "high": 60.0 * entries.high,
        "bytes_per_minute": 60.0 * of.bytes_per_second.slope,
    })
}

fn plateau(of: &Verdict, is_wanted: bool) -> Option<f64> {
    of.plateau.filter(|_| is_wanted).map(f64::round)
}

fn fill(fill: &Fill) -> Value {
    json!({
        "site": fill.place.name(),
        "function": fill.place.function,
        "file": fill.place.file(),
        "line": fill.place.line(),
        "bytes_per_entry": fill.link.bytes_per_entry,
        "fit": fill.link.fit,
        "bytes": fill.link.bytes,
        "basis": fill.link.basis.name(),
    })
}

/// What is infinite is null.
fn evidence(of: &Evidence, kind: Kind) -> Value {
    let gates = of.readings.iter().map(|reading| {
        json!({
            "gate": reading.gate.name(),
            "passed": reading.passed,
            "value": reading.value,
            "needed": reading.needed,
            "samples": reading.samples,
            "says": says(reading, kind),
        })
    });
    json!({
        "window_seconds": of.span.as_secs_f64(),
        "holds": of.holds,
        "gates": gates.collect::<Vec<_>>(),
    })
}
