//! Plain owned data out of the allocator: what was sampled, per call site.
//!
//! Everything behind this module is lock-free memory that allocating threads
//! write; everything it returns is ordinary data that no thread writes again.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crate::counters::Counters;
use crate::holder::Holder;
use crate::label;
use crate::label_sets::LabelSet;
use crate::live::Block;
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

/// All samples that share a stack, a size class and labels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Site {
    /// Index into [`Snapshot::stacks`].
    pub stack: usize,
    /// Upper bound of the size class in bytes: four classes a doubling, 16
    /// bytes apart below 128, as jemalloc spaces its own. 0 where samples of
    /// all sizes share the row because the table of sites was full.
    pub size_class: u64,
    /// Everything sampled since sampling began, with the labels in force at
    /// the time. Never decreases. Nothing in the rows of what is held: their
    /// labels name the holder for as long as it has them, and what was allocated
    /// stays in the row without it.
    pub alloc: Tally,
    /// What of it is not freed yet. May exceed `alloc` in the rows of what is
    /// held; the sums over all rows of a stack and size class never do.
    pub inuse: Tally,
    /// Index into [`Snapshot::labels`]; 0 = no labels.
    pub labels: usize,
    /// Names the row for as long as the process runs; 0 in rows of what is held
    /// and in snapshots that were put together from parts.
    pub id: u32,
}

impl Site {
    /// A row without labels for the stack at index `stack`.
    pub fn new(stack: usize, size_class: u64, alloc: Tally, inuse: Tally) -> Self {
        Site {
            stack,
            size_class,
            alloc,
            inuse,
            labels: 0,
            id: 0,
        }
    }

    /// This row under a name, which no other row of the same process has.
    #[must_use]
    pub fn named(self, id: u32) -> Self {
        Site { id, ..self }
    }

    /// This row with the labels at this index of [`Snapshot::labels`].
    #[must_use]
    pub fn labelled(self, labels: usize) -> Self {
        Site { labels, ..self }
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
    /// How long before `taken_at` the cumulative figures begin; `None` if they are
    /// of all time since sampling began. See [`Snapshot::after`].
    pub window: Option<Duration>,
    /// The profiler's figures on itself at that moment.
    pub counters: Counters,
    /// The distinct stacks; sites refer to them by index.
    pub stacks: Vec<Stack>,
    /// One row per stack, size class and labels, in no particular order.
    pub sites: Vec<Site>,
    /// The distinct sets of labels (key, value); sites refer to them by index.
    /// The first is the empty set.
    pub labels: Vec<Vec<(String, String)>>,
}

impl Snapshot {
    /// Puts a snapshot together from parts, for tools that read recorded ones
    /// and for tests. Sites whose `stack` is out of range are left out; labels
    /// are added by [`Snapshot::with_labels`].
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
            window: None,
            counters,
            stacks,
            sites,
            labels: vec![Vec::new()],
        }
    }

    /// This snapshot with these sets of labels, to which its sites refer. Sites
    /// whose index is out of range lose their labels.
    #[must_use]
    pub fn with_labels(mut self, labels: Vec<Vec<(String, String)>>) -> Self {
        self.labels = labels;
        match self.labels.first_mut() {
            Some(first) => first.clear(),
            None => self.labels.push(Vec::new()),
        }
        for site in &mut self.sites {
            if site.labels >= self.labels.len() {
                site.labels = 0;
            }
        }
        self
    }

    /// In-use and cumulative totals over all sites.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for site in &self.sites {
            totals.alloc.add(&site.alloc);
            totals.inuse.add(&site.inuse);
        }
        totals.alloc.raise_to(&totals.inuse);
        totals
    }
}

/// What was sampled up to now.
///
/// Allocating threads are not paused or slowed: the snapshot is of *about* one
/// moment, and a block that comes or goes meanwhile is in it or not. In-use
/// figures, summed over labels, never exceed the cumulative ones of the same
/// stack and size class.
///
/// What was allocated under other [`Labels`](crate::Labels) has rows of its own, and
/// so has what a [`holder`](crate::holder) holds of it: with the holder's label besides.
///
/// Costs about 100 ns a live sample and a microsecond a site. Also looks for
/// shared objects loaded since the last call, so that stacks through them can
/// be walked from then on. What it allocates is not sampled.
pub fn snapshot() -> Snapshot {
    thread::untracked(|| {
        if let Some(store) = store::get() {
            store.capture.refresh();
        }
        take(|visit| each_live(|_| true, visit))
    })
}

/// The sampled blocks that are alive and were allocated at least so long ago, as a
/// snapshot in which nothing else was ever allocated: `alloc` equals `inuse`.
/// `survivors(Duration::ZERO)` is all that is alive.
///
/// Each block keeps its own interval and weight, so the estimates are those of
/// [`snapshot`] restricted to old blocks. A block counts as allocated when its
/// `malloc` or its last sampled `realloc` began; the counters are of the whole
/// profiler. Costs what [`snapshot`] does.
pub fn survivors(older: Duration) -> Snapshot {
    let now = os::now();
    let older = u64::try_from(older.as_nanos()).unwrap_or(u64::MAX);
    // No block is older than the clock.
    let youngest = now.checked_sub(older);
    alive(|block| youngest.is_some_and(|youngest| block.born <= youngest))
}

/// The blocks alive that `keep` keeps, all sampled for certain, as a snapshot in
/// which nothing else was ever allocated.
pub(crate) fn of_blocks(keep: impl Fn(&Block) -> bool) -> Snapshot {
    let mut snapshot = alive(keep);
    snapshot.counters.sample_interval = 1;
    snapshot.since = snapshot.taken_at;
    snapshot
}

/// The blocks alive that `keep` keeps, as if nothing else had ever been allocated.
fn alive(keep: impl Fn(&Block) -> bool) -> Snapshot {
    thread::untracked(|| {
        let mut snapshot = take(|visit| each_live(keep, visit));
        leave_inuse(&mut snapshot.sites);
        snapshot
    })
}

/// These blocks, which were alive at some moment, as a snapshot in which nothing
/// else was ever allocated.
pub(crate) fn of_list(blocks: &[Block]) -> Snapshot {
    thread::untracked(|| {
        let mut snapshot = take(|visit| blocks.iter().for_each(visit));
        leave_inuse(&mut snapshot.sites);
        snapshot
    })
}

impl Snapshot {
    /// Adds the rows of another snapshot, in both of which is only what is in use. Rows
    /// of one stack and the same labels become one.
    pub(crate) fn add_inuse(&mut self, other: Snapshot) {
        let mut stacks: HashMap<Stack, usize> = HashMap::new();
        for (index, stack) in self.stacks.iter().enumerate() {
            stacks.entry(stack.clone()).or_insert(index);
        }
        let row = |site: &Site| (site.stack, site.size_class, site.labels);
        let mut rows: HashMap<_, usize> = self
            .sites
            .iter()
            .map(row)
            .zip(0..self.sites.len())
            .collect();
        for mut site in other.sites {
            let (Some(stack), Some(labels)) =
                (other.stacks.get(site.stack), other.labels.get(site.labels))
            else {
                continue;
            };
            site.stack = *stacks.entry(stack.clone()).or_insert_with(|| {
                self.stacks.push(stack.clone());
                self.stacks.len() - 1
            });
            let known = self.labels.iter().position(|of| of == labels);
            site.labels = known.unwrap_or_else(|| {
                self.labels.push(labels.clone());
                self.labels.len() - 1
            });
            let at = *rows.entry(row(&site)).or_insert(self.sites.len());
            match self.sites.get_mut(at) {
                Some(known) => {
                    known.inuse.add(&site.inuse);
                    known.alloc = known.inuse;
                }
                None => self.sites.push(site),
            }
        }
    }
}

/// Leaves what is in use, as if nothing else had been allocated.
fn leave_inuse(sites: &mut Vec<Site>) {
    sites.retain(|site| site.inuse.samples > 0);
    for site in sites {
        site.alloc = site.inuse;
    }
}

/// Visits the blocks alive that `keep` keeps.
fn each_live(keep: impl Fn(&Block) -> bool, visit: &mut dyn FnMut(&Block)) {
    if let Some(store) = store::get() {
        store.live.for_each(|block| {
            if keep(block) {
                visit(block);
            }
        });
    }
}

/// All rows, with those blocks in use that `each` visits.
fn take(each: impl FnOnce(&mut dyn FnMut(&Block))) -> Snapshot {
    let counters = store::counters();
    let taken_at = SystemTime::now();
    let since = thread::installed_since().map_or(taken_at, os::wall_time);
    let (stacks, sites, labels) = store::get()
        .map(|store| collect(store, each))
        .unwrap_or_default();
    let since = since.min(taken_at);
    Snapshot::from_parts(taken_at, since, counters, stacks, sites).with_labels(labels)
}

type Parts = (Vec<Stack>, Vec<Site>, Vec<Vec<(String, String)>>);

/// All sites, with those blocks in use that `each` visits.
fn collect(store: &Store, each: impl FnOnce(&mut dyn FnMut(&Block))) -> Parts {
    // Live blocks first: whatever is seen alive was counted before.
    let mut inuse: HashMap<SiteId, Inuse> = HashMap::new();
    each(&mut |block| {
        let of_site = inuse.entry(SiteId(block.site)).or_default();
        let tally = match block.mark.holder() {
            Some(holder) => of_site.held(holder),
            None => &mut of_site.free,
        };
        tally.record(block.size, block.interval);
    });
    let mut stacks = Stacks::default();
    let mut labels = Labels::new();
    let mut sites = Vec::new();
    store.sites.for_each(&store.arena, |site, key, mut alloc| {
        if alloc.samples == 0 {
            return;
        }
        let inuse = inuse.remove(&site).unwrap_or_default();
        alloc.raise_to(&inuse.sum());
        let stack = stacks.index(store, key.stack);
        let row = Site::new(stack, key.size_class, alloc, inuse.free).named(site.0);
        sites.push(row.labelled(labels.index(key.labels, None)));
        for (holder, held) in inuse.held {
            let row = Site::new(stack, key.size_class, Tally::default(), held);
            sites.push(row.labelled(labels.index(key.labels, Some(holder))));
        }
    });
    (stacks.into_list(), sites, labels.into_list())
}

/// What of a site is in use.
#[derive(Default)]
struct Inuse {
    /// By nobody in particular.
    free: Tally,
    /// By holders: most sites have one, if any.
    held: Vec<(Holder, Tally)>,
}

impl Inuse {
    fn held(&mut self, holder: Holder) -> &mut Tally {
        let known = self.held.iter().position(|of| of.0 == holder);
        let index = known.unwrap_or_else(|| {
            self.held.push((holder, Tally::default()));
            self.held.len() - 1
        });
        &mut self.held[index].1
    }

    fn sum(&self) -> Tally {
        let mut sum = self.free;
        for (_, held) in &self.held {
            sum.add(held);
        }
        sum
    }
}

/// Sets of labels and holders by the order in which sites refer to them; the
/// first is the empty one.
pub(crate) struct Labels {
    list: Vec<Vec<(String, String)>>,
    known: HashMap<(LabelSet, Option<Holder>), usize>,
}

impl Labels {
    pub(crate) fn new() -> Self {
        Labels {
            list: vec![Vec::new()],
            known: HashMap::from([((LabelSet::NONE, None), 0)]),
        }
    }

    pub(crate) fn index(&mut self, set: LabelSet, holder: Option<Holder>) -> usize {
        *self.known.entry((set, holder)).or_insert_with(|| {
            self.list.push(combined(set, holder));
            self.list.len() - 1
        })
    }

    pub(crate) fn into_list(self) -> Vec<Vec<(String, String)>> {
        self.list
    }
}

/// The labels of a set and of a holder, by key. Where both have one key, the
/// holder's value stands: a key has one value.
fn combined(set: LabelSet, holder: Option<Holder>) -> Vec<(String, String)> {
    let holder = holder.map(Holder::label);
    let others = label::pairs(set).filter(|pair| holder.is_none_or(|of| of.0 != pair.0));
    let own = |pair: (&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
    let mut labels: Vec<_> = others.chain(holder).map(own).collect();
    labels.sort();
    labels
}

/// Stacks by the order in which sites refer to them.
#[derive(Default)]
pub(crate) struct Stacks {
    list: Vec<Stack>,
    known: HashMap<StackId, usize>,
}

impl Stacks {
    pub(crate) fn index(&mut self, store: &Store, id: StackId) -> usize {
        *self.known.entry(id).or_insert_with(|| {
            let (frames, kind) = stacks::get(&store.arena, id);
            self.list.push(Stack::new(frames.to_vec(), kind));
            self.list.len() - 1
        })
    }

    pub(crate) fn into_list(self) -> Vec<Stack> {
        self.list
    }
}
