//! What the heap was like before: compact snapshots of the profile and the process's
//! figures, kept while an agent runs, in bounded memory.
//!
//! Data flows one way: [`record`] takes a snapshot and the figures on the agent's beat;
//! `rows` gives each of its rows a number, `quantum` makes its figures whole numbers,
//! `delta` keeps what changed, and `chain` what is to be kept of it. What is asked for is
//! put together again into a [`Snapshot`], of which profiles are made as of any other.
//!
//! [`keep`] has it written to a directory, and read by the next run of the program: `file`
//! is what is written, with addresses as `objects` tells them, and `directory` where.

mod chain;
#[cfg(test)]
mod costs;
mod delta;
mod directory;
mod file;
mod index;
pub(crate) mod keep;
mod objects;
pub(crate) mod pace;
mod process;
mod quantum;
pub(crate) mod record;
mod ring;
mod rows;
mod run;
mod varint;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use heaplens_alloc::Snapshot;
use heaplens_profile::rfc3339;

pub(crate) use chain::Moment;
pub(crate) use process::Process;
pub(crate) use run::Run;

use crate::params::When;
use chain::Chain;
use ring::Ring;

/// Memory for all of it, if nobody says anything: 8 MiB.
pub const DEFAULT_HISTORY_BYTES: usize = 8 << 20;

/// With less there would be hardly a snapshot.
const LEAST_BYTES: usize = 64 << 10;
const MOST_BYTES: usize = 1 << 30;

/// What is recorded, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Bytes for all of it; 0 = nothing is recorded.
    pub(crate) bytes: usize,
    /// Between two looks at the process's figures.
    pub(crate) tick: Duration,
    /// Between two snapshots, where they are as cheap as that.
    pub(crate) snapshot: Duration,
    /// Where it is kept for the next run of the program.
    pub(crate) directory: Option<PathBuf>,
}

impl Settings {
    /// Within the range that is of use.
    pub(crate) fn new(bytes: usize) -> Self {
        let bytes = match bytes {
            0 => 0,
            bytes => bytes.clamp(LEAST_BYTES, MOST_BYTES),
        };
        Settings {
            bytes,
            tick: TICK,
            snapshot: SNAPSHOT,
            directory: None,
        }
    }
}

/// What a process has one of, however many agents it has.
static KEPT: Mutex<Option<History>> = Mutex::new(None);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct History {
    chain: Chain,
    process: Ring<Process>,
    /// Bytes that series of maps and call sites take.
    series_bytes: usize,
    since: Option<SystemTime>,
    bytes: usize,
    step: Duration,
    /// Whether a snapshot was left out because not even one has room.
    too_large: bool,
}

fn kept<T>(change: impl FnOnce(&mut History) -> T) -> T {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    change(kept.get_or_insert_default())
}

/// The history for as long as this is held: milliseconds, since recording waits.
pub(crate) struct Locked(MutexGuard<'static, Option<History>>);

impl Locked {
    /// What was kept, if an agent has recorded anything.
    pub(crate) fn get(&self) -> Option<&History> {
        self.0.as_ref().filter(|history| history.since.is_some())
    }
}

pub(crate) fn lock() -> Locked {
    Locked(KEPT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Why there is no snapshot of a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoSnapshot(pub(crate) String);

/// A snapshot of the past.
#[derive(Debug)]
pub(crate) struct Restored {
    pub(crate) snapshot: Snapshot,
    /// The run of the program that it is of, if that was an earlier one.
    pub(crate) earlier: Option<Run>,
}

/// A snapshot as it is after it was kept.
#[cfg(test)]
pub(crate) fn restored_for_tests(snapshot: &Snapshot) -> Snapshot {
    let mut chain = Chain::default();
    chain.add(snapshot);
    chain.restore(1).expect("kept")
}

impl Restored {
    pub(crate) fn of_now(snapshot: Snapshot) -> Self {
        Restored {
            snapshot,
            earlier: None,
        }
    }
}

/// The snapshot that was taken last before a moment, or has that number. Some
/// microseconds for each snapshot that is kept and row that changed in it.
pub(crate) fn restore(when: &When) -> Result<Restored, NoSnapshot> {
    let locked = lock();
    let Some(history) = locked.get() else {
        return Err(NoSnapshot(NOT_RECORDED.to_owned()));
    };
    let found = history.find(when, SystemTime::now());
    found
        .and_then(|moment| {
            let run = history.runs().get(moment.run).cloned();
            Some(Restored {
                snapshot: history.chain.restore(moment.id)?,
                earlier: run.filter(|run| !run.is_this),
            })
        })
        .ok_or_else(|| NoSnapshot(history.what_there_is(when)))
}

impl History {
    /// What is kept of snapshots, the oldest first.
    pub(crate) fn moments(&self) -> impl DoubleEndedIterator<Item = Moment> + '_ {
        self.chain.moments()
    }

    /// The runs of the program that [`Moment::run`] is of.
    pub(crate) fn runs(&self) -> &[Run] {
        self.chain.runs()
    }

    /// The process's figures, the oldest first, by the second since 1970.
    pub(crate) fn process(&self) -> impl Iterator<Item = (u64, Process)> + '_ {
        self.process.points()
    }

    /// When the first of it was recorded.
    pub(crate) fn since(&self) -> Option<SystemTime> {
        self.since
    }

    /// Bytes that it may take, that its series take and that its snapshots do.
    pub(crate) fn memory(&self) -> [usize; 3] {
        let series = self.process.bytes() + self.series_bytes;
        [self.bytes, series, self.chain.bytes()]
    }

    /// Between two looks at the process's figures.
    pub(crate) fn step(&self) -> Duration {
        self.step
    }

    /// Whether snapshots are too large to be kept in the memory that there is for them.
    pub(crate) fn is_too_large(&self) -> bool {
        self.too_large
    }

    fn find(&self, when: &When, now: SystemTime) -> Option<Moment> {
        let until = match when {
            When::Number(id) => return self.moments().find(|moment| moment.id == *id),
            When::At(at) => Some(*at),
            When::Ago(ago) => now.checked_sub(*ago),
        };
        self.moments()
            .rev()
            .find(|moment| until.is_some_and(|until| moment.taken_at <= until))
    }

    fn what_there_is(&self, when: &When) -> String {
        let say = |moment: &Moment| {
            let at = rfc3339::format(moment.taken_at);
            format!("{} of {at}", moment.id)
        };
        let moments: Vec<Moment> = self.moments().collect();
        match (&*moments, moments.first(), moments.last()) {
            ([], ..) if self.too_large => TOO_LARGE.to_owned(),
            ([one], ..) => format!(
                "no snapshot for {when}: there is one, {}; see /debug/history",
                say(one)
            ),
            (all, Some(first), Some(last)) => format!(
                "no snapshot for {when}: there are {}, from {} to {}; see /debug/history",
                all.len(),
                say(first),
                say(last)
            ),
            _ => format!("no snapshot for {when}: none was taken yet; see /debug/history"),
        }
    }

    /// Takes over how much memory there is, and how often something is noted.
    fn set(&mut self, settings: &Settings) {
        self.bytes = settings.bytes;
        self.step = settings.tick;
        self.fit();
    }

    /// Leaves so many bytes to the series of maps and call sites.
    fn make_room(&mut self, series_bytes: usize) {
        self.series_bytes = series_bytes;
    }

    fn note(&mut self, at: SystemTime, process: Process) {
        self.since.get_or_insert(at);
        let seconds = at.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = seconds.unwrap_or_default().as_secs();
        self.process.push(seconds, process);
        self.fit();
    }

    /// Keeps a snapshot, if there is room.
    fn keep(&mut self, snapshot: &Snapshot) {
        self.chain.add(snapshot);
        self.too_large = !self.fit();
    }

    fn fit(&mut self) -> bool {
        let [bytes, series, _] = self.memory();
        self.chain.fit(bytes.saturating_sub(series))
    }
}

const TICK: Duration = Duration::from_secs(15);
const SNAPSHOT: Duration = Duration::from_secs(60);

/// What there is to say where nothing was recorded.
pub(crate) const NOT_RECORDED: &str = "no history is kept: heaplens::Agent records it, and none \
     has in this process, or history_bytes is 0";

/// What there is to say where snapshots are too large.
pub(crate) const TOO_LARGE: &str = "no snapshot is kept: one takes more than there is for all of them; raise \
     history_bytes or HEAPLENS_HISTORY_BYTES";
