//! The verdicts as the page tells them: what the watch has found, with dates.

use std::time::{Duration, SystemTime};

use crate::leaks::words::Suggestion;
use crate::leaks::{Kind, State, Verdict};
use crate::watch::{self, Finding, Watch};

/// All of them, the worst first.
#[derive(Debug, Default)]
pub(super) struct Judged {
    pub(super) all: Vec<Told>,
    /// For how long there was somebody to watch.
    pub(super) watched: Duration,
    /// The shortest time over which growth is judged.
    pub(super) shortest: Duration,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) verdict: Verdict,
    /// When the growth began.
    pub(super) since: Option<SystemTime>,
    pub(super) sources: Vec<Source>,
    /// The map that holds what this call site allocates.
    pub(super) explained_by: Option<String>,
    pub(super) sentence: String,
    pub(super) suggestion: Option<&'static str>,
    /// Bytes that dropping the map would free, as last measured, and when that was.
    pub(super) retained: Option<(u64, SystemTime)>,
}

/// A call site that fills a map.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) bytes_per_entry: f64,
}

impl Judged {
    /// As it is now; `None` where nothing is watched. Some milliseconds.
    pub(super) fn now() -> Option<Self> {
        let locked = watch::lock();
        let watch = locked.get()?;
        let findings = watch.findings();
        let all = findings.into_iter().map(|of| Told::of(of, watch)).collect();
        Some(Judged {
            all,
            watched: watch.age(),
            shortest: watch.windows().spans().next().unwrap_or_default(),
        })
    }

    /// How all of it stands: as the worst that there is something to say of. Warming only
    /// where all are, since there is often one map that is new.
    pub(super) fn state(&self) -> State {
        let states = self.notable().map(|of| of.verdict.state);
        states.max().unwrap_or(if self.is_young() {
            State::Warming
        } else {
            State::Ok
        })
    }

    /// Whether nothing is old enough to be judged.
    pub(super) fn is_young(&self) -> bool {
        let mut states = self.all.iter().map(|of| of.verdict.state);
        !self.all.is_empty() && states.all(|state| state == State::Warming)
    }

    /// Those that there is something to say of, the worst first, without those that others
    /// explain.
    pub(super) fn notable(&self) -> impl Iterator<Item = &Told> {
        self.shown().filter(|of| of.is_notable())
    }

    /// Those that no other one explains.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Told> {
        self.all.iter().filter(|of| !of.is_explained())
    }

    /// The verdict on the map of this name.
    pub(super) fn of_map(&self, name: &str) -> Option<&Told> {
        let mut maps = self.all.iter().filter(|of| of.kind == Kind::Map);
        maps.find(|of| of.name == name)
    }
}

impl Told {
    fn of(finding: Finding, watch: &Watch) -> Self {
        let sources = finding.filled_from.iter().map(|fill| Source {
            name: fill.place.name(),
            bytes_per_entry: fill.link.bytes_per_entry,
        });
        Told {
            since: finding.verdict.since.map(|at| watch.date(at)),
            sources: sources.collect(),
            suggestion: finding.suggestion.map(Suggestion::text),
            retained: finding.retained.map(|of| (of.bytes, of.taken_at)),
            kind: finding.kind,
            name: finding.name,
            verdict: finding.verdict,
            explained_by: finding.explained_by,
            sentence: finding.sentence,
        }
    }

    /// Whether there is more to say than that it is well, or too young to be judged.
    fn is_notable(&self) -> bool {
        match self.verdict.state {
            State::Ok => false,
            State::Warming => self.verdict.plateau.is_some(),
            _ => true,
        }
    }

    /// A call site whose growth is that of a map, which has a verdict of its own.
    pub(super) fn is_explained(&self) -> bool {
        self.explained_by.is_some()
    }
}

#[cfg(test)]
impl Told {
    /// With nothing but a state.
    pub(super) fn plain(kind: Kind, name: &str, state: State) -> Self {
        Told {
            kind,
            name: name.to_owned(),
            verdict: Verdict {
                state,
                ..Verdict::default()
            },
            since: None,
            sources: Vec::new(),
            explained_by: None,
            sentence: format!("`{name}` is so"),
            suggestion: None,
            retained: None,
        }
    }
}
