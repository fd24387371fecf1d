//! The level of the heap is the sum over what is alive, whatever threads do, and
//! its watch is woken when there is more than there ever was.

mod common;

use std::alloc::{GlobalAlloc, System};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use common::blocks::{Blocks, layout, obtain, release, release_all};
use common::ledger::{Ledger, refusing};
use common::random::Random;
use common::{alone, assert_nothing_is_in_use};
use heaplens_alloc::peak::{self, LEAST_RISE, Watch};
use heaplens_alloc::{Alloc, set_sample_interval, snapshot, survivors};

static ALLOC: Alloc<System> = Alloc::with(System).max_overhead_ppm(0);
static LEDGER: Ledger<System> = Ledger::new(System);
static REFUSED: Alloc<&Ledger<System>> = Alloc::with(&LEDGER);

/// Whether the watch can be read at this moment.
fn is_woken(watch: &Watch) -> bool {
    let mut poll = libc::pollfd {
        fd: watch.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, valid for writing.
    let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
    assert!(ready >= 0, "{}", std::io::Error::last_os_error());
    ready == 1
}

fn assert_level_is_the_sum() {
    let inuse = snapshot().totals().inuse;
    let off = (peak::live_bytes() as f64 - inuse.bytes).abs();
    // Each weight is rounded by itself.
    assert!(
        off <= 0.5 * inuse.samples as f64 + 1.0,
        "{off} in {inuse:?}"
    );
}

#[test]
fn the_level_is_the_sum_and_returns_to_zero() {
    let _turn = alone();
    assert_eq!(peak::live_bytes(), 0);
    for interval in [1, 1000, 65_536] {
        set_sample_interval(interval);
        let mut random = Random::new(interval);
        let mut blocks = Blocks::new(&ALLOC);
        for _ in 0..20 {
            let size = random.size(16);
            blocks.add(1 + random.below(200), size);
            if random.coin() {
                blocks.resize(random.size(14));
            }
            if random.coin() {
                blocks.free_half(&mut random);
            }
            assert_level_is_the_sum();
        }
        // The interval of a block is its own, whatever is set when it is freed.
        set_sample_interval(77);
        drop(blocks);
        assert_eq!(peak::live_bytes(), 0, "to the last byte");
        assert_nothing_is_in_use();
    }
}

/// A realloc that fails leaves the old block, and the level, as they were.
#[test]
fn what_is_refused_does_not_count() {
    let _turn = alone();
    set_sample_interval(1);
    let block = obtain(&REFUSED, layout(5000), false);
    assert_eq!(peak::live_bytes(), 5000);
    let moved = refusing(|| {
        // SAFETY: a live block with its layout, and a size above zero.
        unsafe { REFUSED.realloc(block.ptr, block.layout, 1 << 20) }
    });
    assert!(moved.is_null());
    assert_eq!(peak::live_bytes(), 5000);
    release(&REFUSED, block);
    assert_eq!(peak::live_bytes(), 0);
}

#[test]
fn threads_that_free_each_others_blocks_leave_nothing() {
    let _turn = alone();
    set_sample_interval(1);
    std::thread::scope(|scope| {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1000);
        for seed in 0..3 {
            let sender = sender.clone();
            scope.spawn(move || {
                let mut random = Random::new(seed);
                for _ in 0..5000 {
                    let block = obtain(&ALLOC, layout(random.size(12)), random.coin());
                    sender.send(block).expect("it is received");
                }
            });
        }
        drop(sender);
        release_all(&ALLOC, receiver);
    });
    assert_eq!(peak::live_bytes(), 0);
    assert_nothing_is_in_use();
}

#[test]
fn a_watch_is_woken_at_each_new_mark_and_not_below() {
    let _turn = alone();
    set_sample_interval(1);
    let watch = Watch::start().expect("nobody else watches");
    watch.rearm(0);
    assert!(!is_woken(&watch));
    let mib = LEAST_RISE as usize;
    let mut blocks = Blocks::new(&ALLOC);
    blocks.add(1, mib);
    assert!(!is_woken(&watch), "one mebibyte, and not more");
    blocks.add(1, 8);
    assert!(is_woken(&watch));
    watch.clear();
    assert!(!is_woken(&watch));
    blocks.add(20, mib);
    assert!(is_woken(&watch), "many marks, one wake-up");
    watch.clear();
    let peak = survivors(Duration::ZERO).totals().inuse.bytes as u64;
    assert_eq!(peak, peak::live_bytes());
    watch.rearm(peak);
    blocks.free_all();
    blocks.add(21, mib);
    assert!(!is_woken(&watch), "as much as there was");
    blocks.add(3, mib);
    assert!(is_woken(&watch), "a tenth more");
    watch.clear();
    // Armed too low by one who saw less: told at once that there is more.
    watch.rearm(1000);
    assert!(is_woken(&watch));
    drop(blocks);
    assert_nothing_is_in_use();
}

#[test]
fn one_watch_at_a_time_and_the_next_one_starts_afresh() {
    let _turn = alone();
    set_sample_interval(1);
    let first = Watch::start().expect("nobody else watches");
    assert_eq!(first.as_fd().as_raw_fd(), first.as_raw_fd());
    let second = Watch::start().expect_err("one watches already");
    assert_eq!(second.kind(), std::io::ErrorKind::AlreadyExists);
    first.rearm(0);
    let block = obtain(&ALLOC, layout(10 << 20), false);
    assert!(is_woken(&first));
    drop(first);
    let mut others = Blocks::new(&ALLOC);
    others.add(1, 50 << 20);
    let next = Watch::start().expect("the first one ended");
    assert!(!is_woken(&next), "what was before is the past");
    next.rearm(peak::live_bytes());
    assert!(!is_woken(&next));
    drop((others, next));
    release(&ALLOC, block);
}

/// A child of fork that allocates more than ever does not wake its parent's watch;
/// it may have one of its own.
#[test]
fn a_forked_child_wakes_nobody_else() {
    let _turn = alone();
    set_sample_interval(1);
    let watch = Watch::start().expect("nobody else watches");
    watch.rearm(0);
    // SAFETY: the child calls what glibc keeps usable after a fork (malloc and
    // system calls) and ends by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: the watchdog kills a child that hangs.
        unsafe { libc::alarm(120) };
        let big = obtain(&ALLOC, layout(30 << 20), false);
        let own = Watch::start().map(|own| {
            own.rearm(peak::live_bytes());
            let more = obtain(&ALLOC, layout(60 << 20), false);
            let woken = is_woken(&own);
            release(&ALLOC, more);
            woken
        });
        release(&ALLOC, big);
        let status = i32::from(!matches!(own, Ok(true)));
        // SAFETY: runs nothing.
        unsafe { libc::_exit(status) };
    }
    let mut status = -1;
    // SAFETY: a child of ours; `status` is valid for writing.
    let ended = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((ended, status), (pid, 0));
    assert!(!is_woken(&watch));
    drop(watch);
}
