//! Watches of one thread: exact against what the program itself knows, whatever
//! the interval, with frees on other threads and other watches beside them.

mod common;

use std::alloc::{GlobalAlloc, System};
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use common::blocks::{Block, layout, obtain, release};
use common::random::Random;
use common::symbols;
use heaplens_alloc::watch::{Figures, Watch, WatchError};
use heaplens_alloc::{Alloc, untracked};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System);

fn watch() -> Watch {
    Watch::of_thread().expect("installed, and few at a time")
}

/// `(bytes, blocks, peak_bytes, allocated_bytes, allocated_blocks)`, exact.
fn counts(watch: &Watch) -> (u64, u64, u64, u64, u64) {
    let figures = watch.figures();
    assert_eq!(figures.inexact, None);
    (
        figures.bytes,
        figures.blocks,
        figures.peak_bytes,
        figures.allocated_bytes,
        figures.allocated_blocks,
    )
}

#[test]
fn boxes_and_vectors() {
    let before = black_box(vec![1u8; 5000]);
    let watch = watch();
    assert_eq!(counts(&watch), (0, 0, 0, 0, 0));
    let boxed = black_box(Box::new([0u64; 10]));
    assert_eq!(counts(&watch), (80, 1, 80, 80, 1));
    let zeroed = black_box(vec![0u8; 1 << 20]);
    assert_eq!(counts(&watch), (1_048_656, 2, 1_048_656, 1_048_656, 2));
    // What was there before does not count when it goes.
    drop(before);
    assert_eq!(counts(&watch).0, 1_048_656);
    drop((boxed, zeroed));
    assert_eq!(counts(&watch), (0, 0, 1_048_656, 1_048_656, 2));
}

#[test]
fn growth_counts_as_the_new_size() {
    let watch = watch();
    let mut grown: Vec<u64> = Vec::with_capacity(4);
    let (mut allocated, mut blocks) = (32, 1);
    for number in 0..100_000 {
        let before = grown.capacity();
        grown.push(number);
        if grown.capacity() != before {
            allocated += grown.capacity() as u64 * 8;
            blocks += 1;
        }
        let bytes = grown.capacity() as u64 * 8;
        if number % 1000 == 0 || grown.capacity() != before {
            assert_eq!(counts(&watch), (bytes, 1, bytes, allocated, blocks));
        }
    }
    let peak = grown.capacity() as u64 * 8;
    grown.truncate(3);
    grown.shrink_to_fit();
    assert_eq!(
        counts(&watch),
        (24, 1, peak, allocated + 24, blocks + 1),
        "a smaller block is a new one too"
    );
    drop(grown);
    assert_eq!(counts(&watch).0, 0);
}

/// A block that was there before and grows is a new one.
#[test]
fn what_was_there_before_and_grows_counts_whole() {
    let mut grown: Vec<u8> = Vec::with_capacity(1000);
    grown.push(1);
    let mut moved: Vec<u8> = Vec::with_capacity(100_000);
    moved.push(1);
    let watch = watch();
    grown.reserve_exact(3000);
    assert_eq!(counts(&watch), (3001, 1, 3001, 3001, 1));
    moved.reserve_exact(1 << 20);
    let both = 3001 + (1 << 20) + 1;
    assert_eq!(counts(&watch), (both, 2, both, both, 2));
}

#[test]
fn nested_watches_are_part_of_the_outer_ones() {
    let outer = watch();
    let first = black_box(vec![0u8; 100]);
    let inner = watch();
    let second = black_box(vec![0u8; 10]);
    drop(first);
    assert_eq!(counts(&inner), (10, 1, 10, 10, 1));
    assert_eq!(counts(&outer), (10, 1, 110, 110, 2));
    let innermost = watch();
    let third = black_box(vec![0u8; 1]);
    // The order in which they end is free.
    drop(inner);
    assert_eq!(counts(&innermost), (1, 1, 1, 1, 1));
    drop(outer);
    let fourth = black_box(vec![0u8; 2]);
    assert_eq!(counts(&innermost), (3, 2, 3, 3, 2));
    drop((second, third, fourth));
    assert_eq!(counts(&innermost).0, 0);
}

#[test]
fn frees_on_other_threads_count_and_their_allocations_do_not() {
    let watch = watch();
    let boxes: Vec<Box<[u8; 64]>> = (0..100).map(|_| Box::new([0; 64])).collect();
    let with_list = 100 * 64 + 100 * 8;
    assert_eq!(counts(&watch).0, with_list);
    // The thread itself takes some blocks of this one.
    let (send, receive) = mpsc::channel::<Vec<Box<[u8; 64]>>>();
    let (done, finished) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        for mut received in receive {
            received.truncate(50);
            done.send((received, vec![0u8; 100_000])).expect("waits");
        }
    });
    let before = watch.figures().bytes;
    send.send(boxes).expect("waits");
    let (rest, theirs) = finished.recv().expect("sends");
    let after = watch.figures().bytes;
    // The channel's own blocks, made by the one who sends first, are small.
    assert!((before - 50 * 64..before - 50 * 64 + 2048).contains(&after));
    drop((rest, theirs, send));
    worker.join().expect("no panic");
}

#[test]
fn a_panic_ends_the_watches_that_it_passes() {
    let outer = watch();
    for _ in 0..200 {
        let result = catch_unwind(AssertUnwindSafe(|| {
            let inner = watch();
            let kept = black_box(vec![0u8; 1000]);
            assert_eq!(counts(&inner).0, 1000);
            std::panic::resume_unwind(Box::new(kept));
        }));
        drop(result);
    }
    assert_eq!(counts(&outer).0, 0);
    drop(outer);
    let fresh = watch();
    assert_eq!(counts(&fresh), (0, 0, 0, 0, 0));
}

#[test]
fn eight_threads_do_not_disturb_each_other() {
    let round = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 1..=8usize {
            let round = &round;
            scope.spawn(move || {
                let watch = watch();
                let mut kept: Vec<Box<[u8]>> = Vec::with_capacity(500);
                let mut expected = 500 * 16;
                for number in 0..500 {
                    let size = thread * 10 + number % 7;
                    kept.push(vec![1u8; size].into_boxed_slice());
                    expected += size as u64;
                    drop(black_box(vec![0u8; 3000]));
                    round.fetch_add(1, Ordering::Relaxed);
                    let figures = watch.figures();
                    assert_eq!(
                        (figures.bytes, figures.blocks),
                        (expected, 2 + number as u64)
                    );
                }
                drop(kept);
                assert_eq!(counts(&watch).0, 0);
                assert_eq!(counts(&watch).4, 1001);
            });
        }
    });
    assert_eq!(round.load(Ordering::Relaxed), 4000);
}

#[test]
fn what_is_untracked_does_not_count() {
    let watch = watch();
    let hidden = untracked(|| black_box(vec![0u8; 100]));
    assert_eq!(counts(&watch), (0, 0, 0, 0, 0));
    drop(hidden);
    // A watch that begins where nothing is sampled counts from the end of that.
    let begun = untracked(self::watch);
    let kept = black_box(vec![0u8; 100]);
    assert_eq!(counts(&begun).0, 100);
    assert_eq!(counts(&watch).0, 100);
    untracked(|| drop(begun));
    drop(kept);
    assert_eq!(counts(&watch).0, 0);
}

/// What collections hold, by their own sizes and by a second count.
#[test]
fn collections_that_are_dropped_leave_nothing() {
    let watch = watch();
    let mut names = HashMap::new();
    let mut tree = BTreeMap::new();
    for number in 0..3000u32 {
        names.insert(number, format!("name {number}"));
        tree.insert(number.to_string(), Rc::new(vec![number; 3]));
        if number % 3 == 0 {
            names.remove(&(number / 2));
            tree.remove(&(number / 2).to_string());
        }
    }
    assert!(counts(&watch).0 > 100_000);
    drop((names, tree));
    let (bytes, blocks, ..) = counts(&watch);
    assert_eq!((bytes, blocks), (0, 0));
}

#[inline(never)]
fn site_of_seven() -> Vec<u8> {
    black_box(Vec::with_capacity(7))
}

#[test]
fn a_snapshot_has_the_blocks_of_its_watch_only() {
    let before = site_of_seven();
    assert!(symbols::name_of(0).is_none(), "reads the symbols");
    let watch = watch();
    let kept = [site_of_seven(), site_of_seven()];
    drop(site_of_seven());
    let snapshot = watch.snapshot();
    let totals = snapshot.totals();
    assert_eq!((totals.inuse.bytes, totals.inuse.objects), (14.0, 2.0));
    assert_eq!(totals.alloc, totals.inuse);
    assert_eq!(snapshot.counters.sample_interval, 1);
    assert_eq!(
        watch.figures().allocated_blocks,
        3,
        "a snapshot is not counted"
    );
    for site in &snapshot.sites {
        let frames = &snapshot.stacks[site.stack].frames;
        let names: Vec<_> = frames
            .iter()
            .map(|frame| symbols::name_of(*frame))
            .collect();
        assert!(
            symbols::passes_through(frames, "site_of_seven"),
            "{names:?}"
        );
    }
    drop((before, kept));
    assert!(watch.snapshot().sites.is_empty());
}

/// A watch and what it must show.
struct Model {
    watch: Watch,
    /// The first of the numbered blocks that it counts.
    first: u64,
    figures: Figures,
}

/// Watches, and blocks with their numbers in the order of birth.
#[derive(Default)]
struct Models {
    watches: Vec<Model>,
    blocks: Vec<(u64, Block)>,
    born: u64,
}

impl Models {
    /// The test's own lists must not count.
    fn make_room(&mut self) {
        untracked(|| {
            self.watches.reserve(1);
            self.blocks.reserve(1);
        });
    }

    fn start(&mut self) {
        self.watches.push(Model {
            watch: watch(),
            first: self.born,
            figures: Figures::default(),
        });
    }

    fn expect_new(&mut self, size: usize) -> u64 {
        let size = size as u64;
        for Model { figures, .. } in &mut self.watches {
            figures.bytes += size;
            figures.blocks += 1;
            figures.peak_bytes = figures.peak_bytes.max(figures.bytes);
            figures.allocated_bytes += size;
            figures.allocated_blocks += 1;
        }
        self.born += 1;
        self.born - 1
    }

    fn expect_free(&mut self, number: u64, size: usize) {
        let seen = |model: &&mut Model| model.first <= number;
        for Model { figures, .. } in self.watches.iter_mut().filter(seen) {
            figures.bytes -= size as u64;
            figures.blocks -= 1;
        }
    }

    fn allocate(&mut self, size: usize, zeroed: bool) {
        let number = self.expect_new(size);
        self.blocks
            .push((number, obtain(&ALLOC, layout(size), zeroed)));
    }

    fn resize(&mut self, index: usize, size: usize) {
        let (number, block) = self.blocks[index];
        self.expect_free(number, block.layout.size());
        // SAFETY: a live block with its layout, and a size above zero.
        let ptr = unsafe { ALLOC.realloc(block.ptr, block.layout, size) };
        let layout = layout(size);
        self.blocks[index] = (self.expect_new(size), Block { ptr, layout });
    }

    fn take(&mut self, index: usize) -> Block {
        let (number, block) = self.blocks.swap_remove(index);
        self.expect_free(number, block.layout.size());
        block
    }

    fn check(&self) {
        for model in &self.watches {
            assert_eq!(model.watch.figures(), model.figures);
        }
    }
}

/// Frees blocks on a thread of its own, each before the call returns.
struct Elsewhere {
    send: mpsc::SyncSender<Block>,
    freed: mpsc::Receiver<()>,
}

impl Elsewhere {
    fn start() -> Self {
        let (send, receive) = mpsc::sync_channel::<Block>(0);
        let (done, freed) = mpsc::sync_channel(0);
        std::thread::spawn(move || {
            for block in receive {
                release(&ALLOC, block);
                done.send(()).expect("waits");
            }
        });
        Elsewhere { send, freed }
    }

    fn release(&self, block: Block) {
        untracked(|| {
            self.send.send(block).expect("waits");
            self.freed.recv().expect("answers");
        });
    }
}

/// Any sequence of allocations, growths and frees, some of them on another thread, and
/// of watches that begin and end in any order: all active ones are exact after each
/// step.
#[test]
fn agrees_with_a_model() {
    let elsewhere = Elsewhere::start();
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let mut models = Models::default();
        for _ in 0..600 {
            models.make_room();
            let index = random.below(models.blocks.len().max(1));
            match random.below(20) {
                0 if models.watches.len() < 5 => models.start(),
                1 if !models.watches.is_empty() => {
                    let index = random.below(models.watches.len());
                    models.watches.swap_remove(index);
                }
                2..5 if !models.blocks.is_empty() => release(&ALLOC, models.take(index)),
                5..8 if !models.blocks.is_empty() => elsewhere.release(models.take(index)),
                8..12 if !models.blocks.is_empty() => models.resize(index, random.size(17)),
                _ => models.allocate(random.size(17), random.coin()),
            }
            models.check();
        }
        while !models.blocks.is_empty() {
            release(&ALLOC, models.take(0));
        }
        models.check();
    }
}

#[test]
fn all_threads_cannot_be_watched_when_not_every_allocation_is_sampled() {
    let error = Watch::of_process().expect_err("the interval is 512 KiB");
    assert_eq!(error, WatchError::NotEvery { interval: 524_288 });
    assert!(error.to_string().contains("HEAPLENS_SAMPLE_INTERVAL=1"));
}
