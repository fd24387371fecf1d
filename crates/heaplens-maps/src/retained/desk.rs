//! Where the thread that asks and the threads that have the maps meet.
//!
//! The lock is held for a few instructions at a time, never while anything is forked,
//! dropped or waited for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use heaplens_alloc::retained::{Limits, Measurement, RetainedError};

use crate::slot::Slot;

/// One inquiry at a time.
struct Desk {
    /// Which inquiry it is; none is the first.
    turn: u64,
    is_open: bool,
    limits: Limits,
    /// The maps that did not answer yet.
    wanted: Vec<&'static Slot>,
    /// Some thread is at it.
    is_taken_up: bool,
    arrived: Option<Arrival>,
}

/// What a thread has begun to measure.
pub(super) struct Arrival {
    pub(super) slot: &'static Slot,
    /// Just before the fork.
    pub(super) at: SystemTime,
    pub(super) begun: Result<Measurement, RetainedError>,
}

/// What a thread has taken upon itself.
pub(super) struct Errand {
    turn: u64,
    pub(super) limits: Limits,
}

static DESK: Mutex<Option<Desk>> = Mutex::new(None);
static ARRIVED: Condvar = Condvar::new();

fn lock() -> MutexGuard<'static, Option<Desk>> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The errand for a map that was asked for. `None` if nobody waits for it, or another
/// map is being measured: then it is asked for again.
pub(super) fn take_up(slot: &'static Slot) -> Option<Errand> {
    let mut desk = lock();
    let desk = desk.as_mut().filter(|desk| desk.is_open)?;
    let is_wanted = desk.wanted.iter().any(|of| std::ptr::eq(*of, slot));
    if !is_wanted || desk.is_taken_up || desk.arrived.is_some() {
        return None;
    }
    desk.is_taken_up = true;
    Some(Errand {
        turn: desk.turn,
        limits: desk.limits,
    })
}

/// Hands over what was begun. If nobody waits any more, the child is killed.
pub(super) fn deliver(
    slot: &'static Slot,
    errand: &Errand,
    at: SystemTime,
    begun: Result<Measurement, RetainedError>,
) {
    let mut desk = lock();
    let open = desk
        .as_mut()
        .filter(|desk| desk.is_open && desk.turn == errand.turn);
    if let Some(open) = open {
        open.is_taken_up = false;
        open.arrived = Some(Arrival { slot, at, begun });
        ARRIVED.notify_all();
    } else {
        drop(desk);
        drop(begun);
    }
}

/// An inquiry under way.
pub(super) struct Inquiry {
    turn: u64,
}

impl Inquiry {
    /// `None` if there is one.
    pub(super) fn open(wanted: Vec<&'static Slot>, limits: Limits) -> Option<Inquiry> {
        let mut desk = lock();
        let before = desk.as_ref();
        if before.is_some_and(|desk| desk.is_open) {
            return None;
        }
        let turn = before.map_or(0, |desk| desk.turn).wrapping_add(1);
        *desk = Some(Desk {
            turn,
            is_open: true,
            limits,
            wanted,
            is_taken_up: false,
            arrived: None,
        });
        Some(Inquiry { turn })
    }

    fn desk<'a>(&self, desk: &'a mut Option<Desk>) -> Option<&'a mut Desk> {
        desk.as_mut().filter(|desk| desk.turn == self.turn)
    }

    /// Asks for all maps that did not answer yet, unless one is at it.
    pub(super) fn ask(&self) {
        if let Some(desk) = self.desk(&mut lock()).filter(|desk| !desk.is_taken_up) {
            desk.wanted.iter().for_each(|slot| slot.ask());
        }
    }

    /// What has arrived, within so long.
    pub(super) fn wait(&self, most: Duration) -> Option<Arrival> {
        let waited = ARRIVED.wait_timeout_while(lock(), most, |desk| {
            desk.as_ref().is_some_and(|desk| desk.arrived.is_none())
        });
        let (mut desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
        self.desk(&mut desk)?.arrived.take()
    }

    /// Whether some thread is at it.
    pub(super) fn is_taken_up(&self) -> bool {
        self.desk(&mut lock()).is_some_and(|desk| desk.is_taken_up)
    }

    /// A map has answered, or is no more.
    pub(super) fn strike(&self, slot: &Slot) {
        if let Some(desk) = self.desk(&mut lock()) {
            desk.wanted.retain(|of| !std::ptr::eq(*of, slot));
        }
    }

    /// The maps that did not answer yet.
    pub(super) fn open_ends(&self) -> Vec<&'static Slot> {
        let desk = &mut lock();
        self.desk(desk)
            .map_or_else(Vec::new, |desk| desk.wanted.clone())
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        let left = self.desk(&mut lock()).map(|desk| {
            desk.is_open = false;
            (std::mem::take(&mut desk.wanted), desk.arrived.take())
        });
        // An arrival too late is dropped when the lock is free.
        if let Some((slots, _late)) = left {
            for slot in slots {
                slot.take_ask();
            }
        }
    }
}
