//! A whole program over jemalloc, the default, with every allocation sampled.

mod common;

use common::alone;
use common::program::{assert_stacks_are_whole, exercise, inuse_through, marked_site};
use heaplens_alloc::{Alloc, StatsSource, Walker, allocator_stats, counters, snapshot, untracked};

#[global_allocator]
static ALLOC: Alloc = Alloc::new().sample_interval(1);

#[test]
fn programs_work() {
    let _turn = alone();
    exercise();
    let counters = counters();
    assert!(counters.installed && counters.is_sampling());
    assert_eq!(counters.sample_interval, 1);
    assert!(counters.samples > 10_000);
}

#[test]
fn what_is_held_shows_and_what_is_dropped_does_not() {
    let _turn = alone();
    let held: Vec<_> = (0..10).map(|_| marked_site(1000)).collect();
    let inuse = inuse_through(&snapshot(), "marked_site");
    assert_eq!((inuse.objects, inuse.bytes), (10.0, 10_000.0));
    assert!(inuse.bytes_error() == 0.0, "no error at all");
    drop(held);
    let inuse = inuse_through(&snapshot(), "marked_site");
    assert_eq!((inuse.samples, inuse.bytes), (0, 0.0));
}

#[inline(never)]
fn thread_of_the_test() -> Vec<u8> {
    let kept = marked_site(64);
    std::hint::black_box(kept)
}

#[test]
fn stacks_reach_the_start_of_the_thread() {
    let _turn = alone();
    let worker = std::thread::spawn(thread_of_the_test);
    let kept = worker.join().expect("no panic");
    assert_stacks_are_whole(&snapshot(), "thread_of_the_test");
    let walker = counters().walker;
    assert!(
        matches!(walker, Walker::FramePointers | Walker::UnwindTables),
        "{walker:?}"
    );
    drop(kept);
}

#[test]
fn statistics_are_jemallocs() {
    let stats = allocator_stats();
    assert_ne!(stats.source, StatsSource::Other);
    assert!(stats.active.is_some_and(|active| active > 0));
}

/// Blocks of a size that nothing else has so many of are found in its class.
#[test]
#[cfg(feature = "jemalloc-stats")]
fn blocks_are_counted_by_size_class() {
    const BLOCKS: u64 = 50_000;
    let _turn = alone();
    let class_of = |bytes| {
        let stats = allocator_stats();
        let classes = &stats.classes;
        let sizes: Vec<_> = classes.iter().map_while(|class| class.size).collect();
        assert!(sizes.is_sorted() && sizes.len() + 1 == classes.len());
        let mallocs: u64 = classes.iter().map(|class| class.mallocs).sum();
        assert_eq!(stats.mallocs, Some(mallocs));
        let class = classes.iter().find(|class| class.size >= Some(bytes));
        *class.expect("a small size")
    };
    let before = class_of(150);
    assert_eq!(before.size, Some(160));
    // Sampled ones lie in larger blocks, of other classes.
    let blocks: Vec<Box<[u8; 150]>> =
        untracked(|| (0..BLOCKS).map(|_| Box::new([1; 150])).collect());
    let held = class_of(150);
    // Some were in the thread's cache before, and counted as live.
    assert!(held.live - before.live > BLOCKS - 1_000, "{held:?}");
    drop(blocks);
    let after = class_of(150);
    assert!(after.mallocs - before.mallocs > BLOCKS - 1_000, "{after:?}");
    assert!(after.live < before.live + 1_000, "{after:?}");
}
