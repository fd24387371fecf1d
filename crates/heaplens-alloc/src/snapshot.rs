//! Plain owned data out of the allocator: what was sampled, per call site.
//!
//! Everything behind this module is lock-free memory that allocating threads
//! write; everything it returns is ordinary data that no thread writes again.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::counters::Counters;
use crate::os;
use crate::sites::SiteId;
use crate::stacks::{self, StackId, StackKind};
use crate::store::{self, Store};
use crate::tally::{Tally, Totals};
use crate::thread;

/// A captured call stack.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Stack {
    /// Return addresses, leaf first. The innermost ones belong to the
    /// allocator itself. Empty if [`Stack::kind`] is `Unknown` or `Overflow`.
    pub frames: Vec<u64>,
    /// Whether the frames are whole, cut at the root end, or missing.
    pub kind: StackKind,
}

impl Stack {
    /// A stack of return addresses, leaf first.
    pub fn new(frames: Vec<u64>, kind: StackKind) -> Self {
        Stack { frames, kind }
    }
}

/// All samples that share a stack and a size class.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Site {
    /// Index into [`Snapshot::stacks`].
    pub stack: usize,
    /// Upper bound of the size class in bytes: four classes a doubling, 16
    /// bytes apart below 128, as jemalloc spaces its own. 0 where samples of
    /// all sizes share the row because the table of sites was full.
    pub size_class: u64,
    /// Everything sampled since sampling began. Never decreases.
    pub alloc: Tally,
    /// What of it is not freed yet.
    pub inuse: Tally,
}

impl Site {
    /// A row for the stack at index `stack`.
    pub fn new(stack: usize, size_class: u64, alloc: Tally, inuse: Tally) -> Self {
        Site {
            stack,
            size_class,
            alloc,
            inuse,
        }
    }
}

/// The state of the sampler at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// When this snapshot was taken.
    pub taken_at: SystemTime,
    /// When the first allocation passed through the wrapper; equal to
    /// `taken_at` if none has.
    pub since: SystemTime,
    /// The profiler's figures on itself at that moment.
    pub counters: Counters,
    /// The distinct stacks; sites refer to them by index.
    pub stacks: Vec<Stack>,
    /// One row per stack and size class, in no particular order.
    pub sites: Vec<Site>,
}

impl Snapshot {
    /// Puts a snapshot together from parts, for tools that read recorded ones
    /// and for tests. Sites whose `stack` is out of range are left out.
    pub fn from_parts(
        taken_at: SystemTime,
        since: SystemTime,
        counters: Counters,
        stacks: Vec<Stack>,
        mut sites: Vec<Site>,
    ) -> Self {
        sites.retain(|site| site.stack < stacks.len());
        Snapshot {
            taken_at,
            since,
            counters,
            stacks,
            sites,
        }
    }

    /// In-use and cumulative totals over all sites.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for site in &self.sites {
            totals.alloc.add(&site.alloc);
            totals.inuse.add(&site.inuse);
        }
        totals
    }
}

/// What was sampled up to now.
///
/// Allocating threads are not paused or slowed: the snapshot is of *about* one
/// moment, and a block that comes or goes meanwhile is in it or not. In-use
/// figures never exceed the cumulative ones of the same site.
///
/// Costs about 100 ns a live sample and a microsecond a site. Also looks for
/// shared objects loaded since the last call, so that stacks through them can
/// be walked from then on. What it allocates is not sampled.
pub fn snapshot() -> Snapshot {
    thread::untracked(|| {
        if let Some(store) = store::get() {
            store.capture.refresh();
        }
        let counters = store::counters();
        let taken_at = SystemTime::now();
        let since = thread::installed_since().map_or(taken_at, os::wall_time);
        let (stacks, sites) = store::get().map(collect).unwrap_or_default();
        Snapshot {
            taken_at,
            since: since.min(taken_at),
            counters,
            stacks,
            sites,
        }
    })
}

fn collect(store: &Store) -> (Vec<Stack>, Vec<Site>) {
    // Live blocks first: whatever is seen alive was counted before.
    let mut inuse: HashMap<SiteId, Tally> = HashMap::new();
    store.live.for_each(|block| {
        inuse
            .entry(SiteId(block.site))
            .or_default()
            .record(block.size, block.interval);
    });
    let mut stacks = Stacks::default();
    let mut sites = Vec::new();
    store
        .sites
        .for_each(&store.arena, |site, stack, size_class, mut alloc| {
            if alloc.samples == 0 {
                return;
            }
            let inuse = inuse.remove(&site).unwrap_or_default();
            alloc.raise_to(&inuse);
            let stack = stacks.index(store, stack);
            sites.push(Site::new(stack, size_class, alloc, inuse));
        });
    (stacks.list, sites)
}

/// Stacks by the order in which sites refer to them.
#[derive(Default)]
struct Stacks {
    list: Vec<Stack>,
    known: HashMap<StackId, usize>,
}

impl Stacks {
    fn index(&mut self, store: &Store, id: StackId) -> usize {
        *self.known.entry(id).or_insert_with(|| {
            let (frames, kind) = stacks::get(&store.arena, id);
            self.list.push(Stack::new(frames.to_vec(), kind));
            self.list.len() - 1
        })
    }
}
