//! What to do about it.

use super::Subject;
use super::hints::{Hint, hint};
use crate::leaks::facts::Kind;
use crate::leaks::state::State;
use crate::leaks::verdict::Verdict;

/// The advice that fits a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Suggestion {
    /// Entries should expire.
    Ttl,
    /// There should be a most number of entries.
    Capacity,
    /// Keys should come from a bounded set.
    BoundedKey,
    /// Callbacks should be held weakly, or taken back.
    WeakCallback,
    /// Most are removed: the rest should be as well, on every way.
    RemoveOnEveryPath,
    /// Values grow, and not their number.
    BoundValues,
    /// The declared bound is not kept.
    EnforceBound,
    /// The declared time to live is not kept.
    EnforceTtl,
    /// It comes to an end by itself: say so, and it is held to that.
    DeclareBound,
    /// The table is far larger than what is in it.
    Shrink,
    /// Look at the map that holds it.
    SeeMap,
}

/// From this share on most are removed.
const MOST: f64 = 0.3;

/// The advice for this verdict, `None` where nothing is to be done. By what the counters say
/// and, where those leave it open, by the words in the names.
pub fn suggestion(verdict: &Verdict, subject: &Subject<'_>) -> Option<Suggestion> {
    match verdict.state {
        State::Growing | State::Suspect | State::Leak => Some(cure(verdict, subject)),
        State::Warming if verdict.plateau.is_some() && subject.kind == Kind::Map => {
            Some(Suggestion::DeclareBound)
        }
        _ => subject.wastes_capacity.then_some(Suggestion::Shrink),
    }
}

fn cure(verdict: &Verdict, subject: &Subject<'_>) -> Suggestion {
    if subject.kind == Kind::Site && subject.explained_by.is_some() {
        return Suggestion::SeeMap;
    }
    if verdict.overdue {
        return Suggestion::EnforceTtl;
    }
    if subject
        .max_entries
        .is_some_and(|bound| verdict.entries > bound)
    {
        return Suggestion::EnforceBound;
    }
    let entries_grow = verdict
        .growth
        .is_none_or(|growth| growth.entries_per_second.slope > 0.0);
    if subject.kind == Kind::Map && !entries_grow {
        return Suggestion::BoundValues;
    }
    let hint = hint(subject.name, subject.filled_from);
    if hint == Some(Hint::Callbacks) {
        return Suggestion::WeakCallback;
    }
    if verdict.removed_share.is_some_and(|share| share >= MOST) {
        return Suggestion::RemoveOnEveryPath;
    }
    match hint {
        Some(Hint::Metrics) => Suggestion::BoundedKey,
        Some(Hint::Sessions) => Suggestion::Ttl,
        Some(Hint::Pending) => Suggestion::RemoveOnEveryPath,
        Some(Hint::Callbacks) => Suggestion::WeakCallback,
        Some(Hint::Cache) | None => Suggestion::Capacity,
    }
}

impl Suggestion {
    /// As it is written in documents.
    pub const fn name(self) -> &'static str {
        match self {
            Suggestion::Ttl => "ttl",
            Suggestion::Capacity => "capacity",
            Suggestion::BoundedKey => "bounded_key",
            Suggestion::WeakCallback => "weak_callback",
            Suggestion::RemoveOnEveryPath => "remove_on_every_path",
            Suggestion::BoundValues => "bound_values",
            Suggestion::EnforceBound => "enforce_bound",
            Suggestion::EnforceTtl => "enforce_ttl",
            Suggestion::DeclareBound => "declare_bound",
            Suggestion::Shrink => "shrink",
            Suggestion::SeeMap => "see_map",
        }
    }

    /// In one or two sentences.
    pub const fn text(self) -> &'static str {
        match self {
            Suggestion::Ttl => {
                "Give entries a time to live and sweep those that are past it, since their owners \
                 do not always say good-bye; declare it with `expected_ttl`."
            }
            Suggestion::Capacity => {
                "Give it a capacity and evict the least used, or a time to live. If it is bounded \
                 already, declare that with `max_entries`."
            }
            Suggestion::BoundedKey => {
                "Key it by something that takes few values, such as the route instead of the URL \
                 or the user; declare the number with `max_entries`."
            }
            Suggestion::WeakCallback => {
                "Take callbacks back when their owner goes: hold them by `Weak` and drop the dead \
                 ones, or return a guard that removes its entry."
            }
            Suggestion::RemoveOnEveryPath => {
                "Some entries are removed and some are forgotten: remove them on every way out, \
                 errors, time-outs and cancelled futures included; a guard whose `Drop` removes \
                 the entry does so."
            }
            Suggestion::BoundValues => {
                "The number of entries stays the same while their values grow: bound what one \
                 value may hold."
            }
            Suggestion::EnforceBound => {
                "It holds more than was declared with `max_entries`: evict before inserting, or \
                 correct the declaration."
            }
            Suggestion::EnforceTtl => {
                "Entries live far longer than was declared with `expected_ttl`: see that the sweep \
                 runs and finds them all."
            }
            Suggestion::DeclareBound => {
                "If that is where it ends, declare it with `max_entries`: from then on more than \
                 that is a finding, and less is none."
            }
            Suggestion::Shrink => {
                "Most of its table stands empty: call `shrink_to` after large removals, or switch \
                 `auto_shrink` on."
            }
            Suggestion::SeeMap => "See the map that holds what is allocated here.",
        }
    }
}
