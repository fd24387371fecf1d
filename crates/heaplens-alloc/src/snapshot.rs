//! Plain owned data out of the allocator: what was sampled, per call site.
//!
//! Everything behind this module is lock-free memory that allocating threads
//! write; everything it returns is ordinary data that no thread writes again.

use std::collections::HashMap;
use std::time::SystemTime;

use crate::counters::Counters;
use crate::os;
use crate::sites::SiteId;
use crate::stacks::{self, StackId};
use crate::store::{self, Store};
use crate::thread;

/// Estimates of one quantity of allocations, with what they are based on.
///
/// All estimates are Horvitz–Thompson: each sample counts `1/p` objects and
/// `size/p` bytes, where `p = 1 − e^(−size/R)` is the chance that this very
/// allocation had of being sampled at the interval `R` in force at the time.
/// They are unbiased; the variances are unbiased too
/// (`Σ (1−p)/p²` for objects, `Σ size²(1−p)/p²` for bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Tally {
    /// Samples behind the estimates: allocations really recorded.
    pub samples: u64,
    /// Requested bytes of those samples, not scaled up.
    pub sampled_bytes: u64,
    /// Estimated number of objects.
    pub objects: f64,
    /// Estimated number of requested bytes.
    pub bytes: f64,
    /// Estimated variance of `objects`.
    pub objects_variance: f64,
    /// Estimated variance of `bytes`, in bytes squared.
    pub bytes_variance: f64,
}

impl Tally {
    /// Adds one sample of `size` bytes drawn at mean interval `interval`.
    pub fn record(&mut self, size: u64, interval: u64) {
        let weight = crate::sampler::Weight::new(size, interval);
        self.samples += 1;
        self.sampled_bytes = self.sampled_bytes.saturating_add(size);
        self.objects += weight.objects();
        self.bytes += weight.bytes();
        self.objects_variance += weight.objects_variance();
        self.bytes_variance += weight.bytes_variance();
    }

    /// Adds another tally: the samples of the two must be disjoint.
    pub fn add(&mut self, other: &Tally) {
        self.samples += other.samples;
        self.sampled_bytes = self.sampled_bytes.saturating_add(other.sampled_bytes);
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.objects_variance += other.objects_variance;
        self.bytes_variance += other.bytes_variance;
    }

    /// Standard error of `objects`, in objects.
    pub fn objects_error(&self) -> f64 {
        self.objects_variance.max(0.0).sqrt()
    }

    /// Standard error of `bytes`, in bytes. The truth lies within ±1.96 of
    /// these in 95 % of cases once some 20 samples stand behind the estimate.
    pub fn bytes_error(&self) -> f64 {
        self.bytes_variance.max(0.0).sqrt()
    }
}

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

/// How much of a stack was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StackKind {
    /// All frames that the walk could see.
    #[default]
    Captured,
    /// The walk stopped at its depth limit: callers further out are missing.
    Truncated,
    /// No frame could be read, or all walkers were busy.
    Unknown,
    /// The table of stacks was full: the sample counts, its stack is lost.
    Overflow,
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

/// Sums over all sites of a [`Snapshot`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Totals {
    /// Everything sampled since sampling began.
    pub alloc: Tally,
    /// What of it is not freed yet.
    pub inuse: Tally,
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

impl Tally {
    /// Sums of the same numbers in another order can differ in the last digit:
    /// makes sure that what was allocated is no less than what is in use.
    fn raise_to(&mut self, part: &Tally) {
        self.samples = self.samples.max(part.samples);
        self.sampled_bytes = self.sampled_bytes.max(part.sampled_bytes);
        self.objects = self.objects.max(part.objects);
        self.bytes = self.bytes.max(part.bytes);
        self.objects_variance = self.objects_variance.max(part.objects_variance);
        self.bytes_variance = self.bytes_variance.max(part.bytes_variance);
    }
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
