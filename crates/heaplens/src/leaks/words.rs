//! Verdicts in words: one sentence with the numbers, and what to do about it.

mod hints;
mod numbers;
mod suggestion;

use std::time::Duration;

use super::facts::Kind;
use super::state::State;
use super::verdict::Verdict;
use numbers::{bytes, count, percent, rate_of, span};

pub use suggestion::{Suggestion, suggestion};

/// What a verdict is about, and what is known of it besides.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// Map or site.
    pub kind: Kind,
    /// The map's name, or `function at file:line`.
    pub name: &'a str,
    /// The site that fills the map most, as `function at file:line`.
    pub filled_from: Option<&'a str>,
    /// The map that keeps what the site allocates.
    pub explained_by: Option<&'a str>,
    /// Bytes that dropping it would free, if they were measured.
    pub retained: Option<u64>,
    /// Memory that the process may take, in bytes.
    pub memory_limit: Option<u64>,
    /// Most of its table stands empty.
    pub wastes_capacity: bool,
    /// A bound was declared, whether it is kept or not: entries.
    pub max_entries: Option<u64>,
    /// A time to live was declared, whether it is kept or not.
    pub expected_ttl: Option<Duration>,
}

/// A longer time to the limit is not worth a word.
const FAR: f64 = 30.0 * 86_400.0;

/// The verdict in one sentence, without a full stop. Plain text; names in backquotes.
///
/// Rates are those of the troughs, given as a range where the interval of 95 % is wide.
pub fn sentence(verdict: &Verdict, subject: &Subject<'_>) -> String {
    let name = quoted(subject.name);
    match verdict.state {
        State::Ok => format!("{name} does not grow: {}", held(verdict, subject)),
        State::Warming => warming(verdict, subject, &name),
        State::Filling => filling(verdict, subject, &name),
        State::Growing | State::Suspect | State::Leak => growing(verdict, subject, &name),
    }
}

/// Of a site the function alone, without its place.
fn quoted(name: &str) -> String {
    match name.split_once(" at ") {
        Some((function, place)) => format!("`{function}` at {place}"),
        None => format!("`{name}`"),
    }
}

fn held(verdict: &Verdict, subject: &Subject<'_>) -> String {
    let noun = match subject.kind {
        Kind::Map => ("entry", "entries"),
        Kind::Site => ("live block", "live blocks"),
    };
    let size = bytes(verdict.bytes as f64);
    format!("{}, {size}", count(verdict.entries, noun))
}

fn warming(verdict: &Verdict, subject: &Subject<'_>, name: &str) -> String {
    let Some(plateau) = verdict.plateau else {
        let held = held(verdict, subject);
        return format!("{name} is too young to be judged: {held}");
    };
    let towards = match (subject.kind, verdict.bytes_per_entry) {
        (Kind::Site, _) => bytes(plateau),
        (Kind::Map, Some(each)) => {
            let entries = numbers::about(plateau, ("entry", "entries"));
            format!("{entries} ({})", bytes(plateau * each))
        }
        (Kind::Map, None) => numbers::about(plateau, ("entry", "entries")),
    };
    let now = held(verdict, subject);
    format!("{name} grows more and more slowly, towards about {towards}: {now} now")
}

fn filling(verdict: &Verdict, subject: &Subject<'_>, name: &str) -> String {
    let now = held(verdict, subject);
    match (verdict.bound, verdict.expected_ttl) {
        (Some(bound), _) => {
            let bound = count(bound, ("entry", "entries"));
            format!("{name} fills up to its declared bound of {bound}: {now} now")
        }
        (None, Some(ttl)) => {
            let ttl = span(ttl.as_secs_f64());
            format!("{name} grows within its declared time to live of {ttl}: {now} now")
        }
        (None, None) => format!("{name} fills up within what was declared: {now} now"),
    }
}

fn growing(verdict: &Verdict, subject: &Subject<'_>, name: &str) -> String {
    let mut parts = vec![format!("{name} has grown{}", by(verdict, subject))];
    if let Some(removed) = removed(verdict, subject) {
        parts[0].push_str(&removed);
    }
    parts.push(retains(verdict, subject));
    match (subject.filled_from, subject.explained_by) {
        (Some(site), _) if subject.kind == Kind::Map => {
            parts.push(format!("filled from {}", quoted(site)));
        }
        (_, Some(map)) if subject.kind == Kind::Site => parts.push(format!("held by `{map}`")),
        _ => {}
    }
    if let Some(limit) = limit(verdict, subject) {
        parts.push(limit);
    }
    if verdict.state == State::Growing {
        parts.push("nothing shows yet that what it holds stays for good".to_owned());
    }
    parts.join("; ")
}

fn by(verdict: &Verdict, subject: &Subject<'_>) -> String {
    let Some(growth) = verdict.growth else {
        return String::new();
    };
    let rate = match subject.kind {
        // Its values grow, and not the number of them.
        Kind::Map if growth.entries_per_second.slope > 0.0 => {
            rate_of(&growth.entries_per_second, numbers::Unit::Entries)
        }
        Kind::Map | Kind::Site => rate_of(&growth.bytes_per_second, numbers::Unit::Bytes),
    };
    let since = verdict
        .since
        .map(|since| verdict.looked_at.saturating_sub(since));
    match since {
        Some(since) if !since.is_zero() => format!(" by {rate} for {}", span(since.as_secs_f64())),
        _ => format!(" by {rate}"),
    }
}

fn removed(verdict: &Verdict, subject: &Subject<'_>) -> Option<String> {
    let share = verdict.removed_share?;
    let (gone, came) = match subject.kind {
        Kind::Map => ("removed", "inserted"),
        Kind::Site => ("freed", "allocated"),
    };
    Some(match share {
        share if share <= 0.0 => format!(" and none has been {gone}"),
        share if share < 0.01 => format!(" and hardly any has been {gone}"),
        share => format!(", with {} of what was {came} {gone} again", percent(share)),
    })
}

fn retains(verdict: &Verdict, subject: &Subject<'_>) -> String {
    let held = match subject.retained {
        Some(retained) => format!("it retains {}", bytes(retained as f64)),
        None => format!("it holds about {}", bytes(verdict.bytes as f64)),
    };
    match verdict.share_of_growth {
        Some(share) if share >= 0.01 => format!("{held} ({} of the heap's growth)", percent(share)),
        _ => held,
    }
}

fn limit(verdict: &Verdict, subject: &Subject<'_>) -> Option<String> {
    let seconds = verdict.seconds_to_limit.filter(|seconds| *seconds <= FAR)?;
    let limit = match subject.memory_limit {
        Some(limit) => format!("the {} limit", bytes(limit as f64)),
        None => "the memory limit".to_owned(),
    };
    Some(if seconds < 1.0 {
        format!("{limit} is reached")
    } else {
        format!("at this rate {limit} is reached in {}", span(seconds))
    })
}

#[cfg(test)]
mod tests;
