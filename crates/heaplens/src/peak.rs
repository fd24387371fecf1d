//! The live heap when it was fullest, kept while an agent runs.
//!
//! The allocator wakes the agent at each new mark (`heaplens_alloc::peak`), and the
//! agent takes a snapshot of what is alive, off its event loop. It comes some
//! milliseconds late: what is kept is the fullest that was seen.

use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use heaplens_alloc::Snapshot;
use heaplens_alloc::peak::Watch;
use tokio::net::unix::pipe;
use tokio::sync::Semaphore;

use crate::state::App;
use crate::work::Failure;

/// What a process has one of, however many agents it has.
static KEPT: Mutex<State> = Mutex::new(State {
    since: None,
    peak: None,
});
/// Held by the agent that watches.
static WATCHING: Semaphore = Semaphore::const_new(1);

/// Snapshots take at most this share of the time: one in so many parts.
const SHARE: u32 = 20;
/// The pause after a rise that was over before it was looked at.
const MISSED: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct State {
    since: Option<SystemTime>,
    peak: Option<Arc<Peak>>,
}

/// The fullest heap that was seen.
#[derive(Debug)]
pub(crate) struct Peak {
    /// What was alive, and when.
    pub(crate) live: Snapshot,
    /// Estimated bytes of it.
    pub(crate) bytes: u64,
    /// Since when the peak is watched.
    pub(crate) since: SystemTime,
}

/// What there is to say of the peak.
#[derive(Debug)]
pub(crate) enum Known {
    Kept(Arc<Peak>),
    /// It is watched, and there was hardly anything yet.
    NothingYet,
    /// No agent has run in this process.
    NotWatched,
}

/// The peak up to now.
pub(crate) fn known() -> Known {
    let state = state();
    match (&state.peak, state.since) {
        (Some(peak), _) => Known::Kept(Arc::clone(peak)),
        (None, Some(_)) => Known::NothingYet,
        (None, None) => Known::NotWatched,
    }
}

fn state() -> MutexGuard<'static, State> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Watches for ever. Of several agents one does; when it stops, the next.
pub(crate) async fn watch(app: Arc<App>) {
    if !heaplens_alloc::counters().installed {
        return;
    }
    let Ok(_turn) = WATCHING.acquire().await else {
        return;
    };
    // The program may watch for itself, or have no descriptor left: then there is
    // no peak.
    let Ok(watch) = Watch::start() else {
        return;
    };
    let Ok(event) = event_of(&watch) else {
        return;
    };
    let already = {
        let mut state = state();
        state.since.get_or_insert_with(SystemTime::now);
        state.peak.as_ref().map_or(0, |peak| peak.bytes)
    };
    watch.rearm(already);
    while event.readable().await.is_ok() {
        // Reading sets it back: what comes in between wakes once more.
        match event.try_read(&mut [0; size_of::<u64>()]) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        }
        let begun = Instant::now();
        let Ok(taken) = take(&app).await else {
            return;
        };
        let pause = if taken.is_new {
            SHARE * begun.elapsed()
        } else {
            MISSED
        };
        watch.rearm(taken.highest);
        tokio::time::sleep(pause).await;
    }
}

/// The watch's event, for the event loop. It is no pipe, but is read like one.
fn event_of(watch: &Watch) -> io::Result<pipe::Receiver> {
    let event = watch.as_fd().try_clone_to_owned()?;
    pipe::Receiver::from_owned_fd_unchecked(event)
}

struct Taken {
    is_new: bool,
    /// Bytes of the peak that is kept now.
    highest: u64,
}

/// Looks at the heap, where other figures are made, and keeps it if it is fuller
/// than it was.
async fn take(app: &Arc<App>) -> Result<Taken, Failure> {
    let work = Arc::clone(app);
    app.figures
        .run_admitted(move || {
            let live = heaplens_alloc::survivors(Duration::ZERO);
            let taken = keep(&mut state(), live);
            if taken.is_new {
                work.note_mappings();
            }
            taken
        })
        .await
}

fn keep(state: &mut State, live: Snapshot) -> Taken {
    let bytes = live.totals().inuse.bytes.round() as u64;
    let before = state.peak.as_ref().map_or(0, |peak| peak.bytes);
    let is_new = bytes > before;
    if is_new {
        let since = state.since.unwrap_or(live.taken_at);
        state.peak = Some(Arc::new(Peak { live, bytes, since }));
    }
    Taken {
        is_new,
        highest: bytes.max(before),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use heaplens_alloc::{Counters, Site, Stack, StackKind, Tally};

    use super::*;

    /// A heap of so many bytes, so many seconds after the epoch.
    fn heap(bytes: u64, at: u64) -> Snapshot {
        let mut tally = Tally::default();
        tally.record(bytes, 1);
        let (at, since) = (UNIX_EPOCH + Duration::from_secs(at), UNIX_EPOCH);
        let stacks = vec![Stack::new(vec![1], StackKind::Captured)];
        let sites = vec![Site::new(0, 0, tally, tally)];
        Snapshot::from_parts(at, since, Counters::default(), stacks, sites)
    }

    #[test]
    fn the_fullest_heap_is_kept_with_its_moment() {
        let mut state = State::default();
        let expected = [
            (100, 1, true, 100),
            (90, 2, false, 100),
            (100, 3, false, 100),
        ];
        for (bytes, at, is_new, highest) in expected {
            let taken = keep(&mut state, heap(bytes, at));
            assert_eq!((taken.is_new, taken.highest), (is_new, highest), "{at}");
        }
        let moment = |state: &State| {
            let peak = state.peak.as_ref().unwrap();
            let at = peak.live.taken_at.duration_since(UNIX_EPOCH).unwrap();
            (peak.bytes, at.as_secs())
        };
        assert_eq!(moment(&state), (100, 1));
        keep(&mut state, heap(101, 4));
        assert_eq!(moment(&state), (101, 4));
    }
}
