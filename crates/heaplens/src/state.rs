//! What all handlers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heaplens_profile::{Mappings, Profile, Symbolizer};
use prometheus::Registry;
use tokio::sync::Semaphore;

use crate::clients::Clients;
use crate::flight::Flight;
use crate::handlers::heap::Built;
use crate::history::keep;
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
    /// The directory of the history: as long as the disk takes.
    pub(crate) keeping: Work,
    /// What maps retain: seconds of waiting for others.
    pub(crate) measuring: Work,
    /// The profile in the making.
    pub(crate) flight: Flight<Built>,
    /// Free places for delta profiles.
    pub(crate) deltas: Arc<Semaphore>,
    /// Who fetches `delta_heap`, and up to where.
    pub(crate) clients: Mutex<Clients>,
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
            keeping: Work::new(),
            measuring: Work::new(),
            flight: Flight::new(),
            deltas: Arc::new(Semaphore::new(DELTAS)),
            clients: Mutex::default(),
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
        keep::add_past(&mut known);
        Ok(known)
    }

    /// The same as a list of its own. While a profile is being made, without those that are
    /// gone.
    pub(crate) fn known_mappings(&self) -> Result<Mappings, String> {
        let now = Mappings::of_current_process()
            .map_err(|error| format!("cannot read this process's memory map: {error}"))?;
        let known = self.mappings.try_lock();
        let mut all = known.map(|known| known.clone()).unwrap_or_default();
        all.merge(now);
        keep::add_past(&mut all);
        Ok(all)
    }

    /// Remembers what is mapped now, for addresses that are looked up later. Not
    /// while a profile is being made, which has just done so itself.
    pub(crate) fn note_mappings(&self) {
        if let Ok(mut known) = self.mappings.try_lock()
            && let Ok(now) = Mappings::of_current_process()
        {
            known.merge(now);
        }
    }

    /// Symbolized profiles of some snapshots. What is read of files, which may
    /// take many megabytes, lives no longer than this; names that were found
    /// stay, since opening the files anew takes longer than all the rest.
    pub(crate) fn profiles<const N: usize>(
        &self,
        snapshots: [&heaplens_alloc::Snapshot; N],
    ) -> Result<[Profile; N], Failure> {
        self.profiles_of(snapshots, true)
    }

    /// As [`profiles`](App::profiles), with names or with addresses only.
    pub(crate) fn profiles_of<const N: usize>(
        &self,
        snapshots: [&heaplens_alloc::Snapshot; N],
        with_names: bool,
    ) -> Result<[Profile; N], Failure> {
        self.symbolized(with_names, |mappings, mut symbolizer| {
            snapshots.map(|snapshot| Profile::new(snapshot, mappings, symbolizer.as_deref_mut()))
        })
    }

    /// A profile of lifetimes, with names or with addresses only.
    pub(crate) fn lifetimes(
        &self,
        of: &heaplens_alloc::Lifetimes,
        with_names: bool,
    ) -> Result<Profile, Failure> {
        self.symbolized(with_names, |mappings, symbolizer| {
            Profile::of_lifetimes(of, mappings, symbolizer)
        })
    }

    /// A profile of what a group of maps retains, with names or with addresses only.
    pub(crate) fn retained(
        &self,
        of: &heaplens_maps::GroupRetained,
        with_names: bool,
    ) -> Result<Profile, Failure> {
        self.symbolized(with_names, |mappings, symbolizer| {
            let mut profile = Profile::of_retained(&of.retained, of.name, mappings, symbolizer);
            profile.time = of.taken_at;
            if of.unmeasured() > 0 {
                profile.comments.push(format!(
                    "measured: {} of {} maps of the group",
                    of.measured, of.maps
                ));
            }
            profile
        })
    }

    fn symbolized<T>(
        &self,
        with_names: bool,
        make: impl FnOnce(&Mappings, Option<&mut Symbolizer>) -> T,
    ) -> Result<T, Failure> {
        let mappings = self.mappings()?;
        if !with_names {
            return Ok(make(&mappings, None));
        }
        let mut symbolizer = self
            .symbolizer
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let profiles = make(&mappings, Some(&mut symbolizer));
        symbolizer.close_files();
        Ok(profiles)
    }
}
