//! What all groups hold, at about one moment.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use heaplens_alloc::Tally;
use heaplens_alloc::holder::{self, Held, Holder};

use crate::cache_report::CacheReport;
use crate::census::{Census, Sum};
use crate::clock;
use crate::group::{self, Cause, State};
use crate::growth::Growth;
use crate::pool::SLAB;
use crate::probe::{self, Polled};
use crate::slot::GroupId;
use crate::traffic;

/// All groups of the process.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// When it was taken.
    pub taken_at: SystemTime,
    /// One for each group that ever had a map with a table, in the order in
    /// which they appeared.
    pub groups: Vec<GroupReport>,
    /// How often a map asked for a new group when there were
    /// [`MAX_GROUPS`](crate::MAX_GROUPS) and went to
    /// [`OTHER`](crate::OTHER).
    pub groups_overflowed: u64,
    /// Maps that are not counted because four million others are alive.
    pub maps_refused: u64,
    /// Containers that were not probed because
    /// [`MAX_PROBES`](crate::MAX_PROBES) others were.
    pub probes_refused: u64,
    /// Probes that panicked, and are not asked any more.
    pub probes_panicked: u64,
}

/// A group's maps, added up.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GroupReport {
    /// Its name, or `file:line:column` of where its maps are made.
    pub name: String,
    /// Where its maps are made, if it has no name of its own.
    pub site: Option<String>,
    /// Maps alive that have a table, or nodes, and probed containers.
    pub instances: u64,
    /// How many of them are probed: their inserts, removes and resizes are not
    /// known, and not in the counters below. See
    /// [`GroupReport::flow_is_known`].
    pub probed: u64,
    /// Probed containers that do not tell how many entries they have, and are
    /// not in `entries`.
    pub entries_unknown: u64,
    /// Probed containers that do not tell the bytes of their tables, and are not
    /// in `table_bytes`.
    pub tables_unknown: u64,
    /// Entries of all of them.
    pub entries: u64,
    /// Entries of the largest.
    pub entries_max_instance: u64,
    /// Entries that their tables can hold. For B-trees the same as `entries`.
    pub capacity: u64,
    /// Bytes of their tables: exact for hash maps that grew under their
    /// wrapper, else as the type says.
    pub table_bytes: u64,
    /// Entries inserted since the start; a new value for a key that is there
    /// does not count. Never decreases. `inserts − removes = entries`.
    pub inserts: u64,
    /// Entries removed in whatever way since the start: those that went with
    /// their map and evictions included. Never decreases.
    pub removes: u64,
    /// Changes of a table's size since the start.
    pub resizes: u64,
    /// How many of those were shrinks that a map made by itself.
    pub shrinks: u64,
    /// Entries that left caches by themselves, in the order of [`Cause::ALL`].
    pub evictions: [u64; Cause::ALL.len()],
    /// What its caches count; `None` if there is no cache in it.
    pub cache: Option<CacheReport>,
    /// Declared bound of each map; for probed containers that all have one, the
    /// largest that they enforce.
    pub max_entries: Option<u64>,
    /// Declared time to live of entries; for probed containers that all have
    /// one, the longest.
    pub expected_ttl: Option<Duration>,
    /// When an entry was last inserted: the time of the first report that
    /// showed it.
    pub last_insert: Option<SystemTime>,
    /// When a map was last used: read, as fine as [`tick`](crate::tick) is
    /// called, or changed.
    pub last_access: Option<SystemTime>,
    /// Entries a second over the last five minutes; negative when it shrinks.
    pub growth_per_second: Option<f64>,
    /// Estimate of what keys and values own on the heap, from sampled blocks.
    pub contents: Tally,
    /// Samples of the tables themselves.
    pub tables: Tally,
    /// When the oldest sampled block of an entry was allocated.
    pub oldest: Option<SystemTime>,
    /// What keys and values own by the count of the program's own sizers, if
    /// all maps of the group have one.
    pub sized_bytes: Option<u64>,
}

impl GroupReport {
    /// Bytes on the heap: tables, and what keys and values own. The second part
    /// is exact if the program counts it, else an estimate. Where a container
    /// does not tell the size of its table, what samples show of the tables is
    /// taken if it is more than is known.
    pub fn heap_bytes(&self) -> f64 {
        let contents = match self.sized_bytes {
            Some(bytes) => bytes as f64,
            None => self.contents.bytes,
        };
        self.estimated_tables().max(self.table_bytes as f64) + contents
    }

    /// Standard error of [`GroupReport::heap_bytes`], in bytes.
    pub fn heap_bytes_error(&self) -> f64 {
        let contents = match self.sized_bytes {
            Some(_) => 0.0,
            None => self.contents.bytes_error(),
        };
        if self.estimated_tables() > self.table_bytes as f64 {
            contents.hypot(self.tables.bytes_error())
        } else {
            contents
        }
    }

    /// The tables as samples show them, if that is needed.
    fn estimated_tables(&self) -> f64 {
        match self.tables_unknown {
            0 => 0.0,
            _ => self.tables.bytes,
        }
    }

    /// Whether `inserts`, `removes` and `resizes` count all of the group: not if
    /// containers of it are probed.
    pub fn flow_is_known(&self) -> bool {
        self.probed == 0
    }

    /// Whether most of the tables stands empty: 1 MiB and more that is full to
    /// less than one eighth. A `shrink_to`, or `auto_shrink`, gives it back.
    pub fn wastes_capacity(&self) -> bool {
        self.table_bytes >= 1 << 20
            && self.entries_unknown == 0
            && self.entries.saturating_mul(8) <= self.capacity
    }

    fn of_slots(sum: &Sum) -> Self {
        GroupReport {
            instances: sum.instances,
            entries: sum.entries,
            entries_max_instance: sum.entries_max,
            capacity: sum.capacity,
            table_bytes: sum.table_bytes,
            inserts: sum.inserts,
            // An insert that came between the two reads would make it negative.
            removes: sum.inserts.saturating_sub(sum.entries),
            resizes: sum.resizes,
            last_access: clock::date(sum.read),
            ..GroupReport::default()
        }
    }

    fn add_polled(&mut self, polled: &Polled) {
        self.instances += polled.instances;
        self.probed += polled.instances;
        self.entries_unknown += polled.entries_unknown;
        self.tables_unknown += polled.tables_unknown;
        self.entries = self.entries.saturating_add(polled.entries);
        self.entries_max_instance = self.entries_max_instance.max(polled.entries_max);
        self.capacity = self.capacity.saturating_add(polled.capacity);
        self.table_bytes = self.table_bytes.saturating_add(polled.table_bytes);
    }

    /// After all instances are known: what holds for all of them.
    fn conclude(&mut self, state: &State, polled: Option<&Polled>) {
        if let Some(polled) = polled.filter(|polled| polled.instances == self.instances) {
            let ttl = || polled.common_ttl_millis().map(Duration::from_millis);
            self.max_entries = self.max_entries.or_else(|| polled.common_max_entries());
            self.expected_ttl = self.expected_ttl.or_else(ttl);
        }
        let told = polled.and_then(|polled| polled.cache);
        let counted = traffic::counted(state.id, &self.evictions);
        if told.is_some() || counted.is_some() {
            let mut sum = told.unwrap_or_default();
            sum.add(&counted.unwrap_or_default());
            let is_told = self.entries_unknown < self.instances;
            self.cache = Some(CacheReport::new(&sum, is_told.then_some(self.entries)));
        }
    }

    fn describe(&mut self, state: &State, held: Option<&Held>) {
        state.name.clone_into(&mut self.name);
        self.site = state.site.map(ToString::to_string);
        self.shrinks = state.shrinks.load(Ordering::Relaxed);
        for (count, counter) in self.evictions.iter_mut().zip(&state.evictions) {
            *count = counter.load(Ordering::Relaxed);
        }
        let some = |value: u64| (value != 0).then_some(value);
        self.max_entries = some(state.max_entries.load(Ordering::Relaxed));
        self.expected_ttl =
            some(state.ttl_millis.load(Ordering::Relaxed)).map(Duration::from_millis);
        if let Some(held) = held {
            self.contents = held.contents;
            self.tables = held.table;
            self.oldest = held.oldest;
        }
        let sized = u64::try_from(state.sized_maps.load(Ordering::Relaxed));
        if sized.is_ok_and(|sized| sized > 0 && sized >= self.instances) {
            let bytes = state.sized_bytes.load(Ordering::Relaxed);
            self.sized_bytes = Some(u64::try_from(bytes).unwrap_or(0));
        }
    }
}

/// What earlier reports showed.
#[derive(Default)]
struct Past {
    inserts: u64,
    removes: u64,
    resizes: u64,
    last_insert: Option<SystemTime>,
    last_access: Option<SystemTime>,
    growth: Growth,
}

static PAST: Mutex<Option<HashMap<GroupId, Past>>> = Mutex::new(None);

/// Reads all slots, all probes and all sampled blocks. Some 4 ns a slot, 100 ns
/// a sampled block; no map is made to wait. What it allocates is not sampled.
pub fn report() -> Report {
    heaplens_alloc::untracked(|| {
        clock::tick();
        let census = Census::take();
        // Before anything is locked: it runs the program's code.
        let polled = probe::poll();
        let held: HashMap<Holder, Held> = holder::held()
            .into_iter()
            .map(|held| (held.holder, held))
            .collect();
        let mut past = PAST.lock().unwrap_or_else(PoisonError::into_inner);
        let past = past.get_or_insert_default();
        let groups = group::all()
            .filter_map(|state| {
                let (sum, polled) = (census.of(state.id), polled.get(&state.id));
                // What was shown once stays: a counter that vanishes and comes
                // back looks like a restart.
                let is_known = past.contains_key(&state.id);
                if !is_known && sum.is_none() && polled.is_none() && !traffic::counts(state) {
                    return None;
                }
                let mut group = sum.map(GroupReport::of_slots).unwrap_or_default();
                if let Some(polled) = polled {
                    group.add_polled(polled);
                }
                let held = state.holder.and_then(|holder| held.get(&holder));
                group.describe(state, held);
                group.conclude(state, polled);
                past.entry(state.id).or_default().correct(&mut group);
                Some(group)
            })
            .collect();
        Report {
            taken_at: SystemTime::now(),
            groups,
            groups_overflowed: group::overflowed(),
            maps_refused: SLAB.refused(),
            probes_refused: probe::refused(),
            probes_panicked: probe::panicked(),
        }
    })
}

impl Past {
    /// Corrects counters to be as high as they were shown before, since a slot
    /// on its way from one group to another is seen in neither; and adds what
    /// follows from the difference.
    fn correct(&mut self, group: &mut GroupReport) {
        let now = Some(SystemTime::now());
        if group.inserts > self.inserts {
            self.last_insert = now;
            self.last_access = now;
        }
        if group.removes > self.removes {
            self.last_access = now;
        }
        self.last_access = self.last_access.max(group.last_access);
        group.last_insert = self.last_insert;
        group.last_access = self.last_access;
        for (highest, shown) in [
            (&mut self.inserts, &mut group.inserts),
            (&mut self.removes, &mut group.removes),
            (&mut self.resizes, &mut group.resizes),
        ] {
            *highest = (*highest).max(*shown);
            *shown = *highest;
        }
        self.growth.observe(Instant::now(), group.entries);
        group.growth_per_second = self.growth.per_second();
    }
}
