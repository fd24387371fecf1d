//! What is known of a subject besides its series.

use std::time::Duration;

use super::cohorts::Cohorts;

/// What kind of thing is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A group of tracked maps, by its entries; by its bytes where those grow alone.
    #[default]
    Map,
    /// A call site, by its live bytes.
    Site,
}

impl Kind {
    /// As it is written in documents: `map`, `site`.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Map => "map",
            Kind::Site => "site",
        }
    }
}

/// What is known of a subject, and of the process, at the time of a look. All of it may be
/// unknown, which is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Facts<'a> {
    /// Declared bound of the whole group, in entries: for several maps with one bound each,
    /// that times their number. For a site, that of the map that holds what it allocates.
    pub max_entries: Option<u64>,
    /// Declared time to live of an entry.
    pub expected_ttl: Option<Duration>,
    /// Age of the oldest entry.
    pub oldest: Option<Duration>,
    /// Bytes of an entry with all that it owns. By default what the series says: bytes by
    /// entries.
    pub bytes_per_entry: Option<f64>,
    /// What one sample stands for in bytes, if bytes are estimated: the sampling interval.
    pub bytes_per_sample: Option<f64>,
    /// Memory that the process may take, in bytes.
    pub memory_limit: Option<u64>,
    /// What is left of it.
    pub headroom: Option<u64>,
    /// How fast the live heap of the process grows, in bytes a second.
    pub process_growth: Option<f64>,
    /// Live samples by age. Counting them takes longer than all else: see
    /// [`Judge::wants_cohorts`](super::Judge::wants_cohorts).
    pub cohorts: Option<&'a Cohorts>,
}
