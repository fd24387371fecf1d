//! Groups: all maps of one name, or made at one place in the source.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU16, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use heaplens_alloc::holder::{Holder, Part};

use crate::origin::Origin;
use crate::slot::{Flow, GroupId};

/// The most groups that are told apart. The maps of all others are counted
/// together in [`OTHER`].
pub const MAX_GROUPS: usize = 200;

/// The group of all maps beyond [`MAX_GROUPS`].
pub const OTHER: &str = "__other__";

/// Names are cut to this many bytes.
const MAX_NAME: usize = 128;

/// Indexed by [`GroupId`]: place 0 is none, the last is [`OTHER`].
static GROUPS: [OnceLock<State>; MAX_GROUPS + 2] = [const { OnceLock::new() }; MAX_GROUPS + 2];
const OTHER_ID: GroupId = GroupId(MAX_GROUPS as u16 + 1);

/// Names to groups. Never held while anything else is locked.
static NAMES: Mutex<Option<HashMap<&'static str, GroupId>>> = Mutex::new(None);

/// Registrations that went to [`OTHER`].
static OVERFLOWED: AtomicU64 = AtomicU64::new(0);

/// What a group knows beside the slots of its maps.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) id: GroupId,
    pub(crate) name: &'static str,
    /// Where the first of its maps was made, if it has no name of its own.
    pub(crate) site: Option<&'static Location<'static>>,
    pub(crate) holder: Option<Holder>,
    /// Declared bound of each map; 0 is none.
    pub(crate) max_entries: AtomicU64,
    /// Declared time to live in milliseconds; 0 is none.
    pub(crate) ttl_millis: AtomicU64,
    /// Whether others took a slot of it over, so that its maps may have left no
    /// other trace.
    had_slot: AtomicBool,
    inserts: AtomicU64,
    resizes: AtomicU64,
    pub(crate) shrinks: AtomicU64,
    pub(crate) evictions: [AtomicU64; Cause::ALL.len()],
    /// Bytes that the sizers of its maps have counted, and how many such maps
    /// there are.
    pub(crate) sized_bytes: AtomicI64,
    pub(crate) sized_maps: AtomicI64,
}

/// Why an entry left a cache by itself. The names are those of moka and
/// Caffeine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Its time to live or to idle was over.
    Expired,
    /// It was removed by the program.
    Explicit,
    /// A newer value took its place.
    Replaced,
    /// The cache was full.
    Size,
}

impl Cause {
    /// All causes, in the order of their counters.
    pub const ALL: [Cause; 4] = [
        Cause::Expired,
        Cause::Explicit,
        Cause::Replaced,
        Cause::Size,
    ];

    /// A stable lower-case name, as used for metric labels.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Expired => "expired",
            Cause::Explicit => "explicit",
            Cause::Replaced => "replaced",
            Cause::Size => "size",
        }
    }
}

impl State {
    fn new(id: GroupId, name: &'static str, site: Option<&'static Location<'static>>) -> Self {
        State {
            id,
            name,
            site,
            holder: Holder::register("map", name),
            max_entries: AtomicU64::new(0),
            ttl_millis: AtomicU64::new(0),
            had_slot: AtomicBool::new(false),
            inserts: AtomicU64::new(0),
            resizes: AtomicU64::new(0),
            shrinks: AtomicU64::new(0),
            evictions: [const { AtomicU64::new(0) }; Cause::ALL.len()],
            sized_bytes: AtomicI64::new(0),
            sized_maps: AtomicI64::new(0),
        }
    }

    /// Whether other groups took over a slot of it.
    pub(crate) fn had_slot(&self) -> bool {
        self.had_slot.load(Ordering::Relaxed)
    }

    /// What its slots had counted before other groups took them over.
    pub(crate) fn retired(&self) -> Flow {
        Flow {
            inserts: self.inserts.load(Ordering::Relaxed),
            resizes: self.resizes.load(Ordering::Relaxed),
        }
    }
}

/// A group of maps, by name. All handles of one name are the same group.
#[derive(Clone, Copy)]
pub struct Group(&'static State);

impl Group {
    /// The group of this name; made on the first call. An empty name is taken
    /// as `"unnamed"`, a long one is cut to 128 bytes. Beyond [`MAX_GROUPS`]
    /// names it is the group [`OTHER`], which is counted. The name is kept for
    /// the life of the process: it must not be made from data of which there
    /// is no end. Costs a lock and a lookup.
    pub fn named<'a>(name: impl Into<Cow<'a, str>>) -> Group {
        Group(by_name(&name.into(), None))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// Declares that no map of this group is meant to hold more than `entries`
    /// (0: no bound is known). What stays within it is not a leak.
    #[must_use]
    pub fn max_entries(self, entries: u64) -> Group {
        self.0.max_entries.store(entries, Ordering::Relaxed);
        self
    }

    /// Declares that no entry is meant to live longer (zero: no such time is
    /// known).
    #[must_use]
    pub fn expected_ttl(self, ttl: Duration) -> Group {
        let millis = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.0.ttl_millis.store(millis, Ordering::Relaxed);
        self
    }

    /// Counts entries that left a cache by themselves.
    pub fn count_evictions(self, cause: Cause, entries: u64) {
        if let Some(counter) = self.0.evictions.get(cause as usize) {
            counter.fetch_add(entries, Ordering::Relaxed);
        }
    }

    /// Runs `f`; every sampled block that this thread allocates meanwhile, and
    /// that is not freed again, counts for the group. For values with blocks
    /// inside of blocks, of which an insert sees only the outer ones. Costs a
    /// few ns. Scopes nest; the innermost counts.
    pub fn scope<T>(self, f: impl FnOnce() -> T) -> T {
        let _scope = self.0.holder.map(|holder| holder.enter(Part::Contents));
        f()
    }

    pub(crate) fn of(state: &'static State) -> Group {
        Group(state)
    }

    pub(crate) fn state(self) -> &'static State {
        self.0
    }
}

impl PartialEq for Group {
    fn eq(&self, other: &Group) -> bool {
        self.0.id == other.0.id
    }
}

impl Eq for Group {}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Group").field(&self.0.name).finish()
    }
}

/// The group of an origin. A few ns once the origin is known.
#[inline]
pub(crate) fn of(origin: Origin) -> &'static State {
    let known = origin.identity().and_then(|identity| KNOWN.find(identity));
    match known.and_then(by_id) {
        Some(group) => group,
        None => look_up(origin),
    }
}

#[cold]
fn look_up(origin: Origin) -> &'static State {
    let group = match origin {
        Origin::Name(name) => by_name(name, None),
        Origin::Site(site) => {
            let (file, line, column) = (site.file(), site.line(), site.column());
            by_name(&format!("{file}:{line}:{column}"), Some(site))
        }
    };
    if let Some(identity) = origin.identity() {
        KNOWN.note(identity, group.id);
    }
    group
}

#[inline]
pub(crate) fn by_id(id: GroupId) -> Option<&'static State> {
    GROUPS.get(usize::from(id.0))?.get()
}

/// All groups that exist, [`OTHER`] last.
pub(crate) fn all() -> impl Iterator<Item = &'static State> {
    GROUPS.iter().filter_map(OnceLock::get)
}

/// Takes over what a slot had counted for a group.
pub(crate) fn retire(id: GroupId, flow: &Flow) {
    if let Some(state) = by_id(id) {
        state.had_slot.store(true, Ordering::Relaxed);
        state.inserts.fetch_add(flow.inserts, Ordering::Relaxed);
        state.resizes.fetch_add(flow.resizes, Ordering::Relaxed);
    }
}

/// How often a new name went to [`OTHER`] because there were [`MAX_GROUPS`].
pub(crate) fn overflowed() -> u64 {
    OVERFLOWED.load(Ordering::Relaxed)
}

#[cold]
fn by_name(name: &str, site: Option<&'static Location<'static>>) -> &'static State {
    heaplens_alloc::untracked(|| {
        let name = clean(name);
        let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
        let names = names.get_or_insert_default();
        if let Some(group) = names.get(name).copied().and_then(by_id) {
            return group;
        }
        let next = names.len() + 1;
        let place = (next <= MAX_GROUPS)
            .then(|| GROUPS.get(next))
            .flatten()
            .filter(|_| name != OTHER);
        let Some(place) = place else {
            OVERFLOWED.fetch_add(1, Ordering::Relaxed);
            return other();
        };
        let id = GroupId(next as u16);
        let name: &'static str = Box::leak(Box::from(name));
        names.insert(name, id);
        place.get_or_init(|| State::new(id, name, site))
    })
}

fn other() -> &'static State {
    static FALLBACK: OnceLock<State> = OnceLock::new();
    let place = GROUPS.last().unwrap_or(&FALLBACK);
    place.get_or_init(|| State::new(OTHER_ID, OTHER, None))
}

/// The name as it is shown: not empty and not long.
fn clean(name: &str) -> &str {
    match name {
        "" => "unnamed",
        name if name.len() <= MAX_NAME => name,
        name => {
            let end = (0..=MAX_NAME).rev().find(|&at| name.is_char_boundary(at));
            name.get(..end.unwrap_or(0)).unwrap_or(name)
        }
    }
}

/// Origins whose group was looked up before: open addressing, never removed
/// from, and bounded; what does not fit is looked up by name each time.
struct Known {
    places: [(AtomicU64, AtomicU16); Known::PLACES],
}

static KNOWN: Known = Known {
    places: [const { (AtomicU64::new(0), AtomicU16::new(0)) }; Known::PLACES],
};

impl Known {
    const PLACES: usize = 1024;
    const PROBES: usize = 8;

    #[inline]
    fn first(identity: u64) -> usize {
        (identity.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % Self::PLACES
    }

    fn probe(&self, identity: u64) -> impl Iterator<Item = &(AtomicU64, AtomicU16)> {
        let first = Self::first(identity);
        (first..first + Self::PROBES).filter_map(|at| self.places.get(at % Self::PLACES))
    }

    #[inline]
    fn find(&self, identity: u64) -> Option<GroupId> {
        let first = Self::first(identity);
        for at in first..first + Self::PROBES {
            let (key, id) = &self.places[at % Self::PLACES];
            match key.load(Ordering::Relaxed) {
                0 => return None,
                key if key != identity => {}
                // 0 while the place is being filled.
                _ => return Some(GroupId(id.load(Ordering::Acquire))).filter(|id| id.0 != 0),
            }
        }
        None
    }

    fn note(&self, identity: u64, id: GroupId) {
        for (key, value) in self.probe(identity) {
            let free = key.compare_exchange(0, identity, Ordering::Relaxed, Ordering::Relaxed);
            if free.is_ok() || free == Err(identity) {
                value.store(id.0, Ordering::Release);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_group_wherever_the_text_lies() {
        let literal = of(Origin::Name("group-test-a"));
        let elsewhere: &'static str = Box::leak("group-test-a".to_owned().into_boxed_str());
        assert_eq!(of(Origin::Name(elsewhere)).id, literal.id);
        assert_eq!(of(Origin::Name("group-test-a")).id, literal.id);
        assert_eq!(Group::named("group-test-a").state().id, literal.id);
    }

    #[test]
    fn a_name_within_a_name_is_another() {
        let long: &'static str = "group-test-prefix-and-more";
        let short = long.get(..17).expect("ASCII");
        assert_ne!(of(Origin::Name(long)).id, of(Origin::Name(short)).id);
        assert_ne!(of(Origin::Name(long)).id, of(Origin::Name(short)).id);
    }

    #[test]
    fn names_are_cut_at_a_character() {
        let long = "ä".repeat(100);
        assert_eq!(Group::named(long.as_str()).name(), "ä".repeat(64));
        assert_eq!(Group::named("").name(), "unnamed");
    }
}
