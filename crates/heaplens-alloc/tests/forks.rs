//! fork, while other threads allocate, free and take snapshots, every
//! allocation sampled: the child goes on sampling, and so does the parent.

mod common;

use std::alloc::System;
use std::sync::atomic::{AtomicBool, Ordering};

use common::blocks::{Block, layout, obtain, release, release_all};
use common::random::Random;
use common::{alone, assert_nothing_is_in_use, drops};
use heaplens_alloc::{Alloc, StackKind, counters, set_sample_interval, snapshot};

static ALLOC: Alloc<System> = Alloc::with(System);

const FORKS: u32 = 200;
const CHURNERS: u64 = 4;

fn churn(seed: u64, until: &AtomicBool) {
    let mut random = Random::new(seed);
    let mut held: Vec<Block> = Vec::new();
    while !until.load(Ordering::Relaxed) {
        if held.len() < 200 && random.coin() {
            held.push(obtain(&ALLOC, layout(random.size(13)), random.coin()));
        } else if !held.is_empty() {
            let block = held.swap_remove(random.below(held.len()));
            release(&ALLOC, block);
        }
    }
    release_all(&ALLOC, held);
}

/// What the child does, the only thread of its process. The first thing that is
/// not as it should be ends it with a status of its own.
fn child(inherited: Block) -> Result<(), i32> {
    let check = |holds: bool, status: i32| if holds { Ok(()) } else { Err(status) };
    let (live, dropped) = (counters().live_samples, drops());
    // Of a size that no other thread asks for.
    let block = obtain(&ALLOC, layout(20_001), false);
    check(counters().live_samples == live + 1, 2)?;
    check(drops() == dropped, 3)?;
    release(&ALLOC, inherited);
    check(counters().live_samples == live, 4)?;
    let seen = snapshot();
    // A thread that was about to count a block when the fork came is gone.
    let difference = seen.totals().inuse.samples.abs_diff(live);
    check(difference <= CHURNERS + 1, 5)?;
    let own = seen
        .sites
        .iter()
        .find(|site| site.size_class == 20_480 && site.inuse.samples > 0);
    check(own.is_some(), 6)?;
    let whole = own.map(|site| &seen.stacks[site.stack]);
    check(
        whole.is_some_and(|stack| stack.kind == StackKind::Captured && stack.frames.len() > 5),
        7,
    )?;
    let worker = std::thread::spawn(move || {
        let more: Vec<_> = (1..100)
            .map(|size| obtain(&ALLOC, layout(size), false))
            .collect();
        release_all(&ALLOC, more);
        release(&ALLOC, block);
    });
    check(worker.join().is_ok(), 8)?;
    check(counters().live_samples == live - 1, 9)
}

fn fork_once(inherited: Block) {
    // SAFETY: the child calls what glibc keeps usable after a fork (malloc,
    // pthread_create) and ends by `_exit`.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "fork: {}", std::io::Error::last_os_error());
    if pid == 0 {
        // SAFETY: the watchdog kills a child that hangs; `_exit` runs nothing.
        unsafe {
            libc::alarm(120);
            let status = child(inherited).err().unwrap_or(0);
            libc::_exit(status);
        }
    }
    let mut status = 0;
    // SAFETY: waits for our own child.
    assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
    assert!(
        !libc::WIFSIGNALED(status),
        "killed by signal {}",
        libc::WTERMSIG(status)
    );
    assert_eq!(
        libc::WEXITSTATUS(status),
        0,
        "see `child` for the step that failed"
    );
}

#[test]
fn parent_and_child_go_on() {
    let _turn = alone();
    set_sample_interval(1);
    let inherited = obtain(&ALLOC, layout(300), false);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 0..CHURNERS {
            let stop = &stop;
            scope.spawn(move || churn(seed, stop));
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                drop(snapshot());
            }
        });
        let forks = std::panic::catch_unwind(|| (0..FORKS).for_each(|_| fork_once(inherited)));
        stop.store(true, Ordering::Relaxed);
        forks.expect("all children ended well");
    });
    release(&ALLOC, inherited);
    assert_nothing_is_in_use();
}
