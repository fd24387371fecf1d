//! What a look found.

use std::time::Duration;

use super::gates::{Gate, Reading};
use super::growth::Growth;
use super::state::State;

/// What was asked of one window.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// How long the window is.
    pub span: Duration,
    /// Whether all signs of a leak are in it.
    pub holds: bool,
    /// What was asked, in that order; none of it after the first few that failed, and nothing
    /// where it does not grow.
    pub readings: Vec<Reading>,
}

impl Evidence {
    /// What came of this question, if it was asked.
    pub fn reading(&self, gate: Gate) -> Option<&Reading> {
        self.readings.iter().find(|reading| reading.gate == gate)
    }
}

/// What was found of a subject, and why.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// The finding.
    pub state: State,
    /// When it became that: since the start of the series' time.
    pub state_since: Duration,
    /// When the growth began, as far as the series reaches back; `None` if it does not grow.
    pub since: Option<Duration>,
    /// When the last judgement was made.
    pub looked_at: Duration,
    /// Entries then; for a site live blocks.
    pub entries: u64,
    /// Bytes then.
    pub bytes: u64,
    /// Bytes of an entry, if there is one.
    pub bytes_per_entry: Option<f64>,
    /// How fast it grows, from the longest window that shows it; `None` if it does not.
    pub growth: Option<Growth>,
    /// The window that `growth` is taken from.
    pub growth_span: Option<Duration>,
    /// Entries removed in that window for each that was inserted, 0 to 1 and more; `None` if
    /// it is not known.
    pub removed_share: Option<f64>,
    /// Where it levels off if it goes on slowing down as it does, in entries, or bytes for
    /// sites.
    pub plateau: Option<f64>,
    /// The declared bound that it is held against, in entries.
    pub bound: Option<u64>,
    /// The declared time to live, if it is kept.
    pub expected_ttl: Option<Duration>,
    /// The oldest entry is older than the declared time to live allows for by far.
    pub overdue: bool,
    /// Seconds until what is left of the memory limit is taken, at this rate.
    pub seconds_to_limit: Option<f64>,
    /// Of the growth of the process's live heap, 0 to 1.
    pub share_of_growth: Option<f64>,
    /// By window, from the shortest to the longest, as far as the series reaches.
    pub evidence: Vec<Evidence>,
}

impl Verdict {
    /// Bytes a second for a ranking; 0 if it does not grow.
    pub fn bytes_per_second(&self) -> f64 {
        self.growth
            .map_or(0.0, |growth| growth.bytes_per_second.slope.max(0.0))
    }

    /// The order in which verdicts are shown: the worst state first, then the fastest growth
    /// in bytes, then the largest.
    pub fn by_concern(&self, other: &Verdict) -> std::cmp::Ordering {
        let by_state = other.state.cmp(&self.state);
        by_state
            .then(other.bytes_per_second().total_cmp(&self.bytes_per_second()))
            .then(other.bytes.cmp(&self.bytes))
    }
}
