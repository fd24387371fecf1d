//! One inquiry, from the question to the sum.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use heaplens_alloc::is_what_if_allowed;
use heaplens_alloc::retained::{Limits, Measurement, Retained, RetainedError};

use super::answer::GroupRetained;
use super::desk::{Arrival, Inquiry};
use super::error::AskError;
use crate::group::{self, State};
use crate::pool::SLAB;
use crate::probe::{self, Attempt, Probe};
use crate::slot::{GroupId, Slot};

/// The most maps of a group that are measured, the largest ones, and the most probed
/// containers: each takes a fork.
pub const MAX_MEASURED: usize = 16;

/// Between two attempts at what did not answer.
const PAUSE: Duration = Duration::from_millis(10);

/// See [`retained`](super::retained).
pub(super) fn hold(
    name: &str,
    patience: Duration,
    limits: Limits,
) -> Result<GroupRetained, AskError> {
    if !is_what_if_allowed() {
        return Err(AskError::Failed(RetainedError::NotAllowed));
    }
    let state = group::all()
        .find(|state| state.name == name)
        .ok_or_else(|| AskError::Unknown {
            name: name.to_owned(),
        })?;
    let (slots, maps) = slots_of(state.id);
    let mut probes = probe::of_group(state.id);
    let maps = maps + probes.len() as u64;
    probes.truncate(MAX_MEASURED);
    if maps == 0 {
        return Err(AskError::Empty);
    }
    let inquiry = Inquiry::open(slots, limits).ok_or(AskError::Busy)?;
    let mut round = Round {
        limits,
        asked: (inquiry.open_ends().len() + probes.len()) as u64,
        probes,
        sum: Sum::default(),
        deadline: Instant::now().checked_add(patience),
    };
    round.run(&inquiry, state.id);
    drop(inquiry);
    round.conclude(state, maps, patience)
}

/// The slots of the group's largest maps, and how many maps have one.
fn slots_of(group: GroupId) -> (Vec<&'static Slot>, u64) {
    let mut found: Vec<(u64, &'static Slot)> = (0..SLAB.used())
        .filter_map(|number| {
            let slot = SLAB.get(number)?;
            let level = of_group(slot, group)?;
            Some((level.table_bytes.saturating_add(level.entries), slot))
        })
        .collect();
    let maps = found.len() as u64;
    found.sort_unstable_by_key(|(size, _)| std::cmp::Reverse(*size));
    found.truncate(MAX_MEASURED);
    (found.into_iter().map(|(_, slot)| slot).collect(), maps)
}

/// What the slot's map holds, if it is one of this group.
fn of_group(slot: &Slot, group: GroupId) -> Option<crate::slot::Level> {
    slot.read().filter(|reading| reading.group == group)?.level
}

struct Round {
    limits: Limits,
    /// Maps and probes that were asked.
    asked: u64,
    /// Those that did not answer yet.
    probes: Vec<Arc<Probe>>,
    sum: Sum,
    /// `None` is never.
    deadline: Option<Instant>,
}

/// What was measured so far.
#[derive(Default)]
struct Sum {
    retained: Option<(SystemTime, Retained)>,
    measured: u64,
    handles: u64,
    failed: Vec<RetainedError>,
}

impl Round {
    /// Until all have answered or the time is over.
    fn run(&mut self, inquiry: &Inquiry, group: GroupId) {
        loop {
            self.ask_probes();
            for slot in inquiry.open_ends() {
                if of_group(slot, group).is_none() && !inquiry.is_taken_up() {
                    // The map is gone.
                    inquiry.strike(slot);
                }
            }
            let is_done = self.probes.is_empty() && inquiry.open_ends().is_empty();
            let is_late = self.deadline.is_some_and(|end| Instant::now() >= end);
            if is_done || is_late && !inquiry.is_taken_up() {
                return;
            }
            inquiry.ask();
            if let Some(arrival) = inquiry.wait(PAUSE) {
                self.take(inquiry, arrival);
            }
        }
    }

    /// Tries those that were locked before.
    fn ask_probes(&mut self) {
        let limits = self.limits;
        for probe in std::mem::take(&mut self.probes) {
            let at = SystemTime::now();
            match probe::measure(&probe, limits) {
                Attempt::Begun(Err(RetainedError::Busy)) | Attempt::Busy => {
                    self.probes.push(probe);
                }
                Attempt::Begun(begun) => self.finish(at, begun),
                Attempt::Handle => self.sum.handles += 1,
                Attempt::Gone => {}
            }
        }
    }

    fn take(&mut self, inquiry: &Inquiry, Arrival { slot, at, begun }: Arrival) {
        // Another time, and it is asked again.
        if let Err(RetainedError::Busy | RetainedError::Panicking) = begun {
            return;
        }
        inquiry.strike(slot);
        self.finish(at, begun);
    }

    /// Waits for a child, which does not count as waiting for maps.
    fn finish(&mut self, at: SystemTime, begun: Result<Measurement, RetainedError>) {
        let waited = Instant::now();
        match begun.and_then(Measurement::finish) {
            Ok(answer) => self.sum.add(at, answer),
            Err(error) => self.sum.failed.push(error),
        }
        self.deadline = self
            .deadline
            .and_then(|end| end.checked_add(waited.elapsed()));
    }

    fn conclude(
        self,
        state: &'static State,
        maps: u64,
        patience: Duration,
    ) -> Result<GroupRetained, AskError> {
        let Sum {
            retained,
            measured,
            handles,
            failed,
        } = self.sum;
        match retained {
            Some((taken_at, retained)) => Ok(GroupRetained {
                name: state.name,
                taken_at,
                retained,
                maps,
                measured,
                failed,
            }),
            None => Err(match failed.into_iter().next() {
                Some(error) => AskError::Failed(error),
                None if handles == self.asked => AskError::Handles,
                None => AskError::Unanswered {
                    asked: self.asked,
                    patience,
                },
            }),
        }
    }
}

impl Sum {
    fn add(&mut self, at: SystemTime, answer: Retained) {
        self.measured += 1;
        match &mut self.retained {
            Some((_, sum)) => sum.add(answer),
            None => self.retained = Some((at, answer)),
        }
    }
}
