//! Who leaks: series of every group of maps and of the call sites that hold most, judged by
//! [`leaks`](crate::leaks) on the recorder's beat.
//!
//! Data flows one way: `gather` adds up what is alive, `sites` tells by which line of the
//! program, `subject` keeps the series and the judge of each, `links` says which sites fill a
//! map, and `finding` puts what was found into words. `follow` does what follows from that:
//! names are looked up, suspects are measured, and `changes` tells those who listen.

mod changes;
mod clock;
mod finding;
mod follow;
mod gather;
mod links;
mod room;
mod sites;
mod subject;
mod tick;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

pub(crate) use changes::Listener;
pub use changes::VerdictChange;
pub(crate) use clock::Clock;
pub(crate) use finding::{Fill, Finding};
pub(crate) use follow::Follow;
pub(crate) use heaplens_profile::Place;
pub(crate) use tick::{Beat, tick};

use crate::leaks::{Point, Series, State, Windows};
use crate::memory::Memory;
use room::Room;
use sites::{Sites, Size};
use subject::Subject;

/// Call sites shown in metrics: those that concern most.
pub(crate) const SHOWN_SITES: usize = 20;
/// Changes that are remembered.
const MOST_CHANGES: usize = 256;

/// What an agent is told besides its settings.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    /// Who is told of changes.
    pub(crate) listener: Option<Listener>,
    /// The time of series, in tests.
    pub(crate) clock: Option<Clock>,
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").finish_non_exhaustive()
    }
}

/// What a process has one of, however many agents it has.
static KEPT: Mutex<Option<Watch>> = Mutex::new(None);

/// See the module.
#[derive(Debug)]
pub(crate) struct Watch {
    windows: Windows,
    room: Room,
    clock: Clock,
    /// What times of series count from.
    started: SystemTime,
    /// The time of the last beat.
    last: Option<Duration>,
    maps: BTreeMap<String, Subject>,
    by_site: BTreeMap<u32, Subject>,
    sites: Sites,
    sizes: HashMap<u32, Size>,
    /// The live heap of the process.
    whole: Series,
    memory: Memory,
    changes: VecDeque<VerdictChange>,
}

/// The watch for as long as this is held.
pub(crate) struct Locked(MutexGuard<'static, Option<Watch>>);

impl Locked {
    /// What was found, if an agent watches, or has.
    pub(crate) fn get(&self) -> Option<&Watch> {
        self.0.as_ref()
    }
}

pub(crate) fn lock() -> Locked {
    Locked(kept())
}

fn kept() -> MutexGuard<'static, Option<Watch>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to watch, within the `bytes` of memory that the history may take. What an agent
/// before did with the same settings is gone on with.
pub(crate) fn begin(windows: &Windows, bytes: usize, clock: Option<&Clock>) {
    let room = Room::within(bytes);
    let mut kept = kept();
    let same = |watch: &Watch| (watch.windows, watch.room) == (*windows, room);
    if !kept.as_ref().is_some_and(same) {
        let clock = clock.cloned();
        let clock = clock.unwrap_or_else(|| Clock::since(Instant::now()));
        *kept = Some(Watch::new(windows, room, clock));
    }
}

impl Watch {
    fn new(windows: &Windows, room: Room, clock: Clock) -> Self {
        let began = clock.time(Instant::now());
        let started = SystemTime::now().checked_sub(began);
        Watch {
            windows: *windows,
            room,
            clock,
            started: started.unwrap_or(SystemTime::UNIX_EPOCH),
            last: None,
            maps: BTreeMap::new(),
            by_site: BTreeMap::new(),
            sites: Sites::new(room.places),
            sizes: HashMap::new(),
            whole: Series::new(windows),
            memory: Memory::default(),
            changes: VecDeque::new(),
        }
    }

    /// Over which times it judges.
    pub(crate) fn windows(&self) -> &Windows {
        &self.windows
    }

    /// What the process may take, at the last tick.
    pub(crate) fn memory(&self) -> Memory {
        self.memory
    }

    /// How long it has watched, at the last tick.
    pub(crate) fn age(&self) -> Duration {
        self.last.unwrap_or_default()
    }

    /// The date of a time in a series.
    pub(crate) fn date(&self, at: Duration) -> SystemTime {
        self.started.checked_add(at).unwrap_or(self.started)
    }

    /// The last changes of state, the oldest first.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &VerdictChange> {
        self.changes.iter()
    }

    /// Groups of maps with their points, the oldest first, by name.
    pub(crate) fn map_series(&self) -> impl Iterator<Item = (&str, Vec<(Duration, Point)>)> {
        let maps = self.maps.iter();
        maps.map(|(name, subject)| (&**name, subject.series.points().collect()))
    }

    /// Call sites with their points, those that hold most first.
    pub(crate) fn site_series(&self) -> impl Iterator<Item = (&Place, Vec<(Duration, Point)>)> {
        let mut sites: Vec<(u32, &Subject)> = self
            .by_site
            .iter()
            .map(|(of, subject)| (*of, subject))
            .collect();
        let size = |of: &u32| self.sizes.get(of).map_or(0.0, |size| size.bytes);
        sites.sort_by(|one, other| size(&other.0).total_cmp(&size(&one.0)));
        sites.into_iter().filter_map(|(number, subject)| {
            Some((self.sites.place(number)?, subject.series.points().collect()))
        })
    }

    /// The state of each group of maps, by name.
    pub(crate) fn map_states(&self) -> impl Iterator<Item = (&str, State)> {
        let maps = self.maps.iter();
        maps.map(|(name, subject)| (&**name, subject.judge.verdict().state))
    }

    /// Names and states of the call sites that concern most.
    pub(crate) fn site_states(&self) -> Vec<(String, State)> {
        let mut sites: Vec<(u32, &Subject)> = self
            .by_site
            .iter()
            .map(|(of, subject)| (*of, subject))
            .collect();
        sites.sort_by(|one, other| {
            let verdict = other.1.judge.verdict();
            one.1.judge.verdict().by_concern(verdict)
        });
        let named = sites.into_iter().filter_map(|(number, subject)| {
            let name = self.sites.place(number)?.name();
            Some((name, subject.judge.verdict().state))
        });
        // Of two places that read the same the worse one is shown.
        let mut shown = HashSet::new();
        named
            .filter(|(name, _)| shown.insert(name.clone()))
            .take(SHOWN_SITES)
            .collect()
    }

    /// Bytes that it takes, about.
    pub(crate) fn bytes(&self) -> usize {
        let subjects = self.maps.values().chain(self.by_site.values());
        let series: usize = subjects.map(Subject::bytes).sum();
        let held = self.sizes.values().map(|size| size.held.capacity());
        series
            + self.sites.bytes()
            + held.sum::<usize>() * 48
            + self.sizes.capacity() * size_of::<Size>()
            + self.changes.capacity() * 512
    }
}

#[cfg(test)]
mod tests;
