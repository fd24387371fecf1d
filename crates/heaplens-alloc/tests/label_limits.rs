//! More sets of labels than are told apart. The only test of its program: the sets
//! stay for good.

mod common;

use std::alloc::System;

use common::assert_nothing_is_in_use;
use common::blocks::{layout, obtain, release_all};
use common::labels::{by_labels, exactly, set};
use heaplens_alloc::{Alloc, DropReason, Labels, MAX_LABEL_SETS, Tally, counters, label, snapshot};

static ALLOC: Alloc<System> = Alloc::with(System).sample_interval(1);

fn dropped() -> u64 {
    let found = counters()
        .drops()
        .find(|(of, _)| *of == DropReason::LabelSetsFull);
    found.expect("each reason has a counter").1
}

#[test]
fn what_goes_beyond_is_one_set_and_is_counted() {
    const MORE: usize = 500;
    let mut blocks = Vec::new();
    // Twice: sets that are known stay known, and the others stay refused.
    for round in 1..=2 {
        for number in 0..MAX_LABEL_SETS + MORE {
            let _scope = label("request", &number.to_string()).enter();
            blocks.push(obtain(&ALLOC, layout(48), false));
        }
        assert_eq!(dropped(), (round * MORE) as u64);
    }
    let seen = by_labels(&snapshot());
    assert_eq!(seen.len(), MAX_LABEL_SETS + 1);
    for number in 0..MAX_LABEL_SETS {
        let of = seen[&set(&[("request", &number.to_string())])];
        assert_eq!(of, (exactly(2, 96), exactly(2, 96)), "{number}");
    }
    let over = seen[&set(&[("heaplens", "labels_overflow")])];
    let all = exactly(2 * MORE, 2 * MORE * 48);
    assert_eq!(over, (all, all));

    // A known set over a known one may be a new one; one that is known is not.
    let known = label("request", "7");
    let outer = label("request", "8").enter();
    {
        let _scope = known.enter();
        assert_eq!(Labels::current(), known);
    }
    let beyond = known.and("tenant", "acme");
    assert_eq!(beyond.get("heaplens"), Some("labels_overflow"));
    {
        let _scope = beyond.enter();
        assert_eq!(Labels::current().get("tenant"), None);
    }
    assert_eq!(Labels::current().get("request"), Some("8"));
    drop(outer);

    assert_eq!(counters().live_samples, blocks.len() as u64);
    release_all(&ALLOC, blocks);
    assert_nothing_is_in_use();
    let left = by_labels(&snapshot());
    assert!(left.values().all(|of| of.1 == Tally::default()));
    let counters = counters();
    let others = counters
        .drops()
        .filter(|(why, _)| *why != DropReason::LabelSetsFull);
    assert_eq!(others.map(|(_, count)| count).sum::<u64>(), 0);
}
