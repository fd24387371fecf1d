//! What groups of maps retain: measured when somebody asks, and kept until the next
//! time. One board for the process, as there is one inquiry at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use heaplens_alloc::retained::Limits;
use heaplens_maps::{AskError, GroupRetained};

use crate::state::App;

/// So many answers keep their samples, from which profiles are made; of older ones the
/// figures stay. There are no more answers than groups of maps.
const KEPT: usize = 16;

/// What is known of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    /// Whether it is being measured.
    pub(crate) is_running: bool,
    /// The last answer there was.
    pub(crate) done: Option<Arc<GroupRetained>>,
    /// Whether the samples of that were given up, for want of room.
    pub(crate) is_slim: bool,
    /// Why there was none since.
    pub(crate) failed: Option<AskError>,
}

impl Record {
    /// `none`, `running`, `done` or `failed`.
    pub(crate) fn state(&self) -> &'static str {
        match self {
            Record {
                is_running: true, ..
            } => "running",
            Record {
                failed: Some(_), ..
            } => "failed",
            Record { done: Some(_), .. } => "done",
            _ => "none",
        }
    }
}

/// The figures that metrics show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Brief {
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    pub(crate) taken_at: SystemTime,
}

#[derive(Default)]
struct Board {
    running: Option<String>,
    records: HashMap<String, Record>,
}

static BOARD: Mutex<Option<Board>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Board>> {
    BOARD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is known of this group.
pub(crate) fn of(name: &str) -> Record {
    let board = lock();
    let Some(board) = board.as_ref() else {
        return Record::default();
    };
    let mut record = board.records.get(name).cloned().unwrap_or_default();
    record.is_running = board.running.as_deref() == Some(name);
    record
}

/// The last answer for this group, in short.
pub(crate) fn brief(name: &str) -> Option<Brief> {
    let board = lock();
    let done = board.as_ref()?.records.get(name)?.done.as_ref()?;
    Some(Brief {
        bytes: done.retained.bytes,
        blocks: done.retained.blocks,
        taken_at: done.taken_at,
    })
}

/// The right to measure one group, until it is dropped.
#[derive(Debug)]
struct Ticket {
    name: String,
}

impl Ticket {
    /// `Err` with the name of the group that is being measured, if one is. The group is
    /// one that exists: the board keeps its name.
    fn take(name: String) -> Result<Ticket, String> {
        let mut board = lock();
        let board = board.get_or_insert_default();
        if let Some(running) = &board.running {
            return Err(running.clone());
        }
        board.running = Some(name.clone());
        Ok(Ticket { name })
    }

    /// Puts the outcome on the board.
    fn conclude(self, outcome: Result<GroupRetained, AskError>) {
        let mut guard = lock();
        let board = guard.get_or_insert_default();
        let record = board.records.entry(self.name.clone()).or_default();
        match outcome {
            Ok(answer) => {
                record.done = Some(Arc::new(answer));
                record.is_slim = false;
                record.failed = None;
            }
            Err(error) => record.failed = Some(error),
        }
        board.slim();
        // The drop of the ticket takes the lock.
        drop(guard);
    }
}

/// Starts to measure a group that exists, on the current runtime. `Err` with the name of the
/// group that is being measured, if one is.
pub(crate) fn start(app: &Arc<App>, name: String, patience: Duration) -> Result<(), String> {
    let ticket = Ticket::take(name.clone())?;
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let measure = move || heaplens_maps::retained(&name, patience, Limits::default());
        // Without a thread for it nothing is measured, and the ticket says so.
        let job = move || ticket.conclude(measure());
        let _ = app.measuring.run(job).await;
    });
    Ok(())
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(board) = lock().as_mut() {
            board.running = None;
        }
    }
}

impl Board {
    /// Gives up the samples of the oldest answer beyond [`KEPT`].
    fn slim(&mut self) {
        let full = |record: &&mut Record| record.done.is_some() && !record.is_slim;
        if self.records.values_mut().filter(full).count() <= KEPT {
            return;
        }
        let taken_at = |record: &&mut Record| record.done.as_ref().map(|done| done.taken_at);
        let oldest = self.records.values_mut().filter(full).min_by_key(taken_at);
        let Some(record) = oldest else { return };
        record.is_slim = true;
        if let Some(done) = &mut record.done {
            let sampled = &mut Arc::make_mut(done).retained.sampled;
            sampled.sites = Vec::new();
            sampled.stacks = Vec::new();
        }
    }
}
