//! What is needed for each gate.

/// The parameters of a judgement. Those of [`Rules::standard`] were chosen on one part of the
/// corpus of `scripts/evaluate` and are frozen; see EVALUATION.md for what they achieve on
/// the other.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Rules {
    /// Least score of the test of Mann and Kendall: 3.09 is one false trend in a thousand
    /// independent series.
    pub trend: f64,
    /// Least growth within the window, in entries. Sites have none such.
    pub least_entries: f64,
    /// Least growth within the window, as a share of its start.
    pub least_share: f64,
    /// Least growth within the window, in bytes.
    pub least_bytes: f64,
    /// Least growth within the window in multiples of what one sample stands for, where bytes
    /// are estimated.
    pub least_samples: f64,
    /// Least slope of the second half, as a share of that of the first.
    pub alive: f64,
    /// Least last trough, as a share of the highest.
    pub near_top: f64,
    /// From this ratio of the halves' slopes on growth is taken to be steady.
    pub steady: f64,
    /// Growth that levels off below this share of the memory limit does no harm.
    pub plateau: f64,
    /// The memory limit where none is known, in bytes.
    pub assumed_limit: f64,
    /// Least share of the births of the window that stay, or of the old that do.
    pub retention: f64,
    /// Least survival of births of the older half, as a share of that of the younger quarter.
    pub survivors: f64,
    /// The same for the lower end of its interval of 95 %.
    pub survivors_low: f64,
    /// So many samples of the older half must be alive.
    pub survivor_samples: u32,
    /// Least share of the growth that survivors of the older half must explain.
    pub survivor_growth: f64,
    /// A declared bound protects up to this share of the memory limit.
    pub bound: f64,
    /// And up to so many times its size.
    pub bound_slack: f64,
    /// An entry so many times older than the declared time to live shows that it does not hold.
    pub overdue: f64,
    /// What falls below this share of its peak was cleared.
    pub cleared: f64,
    /// What was cleared once must exceed the peak that it was cleared from by this factor.
    pub beyond_peak: f64,
}

impl Rules {
    /// As frozen.
    pub const fn standard() -> Self {
        Rules {
            trend: 3.09,
            least_entries: 500.0,
            least_share: 0.10,
            least_bytes: 1_000_000.0,
            least_samples: 8.0,
            alive: 0.4,
            near_top: 0.9,
            steady: 0.85,
            plateau: 0.25,
            assumed_limit: 4.0 * 1024.0 * 1024.0 * 1024.0,
            retention: 0.5,
            survivors: 0.6,
            survivors_low: 0.35,
            survivor_samples: 5,
            survivor_growth: 0.25,
            bound: 0.5,
            bound_slack: 1.1,
            overdue: 3.0,
            cleared: 0.25,
            beyond_peak: 1.2,
        }
    }
}

impl Default for Rules {
    fn default() -> Self {
        Rules::standard()
    }
}
