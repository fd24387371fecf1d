//! How long what each site allocated lived, and how old what is alive is by now.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::ages::{AGE_CLASSES, age_class};
use crate::counters::Counters;
use crate::sites::{SiteId, Sites};
use crate::snapshot::{Labels, Stack, Stacks};
use crate::store::{self, Store};
use crate::tally::Tally;
use crate::{os, thread};

/// Sums by class of age: see [`age_class`].
pub type ByAge = [Tally; AGE_CLASSES];

/// What became of the samples of one site.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SiteLifetimes {
    /// Index into [`Lifetimes::stacks`].
    pub stack: usize,
    /// Upper bound in bytes of the size class, as in [`Site`](crate::Site).
    pub size_class: u64,
    /// Index into [`Lifetimes::labels`]: those in force at the allocation, without
    /// who holds it now; 0 = no labels.
    pub labels: usize,
    /// Everything sampled since sampling began.
    pub alloc: Tally,
    /// What was freed, by the age at which it was. A `realloc` ends the life of
    /// the old block.
    pub freed: ByAge,
    /// What is alive, by its age at [`Lifetimes::taken_at`]: its life is at least
    /// that long (right-censored).
    pub alive: ByAge,
}

/// Lifetimes of what was sampled, by site.
///
/// At rest, and unless something is counted as
/// [`LifetimesFull`](crate::DropReason::LifetimesFull), what was freed and what is
/// alive is together what was allocated, in each site. While threads allocate and free
/// it is no more than that.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Lifetimes {
    /// When this was taken.
    pub taken_at: SystemTime,
    /// When the first allocation passed through the wrapper.
    pub since: SystemTime,
    /// The profiler's figures on itself at that moment.
    pub counters: Counters,
    /// The distinct stacks; sites refer to them by index.
    pub stacks: Vec<Stack>,
    /// One row per stack, size class and labels, in no particular order.
    pub sites: Vec<SiteLifetimes>,
    /// The distinct sets of labels (key, value); the first is empty.
    pub labels: Vec<Vec<(String, String)>>,
}

/// How long the blocks of each site lived, up to now.
///
/// Ages are exact to the microsecond or so. Costs as [`snapshot`](crate::snapshot()).
/// What it allocates is not sampled.
pub fn lifetimes() -> Lifetimes {
    thread::untracked(|| {
        let taken_at = SystemTime::now();
        let mut lifetimes = Lifetimes {
            taken_at,
            since: thread::installed_since()
                .map_or(taken_at, os::wall_time)
                .min(taken_at),
            counters: store::counters(),
            stacks: Vec::new(),
            sites: Vec::new(),
            labels: vec![Vec::new()],
        };
        if let Some(store) = store::get() {
            lifetimes.collect(store);
        }
        lifetimes
    })
}

impl Lifetimes {
    fn collect(&mut self, store: &Store) {
        // What was freed is read before what is alive, and both before what was
        // allocated: so nothing counts twice, and the sum is never above the whole.
        let mut freed: HashMap<SiteId, ByAge> = HashMap::new();
        store.sites.for_each(&store.arena, |site, _, _| {
            freed.insert(site, Sites::freed(&store.arena, site));
        });
        let now = os::now();
        let mut alive: HashMap<SiteId, ByAge> = HashMap::new();
        store.live.for_each(|block| {
            let of_site = alive.entry(SiteId(block.site)).or_default();
            let age = Duration::from_nanos(now.saturating_sub(block.born));
            if let Some(tally) = of_site.get_mut(age_class(age)) {
                tally.record(block.size, block.interval);
            }
        });
        let (mut stacks, mut labels) = (Stacks::default(), Labels::new());
        store.sites.for_each(&store.arena, |site, key, alloc| {
            if alloc.samples > 0 {
                self.sites.push(SiteLifetimes {
                    stack: stacks.index(store, key.stack),
                    size_class: key.size_class,
                    labels: labels.index(key.labels, None),
                    alloc,
                    freed: freed.remove(&site).unwrap_or_default(),
                    alive: alive.remove(&site).unwrap_or_default(),
                });
            }
        });
        self.stacks = stacks.into_list();
        self.labels = labels.into_list();
    }
}
