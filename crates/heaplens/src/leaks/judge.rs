//! The judgement of one subject over time.

use std::time::Duration;

use super::blocks::{BLOCKS, Blocks};
use super::facts::{Facts, Kind};
use super::floor::growing_since;
use super::gates::{Finding, Gate, Reading, assess};
use super::growth::Growth;
use super::holds::Holds;
use super::peaks::Peaks;
use super::protection::{Protection, is_overdue};
use super::retention::removed_share;
use super::rules::Rules;
use super::series::{Point, Series};
use super::state::State;
use super::verdict::{Evidence, Verdict};
use super::windows::{WINDOWS, Windows};

/// Judges one subject, look after look, and keeps what it found. Takes some 3 KiB for a
/// subject that grows, and half a KiB else.
#[derive(Clone, Debug)]
pub struct Judge {
    kind: Kind,
    windows: Windows,
    rules: Rules,
    holds: Holds,
    peaks: Peaks,
    verdict: Option<Verdict>,
    none_yet: Verdict,
}

/// The window whose last trough is taken for the size.
const SIZE: usize = 1;

/// One window at one look.
struct Look {
    /// Where they are looked at.
    blocks: Option<Blocks>,
    finding: Finding,
    readings: Vec<Reading>,
}

impl Judge {
    /// One that has seen nothing, by [`Rules::standard`]. `windows` are those of the series.
    pub fn new(kind: Kind, windows: &Windows) -> Self {
        Judge::with_rules(kind, windows, Rules::standard())
    }

    /// By other rules.
    pub fn with_rules(kind: Kind, windows: &Windows, rules: Rules) -> Self {
        Judge {
            kind,
            windows: *windows,
            rules,
            holds: Holds::default(),
            peaks: Peaks::default(),
            verdict: None,
            none_yet: Verdict {
                state: State::Warming,
                ..Verdict::default()
            },
        }
    }

    /// Map or site.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What the last look found; [`State::Warming`] before the first.
    pub fn verdict(&self) -> &Verdict {
        self.verdict.as_ref().unwrap_or(&self.none_yet)
    }

    /// Whether the next [`look`](Judge::look) makes a judgement, and the subject grows, so
    /// that it is worth to count [`Facts::cohorts`] for it: not for a map that has never lost an
    /// entry. Some 100 ns.
    pub fn wants_cohorts(&self, series: &Series) -> bool {
        let due = series.last().is_some_and(|(now, _)| self.is_due(now));
        due && !self.keeps_all(series)
            && self
                .windows
                .spans()
                .filter_map(|span| series.ends(span))
                .any(|ends| self.may_grow(ends, &Facts::default()))
    }

    /// Looks at the series as it is now. Makes a judgement if the last one is
    /// [`Windows::look_every`] ago or more, so it may be called at any time, such as after
    /// each point.
    pub fn look(&mut self, series: &Series, facts: &Facts<'_>) -> &Verdict {
        if let Some((now, point)) = series.last()
            && self.is_due(now)
        {
            let mut facts = *facts;
            if self.keeps_all(series) {
                facts.cohorts = None;
            }
            let facts = &facts;
            let looks = self.looks(series, facts);
            let next = self.judge(series, facts, now, point, looks);
            self.verdict = Some(next);
        }
        self.verdict()
    }

    /// Whether it is a map that has never lost an entry. Then counters tell all that there is
    /// to know of how the old ones fare, and samples by age could only be wrong about it.
    fn keeps_all(&self, series: &Series) -> bool {
        let last = series.last();
        let has_lost_none = last.is_some_and(|(_, of)| of.births > 0 && of.deaths == 0);
        self.kind == Kind::Map && has_lost_none
    }

    fn is_due(&self, now: Duration) -> bool {
        let last = self.verdict.as_ref().map(|verdict| verdict.looked_at);
        last.is_none_or(|last| now.saturating_sub(last) >= self.windows.look_every)
    }

    /// `None` for windows that the series does not reach back for.
    fn looks(&self, series: &Series, facts: &Facts<'_>) -> [Option<Look>; WINDOWS] {
        let spans: Vec<Duration> = self.windows.spans().collect();
        std::array::from_fn(|place| {
            let span = *spans.get(place)?;
            let ends = series.ends(span)?;
            if !self.may_grow(ends, facts) {
                return Some(Look {
                    blocks: (place == SIZE).then(|| series.window(span)).flatten(),
                    finding: Finding::Still,
                    readings: Vec::new(),
                });
            }
            let blocks = series.window(span)?;
            let assessment = assess(self.kind, &blocks, facts, &self.rules);
            Some(Look {
                blocks: Some(blocks),
                finding: assessment.finding,
                readings: assessment.readings,
            })
        })
    }

    /// The window's ends alone show whether it can have grown by enough.
    fn may_grow(&self, [first, last]: [(f64, f64); 2], facts: &Facts<'_>) -> bool {
        let told = facts.bytes_per_entry.unwrap_or(0.0) * last.0;
        let grows = last.0 > first.0 || last.1 > first.1;
        grows && last.1.max(told) >= self.rules.least_bytes
    }

    fn judge(
        &mut self,
        series: &Series,
        facts: &Facts<'_>,
        now: Duration,
        point: Point,
        looks: [Option<Look>; WINDOWS],
    ) -> Verdict {
        let mut verdict = Verdict {
            looked_at: now,
            entries: point.entries,
            bytes: point.bytes,
            bytes_per_entry: bytes_per_entry(&point, facts),
            ..Verdict::default()
        };
        Judge::measure(&mut verdict, series, facts, &looks);
        verdict.state = self.state(&mut verdict, facts, now, &looks);
        let before = self.verdict.as_ref();
        verdict.state_since = match before {
            Some(before) if before.state == verdict.state => before.state_since,
            _ => now,
        };
        let reached = looks.into_iter().zip(self.windows.spans());
        verdict.evidence = reached
            .filter_map(|(look, span)| {
                look.map(|look| Evidence {
                    span,
                    holds: look.finding == Finding::Holds,
                    readings: look.readings,
                })
            })
            .collect();
        verdict
    }

    /// How it grows: by the longest window with all signs of a leak, else by the longest
    /// with any growth.
    fn measure(
        verdict: &mut Verdict,
        series: &Series,
        facts: &Facts<'_>,
        looks: &[Option<Look>; WINDOWS],
    ) {
        let all = || looks.iter().flatten().rev();
        let holding = all().find(|look| look.finding == Finding::Holds);
        let growing = holding.or_else(|| all().find(|look| look.finding != Finding::Still));
        let Some((look, blocks)) = growing.and_then(|look| Some((look, look.blocks.as_ref()?)))
        else {
            return;
        };
        let mut growth = Growth::over(blocks);
        let by_entries = look
            .readings
            .iter()
            .any(|reading| reading.gate == Gate::Entries);
        if let (true, Some(bytes)) = (by_entries, verdict.bytes_per_entry) {
            growth = growth.with_bytes_per_entry(bytes);
        }
        if let Finding::Saturating(units) = look.finding {
            verdict.plateau = Some(units);
        }
        verdict.growth_span = Some(blocks.span());
        verdict.removed_share = removed_share(blocks);
        verdict.seconds_to_limit = facts
            .headroom
            .and_then(|bytes| growth.seconds_until(bytes as f64));
        verdict.share_of_growth = facts
            .process_growth
            .filter(|all| *all > 0.0)
            .map(|all| (growth.bytes_per_second.slope / all).clamp(0.0, 1.0));
        verdict.growth = Some(growth);
        let size = |point: &Point| {
            if by_entries {
                point.entries
            } else {
                point.bytes
            }
        };
        let sizes: Vec<_> = series
            .points()
            .map(|(at, point)| (at, size(&point) as f64))
            .collect();
        verdict.since = growing_since(&sizes);
    }

    fn state(
        &mut self,
        verdict: &mut Verdict,
        facts: &Facts<'_>,
        now: Duration,
        looks: &[Option<Look>; WINDOWS],
    ) -> State {
        let entries = verdict.entries as f64;
        let unit = verdict.bytes_per_entry.unwrap_or(0.0);
        verdict.overdue = is_overdue(facts, &self.rules);
        let size = self.size(looks, verdict);
        let memory = self.windows.longest();
        if self.peaks.observe(now, size, self.rules.cleared, memory) {
            self.holds = Holds::default();
        }
        let grows = looks
            .iter()
            .flatten()
            .any(|look| look.finding != Finding::Still);
        let is_estimate = self.kind == Kind::Site;
        match Protection::of(facts, entries, unit, is_estimate, &self.rules) {
            Protection::Bound(bound) => verdict.bound = Some(bound),
            Protection::Ttl(ttl) => verdict.expected_ttl = Some(ttl),
            Protection::None => return self.unprotected(verdict, facts, size, looks),
        }
        self.holds = Holds::default();
        if grows { State::Filling } else { State::Ok }
    }

    /// What stays for some minutes: the last trough of the second window.
    fn size(&self, looks: &[Option<Look>; WINDOWS], verdict: &Verdict) -> f64 {
        let last = |troughs: &[f64; BLOCKS]| troughs[BLOCKS - 1];
        let look = looks.get(SIZE).and_then(Option::as_ref);
        match (self.kind, look.and_then(|look| look.blocks.as_ref())) {
            (Kind::Map, Some(blocks)) => last(blocks.entries()),
            (Kind::Map, None) => verdict.entries as f64,
            (Kind::Site, Some(blocks)) => last(blocks.bytes()),
            (Kind::Site, None) => verdict.bytes as f64,
        }
    }

    fn unprotected(
        &mut self,
        verdict: &Verdict,
        facts: &Facts<'_>,
        size: f64,
        looks: &[Option<Look>; WINDOWS],
    ) -> State {
        let growing = looks
            .iter()
            .flatten()
            .rev()
            .find(|look| look.finding != Finding::Still);
        // The longest window sees best whether growth comes to an end.
        let saturates = growing.is_some_and(|look| matches!(look.finding, Finding::Saturating(_)));
        let beyond = self.peaks.exceeded_by(size, self.rules.beyond_peak);
        let holds = std::array::from_fn(|place| {
            let look = looks.get(place).and_then(Option::as_ref);
            let holds = look.is_some_and(|look| look.finding == Finding::Holds);
            holds && !saturates && beyond
        });
        self.holds.add(&self.windows, holds);
        let was = self.verdict().state;
        let patient = self.is_patient(verdict, facts, looks);
        let leaks = self.holds.long(&self.windows, was == State::Leak)
            || (!patient && self.holds.short(&self.windows, was == State::Leak));
        if leaks {
            State::Leak
        } else if self.holds.suspicious(&self.windows, was.is_flagged()) {
            State::Suspect
        } else if saturates || looks.iter().all(Option::is_none) {
            State::Warming
        } else if growing.is_some() {
            State::Growing
        } else {
            State::Ok
        }
    }

    /// Whether there is time to wait for a longer window: at this rate nothing is lost until
    /// then, and much that grows for some hours comes to an end.
    fn is_patient(
        &self,
        verdict: &Verdict,
        facts: &Facts<'_>,
        looks: &[Option<Look>; WINDOWS],
    ) -> bool {
        let Some(horizon) = self.windows.patience else {
            return false;
        };
        if looks.get(2).is_some_and(Option::is_some) {
            return false;
        }
        let limit = facts
            .memory_limit
            .map_or(self.rules.assumed_limit, |bytes| bytes as f64);
        let gained = verdict.bytes_per_second() * horizon.as_secs_f64();
        verdict.bytes as f64 + gained < self.rules.plateau * limit
    }
}

fn bytes_per_entry(point: &Point, facts: &Facts<'_>) -> Option<f64> {
    let shown = (point.entries > 0).then(|| point.bytes as f64 / point.entries as f64);
    facts.bytes_per_entry.or(shown)
}

#[cfg(test)]
mod tests;
