//! What `/debug/leaks` answers, as far as it is shown. Members that are added later
//! are passed over.

use serde::Deserialize;

/// Where it is.
pub(crate) const PATH: &str = "/debug/leaks";

/// All verdicts, the worst first.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Page {
    pub(crate) taken_at: String,
    pub(crate) uptime_seconds: Option<f64>,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) state: State,
    pub(crate) verdicts: Vec<Verdict>,
}

/// How a map or a place does, the worst last.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    #[default]
    Ok,
    Warming,
    Filling,
    Growing,
    Suspect,
    Leak,
    /// One that later versions may have. What it means is said in the sentence.
    #[serde(other)]
    Other,
}

impl State {
    pub(crate) fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warming => "warming",
            State::Filling => "filling",
            State::Growing => "growing",
            State::Suspect => "suspect",
            State::Leak => "leak",
            State::Other => "other",
        }
    }

    /// Whether there is something to look at.
    pub(crate) fn is_of_interest(self) -> bool {
        matches!(
            self,
            State::Growing | State::Suspect | State::Leak | State::Other
        )
    }
}

/// What is thought of a map or a place.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Verdict {
    /// `map` or `site`.
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) state: State,
    /// When the growth began.
    pub(crate) since: Option<String>,
    pub(crate) entries: Option<f64>,
    pub(crate) bytes: Option<f64>,
    pub(crate) growth: Option<Growth>,
    pub(crate) share_of_growth: Option<f64>,
    pub(crate) seconds_to_limit: Option<f64>,
    pub(crate) filled_from: Vec<Origin>,
    pub(crate) explained_by: Option<String>,
    pub(crate) retained: Option<Retained>,
    pub(crate) sentence: String,
    pub(crate) suggestion: Option<String>,
    pub(crate) evidence: Vec<Evidence>,
}

/// How fast it grows.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Growth {
    pub(crate) entries_per_minute: Option<f64>,
    pub(crate) low: Option<f64>,
    pub(crate) high: Option<f64>,
    pub(crate) bytes_per_minute: Option<f64>,
}

/// A place whose blocks a map holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Origin {
    pub(crate) site: String,
    pub(crate) bytes_per_entry: Option<f64>,
    pub(crate) bytes: Option<f64>,
}

/// What dropping it would give back.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Retained {
    pub(crate) bytes: Option<f64>,
    pub(crate) blocks: Option<f64>,
}

/// What was seen in one window.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Evidence {
    pub(crate) window_seconds: f64,
    pub(crate) holds: Option<bool>,
    pub(crate) gates: Vec<Gate>,
}

/// One test.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Gate {
    #[serde(rename = "gate")]
    pub(crate) name: String,
    pub(crate) passed: Option<bool>,
    pub(crate) value: Option<f64>,
    pub(crate) needed: Option<f64>,
    pub(crate) says: String,
}
