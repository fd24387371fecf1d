//! What the integration tests share.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub(crate) mod blocks;
pub(crate) mod estimate;
pub(crate) mod fake;
pub(crate) mod holders;
pub(crate) mod hostile;
pub(crate) mod labels;
pub(crate) mod ledger;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod shadow;
pub(crate) mod symbols;
pub(crate) mod truth;
pub(crate) mod what_if;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps the tests of one process apart: they share the profiler's tables. A
/// test that failed leaves the others able to run.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Losses for any reason since the start.
pub(crate) fn drops() -> u64 {
    heaplens_alloc::counters().drops().map(|(_, n)| n).sum()
}

/// Samples that were lost, not only their stacks.
pub(crate) fn lost() -> u64 {
    use heaplens_alloc::DropReason::{
        LabelRefused, LabelSetsFull, LifetimesFull, NoStack, SiteTableFull, StackTableFull,
        WalkersBusy,
    };
    heaplens_alloc::counters()
        .drops()
        .filter(|(reason, _)| {
            !matches!(
                reason,
                NoStack
                    | SiteTableFull
                    | StackTableFull
                    | WalkersBusy
                    | LabelSetsFull
                    | LabelRefused
                    | LifetimesFull
            )
        })
        .map(|(_, count)| count)
        .sum()
}

/// Fails unless nothing sampled is alive, down to the last bit.
pub(crate) fn assert_nothing_is_in_use() {
    assert_eq!(heaplens_alloc::counters().live_samples, 0);
    let inuse = heaplens_alloc::snapshot().totals().inuse;
    assert_eq!(inuse, heaplens_alloc::Tally::default());
}
