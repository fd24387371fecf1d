//! At the limits of the profiler's own memory, here the least that can be set.

mod common;

use std::alloc::System;

use common::blocks::{Block, Blocks, layout, obtain, release_all};
use common::estimate::Meter;
use common::{alone, assert_nothing_is_in_use, lost};
use heaplens_alloc::{Alloc, DropReason, StackKind, counters, set_sample_interval};

static ALLOC: Alloc<System> = Alloc::with(System).memory_budget(1 << 20);

fn dropped(reason: DropReason) -> u64 {
    let found = counters().drops().find(|(of, _)| *of == reason);
    found.expect("each reason has a counter").1
}

fn assert_within_budget() {
    let counters = counters();
    assert_eq!(counters.memory_budget, 1 << 20);
    assert!(
        counters.memory_used <= counters.memory_budget,
        "{counters:?}"
    );
}

/// More live samples than the table holds: each that does not fit is counted,
/// and the program gets its memory all the same.
#[test]
fn a_full_table_of_live_samples() {
    const COUNT: usize = 100_000;
    let _turn = alone();
    set_sample_interval(1);
    for round in 0..2 {
        let lost_before = lost();
        let full_before = dropped(DropReason::LiveTableFull);
        let mut blocks = Blocks::new(&ALLOC);
        blocks.add(COUNT, 24);
        for (number, block) in blocks.list.iter().enumerate() {
            // SAFETY: a live block of 24 bytes.
            unsafe { block.ptr.cast::<usize>().write_unaligned(number) };
        }
        let live = counters().live_samples;
        assert!((1000..50_000).contains(&live), "{live} live samples");
        assert_eq!(live + lost() - lost_before, COUNT as u64);
        assert_eq!(
            lost() - lost_before,
            dropped(DropReason::LiveTableFull) - full_before
        );
        assert_within_budget();
        let inuse = heaplens_alloc::snapshot().totals().inuse;
        assert_eq!((inuse.samples, inuse.bytes), (live, live as f64 * 24.0));
        // Growing what is recorded and what is not, in either order.
        blocks.resize(if round == 0 { 64 } else { 10_000 });
        assert_eq!(counters().live_samples, live);
        for (number, block) in blocks.list.iter().enumerate() {
            // SAFETY: a live block of more than 24 bytes, written above.
            let read = unsafe { block.ptr.cast::<usize>().read_unaligned() };
            assert_eq!(read, number);
        }
        blocks.free_all();
        assert_nothing_is_in_use();
    }
}

type Step = fn(&[u8], usize) -> Block;

/// Four functions that differ, so that a path through them is a stack of its own.
const STEPS: [Step; 4] = [north::<0>, north::<1>, north::<2>, north::<3>];

#[inline(never)]
fn north<const WHICH: usize>(path: &[u8], size: usize) -> Block {
    let block = match path.split_first() {
        None => obtain(&ALLOC, layout(size), false),
        Some((next, rest)) => STEPS[usize::from(*next)](rest, size),
    };
    // Not a tail call, and not the same code as its siblings.
    std::hint::black_box(WHICH);
    block
}

/// More distinct stacks than there is room for: their samples count under
/// "overflow", and the totals stay right.
#[test]
fn more_stacks_than_there_is_room_for() {
    const PATHS: usize = 20_000;
    let _turn = alone();
    set_sample_interval(1);
    let meter = Meter::start();
    let full = dropped(DropReason::StackTableFull) + dropped(DropReason::SiteTableFull);
    for batch in 0..PATHS / 1000 {
        let mut held = Vec::new();
        for number in 0..1000 {
            let number = batch * 1000 + number;
            let path: Vec<u8> = (0..8)
                .map(|step| (number >> (2 * step)) as u8 & 3)
                .collect();
            let path = &path[..4 + number % 5];
            held.push(STEPS[number % 4](path, 40));
        }
        let inuse = heaplens_alloc::snapshot().totals().inuse;
        assert_eq!((inuse.samples, inuse.bytes), (1000, 40_000.0));
        release_all(&ALLOC, held);
        assert_nothing_is_in_use();
    }
    let seen = meter.stop();
    let alloc = seen.totals().alloc;
    assert_eq!(
        (alloc.samples, alloc.bytes),
        (PATHS as u64, 40.0 * PATHS as f64)
    );
    let is_overflow = |stack: usize| seen.stacks[stack].kind == StackKind::Overflow;
    let over = seen.sites.iter().filter(|site| is_overflow(site.stack));
    let over: u64 = over.map(|site| site.alloc.samples).sum();
    let (stacks, sites) = (DropReason::StackTableFull, DropReason::SiteTableFull);
    assert!(over > 1000, "only {over} samples under overflow");
    assert!(over <= dropped(stacks) + dropped(sites) - full);
    assert_within_budget();
}

#[inline(never)]
fn dig(depth: usize) -> Block {
    if depth == 0 {
        return obtain(&ALLOC, layout(16), false);
    }
    std::hint::black_box(dig(std::hint::black_box(depth - 1)))
}

/// Beyond 128 frames the innermost are kept and the stack says that it is cut.
#[test]
fn deep_stacks_are_cut() {
    let _turn = alone();
    set_sample_interval(1);
    let meter = Meter::start();
    let blocks = [dig(1000), dig(50)];
    let seen = meter.stop();
    let kinds: Vec<_> = seen
        .sites
        .iter()
        .map(|site| &seen.stacks[site.stack])
        .map(|stack| (stack.kind, stack.frames.len()))
        .collect();
    release_all(&ALLOC, blocks);
    assert_nothing_is_in_use();
    // Once another test has filled the table both count under overflow.
    if dropped(DropReason::StackTableFull) == 0 {
        assert_eq!(kinds.len(), 2);
        assert!(kinds.contains(&(StackKind::Truncated, 128)), "{kinds:?}");
        let whole = kinds.iter().find(|(kind, _)| *kind == StackKind::Captured);
        assert!(
            whole.is_some_and(|(_, len)| (50..128).contains(len)),
            "{kinds:?}"
        );
    }
}
