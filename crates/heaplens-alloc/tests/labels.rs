//! Labels in force on threads: exact figures by label, with every allocation
//! through this allocator sampled.

mod common;

use std::alloc::{GlobalAlloc, System};
use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use common::blocks::{Block, layout, obtain, release, release_all};
use common::estimate::Meter;
use common::holders::holder;
use common::labels::{Set, by_labels, exactly, in_force, set};
use common::random::Random;
use common::{alone, assert_nothing_is_in_use, drops};
use heaplens_alloc::holder::Part;
use heaplens_alloc::{Alloc, DropReason, LabelScope, Labels, Snapshot, Tally, label};
use heaplens_alloc::{counters, snapshot, untracked};

static ALLOC: Alloc<System> = Alloc::with(System).sample_interval(1);

/// Random scopes, and random blocks allocated, resized and freed in them.
struct Run {
    random: Random,
    scopes: Vec<(LabelScope, Set)>,
    blocks: Vec<(Block, Set)>,
    /// Objects and bytes allocated under each set.
    allocated: BTreeMap<Set, (usize, usize)>,
}

impl Run {
    fn now(&self) -> Set {
        self.scopes.last().map_or_else(Set::new, |of| of.1.clone())
    }

    fn enter(&mut self) {
        let (mut labels, mut model) = (Labels::default(), self.now());
        for _ in 0..self.random.below(3) {
            let key = ["a", "b", "c"][self.random.below(3)];
            let value = ["1", "2"][self.random.below(2)];
            labels = labels.and(key, value);
            model.insert(key.to_owned(), value.to_owned());
        }
        self.scopes.push((labels.enter(), model));
    }

    fn count(&mut self, size: usize) -> Set {
        let now = self.now();
        let count = self.allocated.entry(now.clone()).or_default();
        *count = (count.0 + 1, count.1 + size);
        now
    }

    fn step(&mut self) {
        let size = self.random.size(13);
        match self.random.below(10) {
            0 => self.enter(),
            1 => drop(self.scopes.pop()),
            2..=6 => {
                let now = self.count(size);
                let zeroed = self.random.coin();
                self.blocks
                    .push((obtain(&ALLOC, layout(size), zeroed), now));
            }
            _ if self.blocks.is_empty() => {}
            7 => {
                // The new block has the labels of now.
                let now = self.count(size);
                let at = self.random.below(self.blocks.len());
                let (block, labels) = &mut self.blocks[at];
                // SAFETY: a live block with its layout, and a size above zero.
                block.ptr = unsafe { ALLOC.realloc(block.ptr, block.layout, size) };
                assert!(!block.ptr.is_null());
                block.layout = layout(size);
                *labels = now;
            }
            _ => {
                let at = self.random.below(self.blocks.len());
                release(&ALLOC, self.blocks.swap_remove(at).0);
            }
        }
        assert_eq!(in_force(), self.now());
    }

    /// Figures as they must be.
    fn expected(&self) -> BTreeMap<Set, (Tally, Tally)> {
        let mut expected = BTreeMap::new();
        for (labels, &(objects, bytes)) in &self.allocated {
            let alive = self.blocks.iter().filter(|block| block.1 == *labels);
            let sizes: Vec<_> = alive.map(|block| block.0.layout.size()).collect();
            let inuse = exactly(sizes.len(), sizes.iter().sum());
            expected.insert(labels.clone(), (exactly(objects, bytes), inuse));
        }
        expected
    }
}

#[test]
fn blocks_have_the_labels_they_were_allocated_under() {
    let _turn = alone();
    for seed in 0..40 {
        let meter = Meter::start();
        let mut run = Run {
            random: Random::new(seed),
            scopes: Vec::new(),
            blocks: Vec::new(),
            allocated: BTreeMap::new(),
        };
        (0..300).for_each(|_| run.step());
        let seen = meter.stop();
        assert_eq!(by_labels(&seen), run.expected(), "seed {seed}");
        assert_eq!(seen.labels[0], []);
        while run.scopes.pop().is_some() {}
        release_all(&ALLOC, run.blocks.into_iter().map(|block| block.0));
        assert_nothing_is_in_use();
    }
    assert_eq!(in_force(), Set::new());
}

/// Threads with labels of their own work side by side; the blocks are freed by
/// others, under other labels.
#[test]
fn labels_are_of_their_thread() {
    const THREADS: usize = 8;
    const EACH: usize = 2000;
    let _turn = alone();
    let meter = Meter::start();
    let pile = Mutex::new(Vec::new());
    let outer = label("tenant", "nobody").and("region", "eu").enter();
    let inherited = Labels::current();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let pile = &pile;
            scope.spawn(move || {
                assert!(Labels::current().is_empty());
                let _inherited = inherited.enter();
                let _own = label("tenant", &thread.to_string()).enter();
                for number in 0..EACH {
                    let block = obtain(&ALLOC, layout(1 + thread + number % 7), false);
                    let mut pile = pile.lock().expect("no panic");
                    pile.push(block);
                    if number % 3 == 0 {
                        let any = number * 31 % pile.len();
                        release(&ALLOC, pile.swap_remove(any));
                    }
                }
            });
        }
    });
    drop(outer);
    let seen = by_labels(&meter.stop());
    assert_eq!(seen.len(), THREADS);
    for thread in 0..THREADS {
        let labels = set(&[("region", "eu"), ("tenant", &thread.to_string())]);
        let bytes = (0..EACH).map(|number| 1 + thread + number % 7).sum();
        assert_eq!(seen[&labels].0, exactly(EACH, bytes), "{labels:?}");
    }
    let pile = pile.into_inner().expect("no panic");
    let left: Tally = sum(seen.values().map(|of| of.1));
    let bytes = pile.iter().map(|block| block.layout.size()).sum();
    assert_eq!(left, exactly(pile.len(), bytes));
    release_all(&ALLOC, pile);
    assert_nothing_is_in_use();
}

fn sum(tallies: impl Iterator<Item = Tally>) -> Tally {
    tallies.fold(Tally::default(), |mut sum, tally| {
        sum.add(&tally);
        sum
    })
}

/// What a holder holds keeps the labels that it was allocated under, and its
/// cumulative figures stay where they were.
#[test]
fn holders_come_on_top_of_labels() {
    let _turn = alone();
    let meter = Meter::start();
    let this = holder("under labels");
    let blocks: Vec<Block> = ["acme", "umbrella"]
        .into_iter()
        .flat_map(|tenant| {
            let _scope = label("tenant", tenant).enter();
            (0..10)
                .map(|_| obtain(&ALLOC, layout(100), false))
                .collect::<Vec<_>>()
        })
        .chain((0..10).map(|_| obtain(&ALLOC, layout(100), false)))
        .collect();
    for block in blocks.iter().step_by(2) {
        assert!(this.hold(Part::Contents, block.ptr.addr()));
    }
    let seen = by_labels(&meter.stop());
    let map = ("map", "under labels");
    for tenant in [Some("acme"), Some("umbrella"), None] {
        let tenant: Vec<_> = tenant
            .into_iter()
            .map(|tenant| ("tenant", tenant))
            .collect();
        let with_map: Vec<_> = tenant.iter().copied().chain([map]).collect();
        let free = (exactly(10, 1000), exactly(5, 500));
        let held = (Tally::default(), exactly(5, 500));
        assert_eq!((seen[&set(&tenant)], seen[&set(&with_map)]), (free, held));
    }
    assert_eq!(seen.len(), 6);
    release_all(&ALLOC, blocks);
    assert_nothing_is_in_use();
}

/// A holder of any other key than `map`, where a label has the same one.
#[test]
fn a_key_has_one_value() {
    let _turn = alone();
    let queue = heaplens_alloc::holder::Holder::register("queue", "held").expect("few");
    let meter = Meter::start();
    let _scope = label("queue", "labelled").and("tenant", "acme").enter();
    let block = obtain(&ALLOC, layout(64), false);
    assert!(queue.hold(Part::Contents, block.ptr.addr()));
    let seen = by_labels(&meter.stop());
    let held = &seen[&set(&[("queue", "held"), ("tenant", "acme")])];
    assert_eq!(*held, (Tally::default(), exactly(1, 64)));
    let allocated = &seen[&set(&[("queue", "labelled"), ("tenant", "acme")])];
    assert_eq!(*allocated, (exactly(1, 64), Tally::default()));
    release(&ALLOC, block);
}

/// Frames, size class and labels.
type Row<'a> = (&'a [u64], u64, &'a [(String, String)]);

/// Cumulative figures of each stack, size class and labels.
fn cumulative(seen: &Snapshot) -> HashMap<Row<'_>, Tally> {
    let mut rows = HashMap::new();
    // Rows of what is held come and go, and nothing is ever allocated in them.
    for site in seen.sites.iter().filter(|site| site.alloc.samples > 0) {
        let stack = &seen.stacks[site.stack].frames[..];
        let labels = &seen.labels[site.labels][..];
        let row: &mut Tally = rows.entry((stack, site.size_class, labels)).or_default();
        row.add(&site.alloc);
    }
    rows
}

/// Ends the work of other threads, also where this one panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// As scrapers that take differences need it: while threads allocate and free under
/// labels that come and go, no cumulative figure falls and no row goes.
#[test]
fn cumulative_figures_never_decrease() {
    let _turn = alone();
    let stop = AtomicBool::new(false);
    let worked = AtomicUsize::new(0);
    let this = holder("meanwhile");
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (stop, worked) = (&stop, &worked);
            scope.spawn(move || {
                let mut random = Random::new(thread);
                while !stop.load(Ordering::Relaxed) {
                    let _tenant = label("tenant", &random.below(20).to_string()).enter();
                    let blocks = [0; 8].map(|_| obtain(&ALLOC, layout(random.size(8)), false));
                    for block in &blocks[..random.below(8)] {
                        this.hold(Part::Contents, block.ptr.addr());
                    }
                    release_all(&ALLOC, blocks);
                    worked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let _stop = Stop(&stop);
        let mut before = snapshot();
        let mut rounds = 0;
        while rounds < 60 || worked.load(Ordering::Relaxed) < 2000 {
            rounds += 1;
            let now = snapshot();
            let (then, rows) = (cumulative(&before), cumulative(&now));
            for (key, was) in then {
                let is = rows.get(&key).unwrap_or_else(|| panic!("{key:?} is gone"));
                assert!(
                    is.samples >= was.samples
                        && is.sampled_bytes >= was.sampled_bytes
                        && is.objects >= was.objects
                        && is.bytes >= was.bytes,
                    "{key:?}: {was:?} fell to {is:?}"
                );
            }
            before = now;
        }
    });
    assert_nothing_is_in_use();
}

fn dropped(reason: DropReason) -> u64 {
    let found = counters().drops().find(|(of, _)| *of == reason);
    found.expect("each reason has a counter").1
}

/// A sample that lacks a label that it was to have is counted, once each; nothing
/// else changes.
#[test]
fn refused_labels_are_counted_by_sample() {
    let _turn = alone();
    let (all, refused) = (drops(), dropped(DropReason::LabelRefused));
    let meter = Meter::start();
    let scope = label("tenant", "acme").and("map", "sessions").enter();
    let mut blocks = vec![obtain(&ALLOC, layout(10), false)];
    {
        let _inner = label("route", "/").enter();
        blocks.push(obtain(&ALLOC, layout(10), false));
        untracked(|| release(&ALLOC, obtain(&ALLOC, layout(10), false)));
    }
    drop(scope);
    blocks.push(obtain(&ALLOC, layout(10), false));
    assert_eq!(dropped(DropReason::LabelRefused) - refused, 2);
    assert_eq!(drops() - all, 2);
    let seen = by_labels(&meter.stop());
    let (outer, inner) = (("tenant", "acme"), ("route", "/"));
    for labels in [set(&[outer]), set(&[outer, inner]), set(&[])] {
        assert_eq!(seen[&labels].0, exactly(1, 10), "{labels:?}");
    }
    release_all(&ALLOC, blocks);
    assert_nothing_is_in_use();
}
