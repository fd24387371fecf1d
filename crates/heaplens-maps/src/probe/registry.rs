//! All probes, and the asking of them.
//!
//! No lock is held while the program's code runs: not when a container is
//! asked, and not when one is dropped because the last reference to it was ours.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heaplens_alloc::retained::Limits;

use super::source::{Answer, Attempt, Source};
use crate::contained::contained;
use crate::group::Group;
use crate::map_metrics::{CacheMetrics, Figures};
use crate::slot::GroupId;

/// The most containers that are probed at a time.
pub const MAX_PROBES: usize = 4096;

/// Registrations beyond [`MAX_PROBES`].
static REFUSED: AtomicU64 = AtomicU64::new(0);
/// Probes that panicked and were removed.
static PANICKED: AtomicU64 = AtomicU64::new(0);

pub(crate) fn refused() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}

pub(crate) fn panicked() -> u64 {
    PANICKED.load(Ordering::Relaxed)
}

/// Which container, within a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// By its address, at which no other can be while we know it: a `Weak` keeps
    /// the place.
    Shared(usize),
    /// By a number.
    Owned(u64),
}

impl Key {
    pub(super) fn owned() -> Key {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Key::Owned(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

type Place = (GroupId, Key);

pub(crate) struct Probe {
    place: Place,
    source: Box<dyn Source>,
    /// What it told last, for when it is busy. Never locked while it is asked.
    told: Mutex<Figures>,
}

impl Probe {
    pub(super) fn new(group: Group, key: Key, source: Box<dyn Source>) -> Probe {
        Probe {
            place: (group.state().id, key),
            source,
            told: Mutex::new(Figures::default()),
        }
    }

    fn told(&self) -> Figures {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Registry {
    probes: HashMap<Place, Arc<Probe>>,
    /// What caches had counted before they went.
    retired: HashMap<GroupId, CacheMetrics>,
}

static REGISTRY: Mutex<Option<Registry>> = Mutex::new(None);

fn lock() -> MutexGuard<'static, Option<Registry>> {
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// Takes a probe out, but keeps what its cache had counted.
    #[must_use = "to be dropped when the lock is free"]
    fn take(&mut self, place: &Place) -> Option<Arc<Probe>> {
        let probe = self.probes.remove(place)?;
        if let Some(cache) = probe.told().cache {
            self.retired
                .entry(place.0)
                .or_default()
                .add_counters(&cache);
        }
        Some(probe)
    }

    /// Takes out those whose container is no more.
    #[must_use = "to be dropped when the lock is free"]
    fn prune(&mut self) -> Vec<Arc<Probe>> {
        let dead: Vec<Place> = self
            .probes
            .iter()
            .filter(|(_, probe)| !probe.source.exists())
            .map(|(place, _)| *place)
            .collect();
        dead.iter().filter_map(|place| self.take(place)).collect()
    }
}

/// Registers a probe. `false` if there are too many. One that is there already
/// stays as it is.
pub(super) fn add(probe: Probe) -> bool {
    let mut registry = lock();
    let known = registry.get_or_insert_default();
    if known.probes.contains_key(&probe.place) {
        drop(registry);
        discard(probe);
        return true;
    }
    let mut dead = Vec::new();
    if known.probes.len() >= MAX_PROBES {
        dead = known.prune();
    }
    let has_room = known.probes.len() < MAX_PROBES;
    if has_room {
        known.probes.insert(probe.place, Arc::new(probe));
        drop(registry);
    } else {
        drop(registry);
        REFUSED.fetch_add(1, Ordering::Relaxed);
        discard(probe);
    }
    discard(dead);
    has_room
}

pub(super) fn contains(group: Group, key: Key) -> bool {
    let place = (group.state().id, key);
    lock()
        .as_ref()
        .is_some_and(|registry| registry.probes.contains_key(&place))
}

pub(super) fn remove(group: Group, key: Key) {
    take(&(group.state().id, key), None);
}

/// Takes out a probe, if it is still the one that is meant.
fn take(place: &Place, meant: Option<&Arc<Probe>>) {
    let mut registry = lock();
    let found = registry.as_mut().and_then(|registry| {
        let probe = registry.probes.get(place)?;
        let is_meant = meant.is_none_or(|meant| Arc::ptr_eq(meant, probe));
        if is_meant { registry.take(place) } else { None }
    });
    drop(registry);
    discard(found);
}

/// Drops what may run the program's code.
fn discard<T>(value: T) {
    contained(|| drop(value));
}

/// A group's probed containers, added up.
#[derive(Debug, Default)]
pub(crate) struct Polled {
    pub(crate) instances: u64,
    pub(crate) entries: u64,
    pub(crate) entries_max: u64,
    /// Containers that do not tell how many entries they have.
    pub(crate) entries_unknown: u64,
    pub(crate) capacity: u64,
    pub(crate) table_bytes: u64,
    /// Containers that do not tell the size of their tables.
    pub(crate) tables_unknown: u64,
    /// Largest bound, and how many have one.
    pub(crate) max_entries: (u64, u64),
    /// Longest time to live in milliseconds, and how many have one.
    pub(crate) ttl_millis: (u64, u64),
    pub(crate) cache: Option<CacheMetrics>,
}

impl Polled {
    fn add(&mut self, told: &Figures) {
        self.instances += 1;
        match told.entries {
            Some(entries) => {
                self.entries = self.entries.saturating_add(entries);
                self.entries_max = self.entries_max.max(entries);
            }
            None => self.entries_unknown += 1,
        }
        // A container without a table has room for what is in it.
        let capacity = told.capacity.or(told.entries).unwrap_or(0);
        self.capacity = self.capacity.saturating_add(capacity);
        match told.table_bytes {
            Some(bytes) => self.table_bytes = self.table_bytes.saturating_add(bytes),
            None => self.tables_unknown += 1,
        }
        let millis = told.expected_ttl.map(|ttl| {
            // Zero would mean that there is none.
            u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).max(1)
        });
        widen(&mut self.max_entries, told.max_entries);
        widen(&mut self.ttl_millis, millis);
        if let Some(cache) = &told.cache {
            self.cache.get_or_insert_default().add(cache);
        }
    }

    /// The bound within which all containers are.
    pub(crate) fn common_max_entries(&self) -> Option<u64> {
        let (most, bounded) = self.max_entries;
        (self.instances > 0 && bounded == self.instances).then_some(most)
    }

    /// The time that no entry of any container outlives, in milliseconds.
    pub(crate) fn common_ttl_millis(&self) -> Option<u64> {
        let (longest, bounded) = self.ttl_millis;
        (self.instances > 0 && bounded == self.instances).then_some(longest)
    }
}

fn widen((most, count): &mut (u64, u64), bound: Option<u64>) {
    if let Some(bound) = bound {
        *most = bound.max(*most);
        *count += 1;
    }
}

thread_local! {
    /// Whether this thread is asking: a container that takes a report while it
    /// is asked is not asked again.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Asks all containers.
pub(crate) fn poll() -> HashMap<GroupId, Polled> {
    let probes: Vec<Arc<Probe>> = match &*lock() {
        Some(registry) => registry.probes.values().cloned().collect(),
        None => return HashMap::new(),
    };
    let mut groups: HashMap<GroupId, Polled> = HashMap::new();
    let outer = ASKING.replace(true);
    for probe in probes {
        let told = if outer {
            Some(probe.told())
        } else {
            ask(&probe)
        };
        if let Some(told) = told {
            groups.entry(probe.place.0).or_default().add(&told);
        }
        // The registry may have forgotten it meanwhile.
        discard(probe);
    }
    ASKING.set(outer);
    if let Some(registry) = &*lock() {
        for (group, retired) in &registry.retired {
            let polled = groups.entry(*group).or_default();
            polled.cache.get_or_insert_default().add_counters(retired);
        }
    }
    groups
}

/// The probes of a group.
pub(crate) fn of_group(group: GroupId) -> Vec<Arc<Probe>> {
    let registry = lock();
    let probes = registry.iter().flat_map(|known| known.probes.values());
    let of_group = probes.filter(|probe| probe.place.0 == group);
    of_group.cloned().collect()
}

/// Begins to measure what a container retains. One that panics is gone, as far as this
/// is concerned: it is taken out when it is next asked, if it does so then.
pub(crate) fn measure(probe: &Probe, limits: Limits) -> Attempt {
    contained(|| probe.source.measure(limits)).unwrap_or(Attempt::Gone)
}

/// What one container tells; if it is no more, or panics, it is taken out.
fn ask(probe: &Arc<Probe>) -> Option<Figures> {
    match contained(|| probe.source.ask()) {
        Some(Answer::Told(figures)) => {
            *probe.told.lock().unwrap_or_else(PoisonError::into_inner) = figures;
            Some(figures)
        }
        Some(Answer::Busy) => Some(probe.told()),
        Some(Answer::Gone) => {
            take(&probe.place, Some(probe));
            None
        }
        None => {
            PANICKED.fetch_add(1, Ordering::Relaxed);
            take(&probe.place, Some(probe));
            None
        }
    }
}
