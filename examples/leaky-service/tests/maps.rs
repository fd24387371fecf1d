//! What the tracked maps publish is what the service itself counts, after every
//! request.
//!
//! One test, since the maps of all tests in a process are one group.

mod driven;

use heaplens::maps::{GroupReport, report};
use leaky_service::cases::{CaseName, Mode, fixed_bound};

use driven::{Driven, PER_REQUEST, block_on};

fn group(name: &str) -> Option<GroupReport> {
    let groups = report().groups;
    groups.into_iter().find(|group| group.name == name)
}

/// Entries and bytes of the table, equal at every moment.
async fn follow(case: CaseName, mode: Mode, requests: u64) {
    let mut driven = Driven::new(case, mode);
    drive(&mut driven, case, mode, requests).await;
    drop(driven);
    let told = group(case.as_str()).unwrap_or_else(|| panic!("{case} is not told of"));
    assert_eq!((told.instances, told.entries, told.table_bytes), (0, 0, 0));
}

async fn drive(driven: &mut Driven, case: CaseName, mode: Mode, requests: u64) {
    for n in 0..requests {
        assert!(driven.request().await.is_success());
        driven.pass(PER_REQUEST).await;
        let counted = driven.retained();
        let told = group(case.as_str()).unwrap_or_else(|| panic!("{case} is not told of"));
        assert_eq!(told.instances, 1, "{case} {mode:?} after {n}: {told:?}");
        assert_eq!(
            (told.entries, told.table_bytes),
            (counted.entries as u64, counted.table_bytes as u64),
            "{case} {mode:?} after {n}: {told:?}"
        );
        let bound = (mode == Mode::Fixed).then(|| fixed_bound(case) as u64);
        assert_eq!(told.max_entries, bound, "{case} {mode:?}");
        assert!(bound.is_none_or(|bound| told.entries <= bound), "{told:?}");
    }
}

/// Repaired while it runs, and broken again: the same group throughout, whose
/// counters go on.
async fn follow_a_repair(case: CaseName) {
    let mut driven = Driven::new(case, Mode::Leaking);
    let mut mode = Mode::Leaking;
    for next in [Mode::Fixed, Mode::Leaking, Mode::Fixed] {
        drive(&mut driven, case, mode, 500).await;
        let (held, before) = (driven.retained(), group(case.as_str()));
        driven.switch(next);
        let (kept, after) = (driven.retained(), group(case.as_str()));
        // Webhooks that wait to be delivered are kept, within half a second of
        // the load.
        let waiting = if case == CaseName::Closures { 30 } else { 0 };
        assert!(kept.entries <= waiting, "{case} to {next:?}: {kept:?}");
        let (before, after) = before.zip(after).expect("told of before and after");
        let gone = (held.entries - kept.entries) as u64;
        assert!(after.inserts >= before.inserts, "{before:?} {after:?}");
        assert!(
            after.removes >= before.removes + gone,
            "{before:?} {after:?}"
        );
        mode = next;
    }
    drive(&mut driven, case, mode, 500).await;
}

#[test]
fn every_map_tells_what_the_service_counts() {
    block_on(async {
        for case in CaseName::ALL {
            follow(case, Mode::Leaking, 2_000).await;
            follow_a_repair(case).await;
            // More than the capacity of the sessions, which are the largest but
            // one.
            follow(case, Mode::Fixed, 5_000).await;
        }
    });
}
