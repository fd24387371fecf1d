//! What all handlers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heaplens_profile::{Mappings, Profile, Symbolizer};
use prometheus::Registry;
use tokio::sync::Semaphore;

use crate::flight::Flight;
use crate::handlers::heap::Built;
use crate::metrics;
use crate::work::{Failure, Work};

/// Delta profiles that may be waiting at a time; each holds a snapshot.
const DELTAS: usize = 8;

/// The state behind the routes.
#[derive(Debug)]
pub(crate) struct App {
    /// Whether `cmdline` shows arguments.
    pub(crate) expose_cmdline: bool,
    /// Profiles and symbols.
    pub(crate) costly: Work,
    /// Metrics and statistics: milliseconds.
    pub(crate) figures: Work,
    /// The profile in the making.
    pub(crate) flight: Flight<Built>,
    /// Free places for delta profiles.
    pub(crate) deltas: Arc<Semaphore>,
    /// What `/metrics` shows.
    pub(crate) registry: Registry,
    /// All mappings seen so far: samples may refer to objects unloaded since.
    mappings: Mutex<Mappings>,
    /// Names found so far, without open files.
    symbolizer: Mutex<Symbolizer>,
}

impl App {
    pub(crate) fn new(expose_cmdline: bool) -> Arc<Self> {
        Arc::new(App {
            expose_cmdline,
            costly: Work::new(),
            figures: Work::new(),
            flight: Flight::new(),
            deltas: Arc::new(Semaphore::new(DELTAS)),
            registry: metrics::registry(),
            mappings: Mutex::default(),
            symbolizer: Mutex::default(),
        })
    }

    /// The mappings of this process, with those that were there before. Held
    /// for one piece of costly work, of which one runs at a time.
    pub(crate) fn mappings(&self) -> Result<MutexGuard<'_, Mappings>, Failure> {
        let now = Mappings::of_current_process().map_err(|error| {
            Failure::Failed(format!("cannot read this process's memory map: {error}"))
        })?;
        let mut known = self.mappings.lock().unwrap_or_else(PoisonError::into_inner);
        known.merge(now);
        Ok(known)
    }

    /// Symbolized profiles of some snapshots. What is read of files, which may
    /// take many megabytes, lives no longer than this; names that were found
    /// stay, since opening the files anew takes longer than all the rest.
    pub(crate) fn profiles<const N: usize>(
        &self,
        snapshots: [&heaplens_alloc::Snapshot; N],
    ) -> Result<[Profile; N], Failure> {
        let mappings = self.mappings()?;
        let mut symbolizer = self
            .symbolizer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let profiles =
            snapshots.map(|snapshot| Profile::new(snapshot, &mappings, Some(&mut symbolizer)));
        symbolizer.close_files();
        Ok(profiles)
    }
}
