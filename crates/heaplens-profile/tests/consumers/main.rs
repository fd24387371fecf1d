//! The rules of Parca, Alloy and Pyroscope on profiles of ours, and on broken
//! ones: each rule must refuse the file that is made to break it.
//!
//! The same rules judge profiles of a live process in the tests of the agent.

mod broken;
#[path = "../common/mod.rs"]
mod common;
mod rules;

use std::collections::BTreeSet;

use common::{IN_LIBC, IN_MAIN, MAPS, NOWHERE, captured, snapshot, tally};
use heaplens_alloc::{Site, Snapshot, Stack, StackKind, Tally};
use heaplens_profile::{DefaultType, Mappings, Profile, Symbolizer, pprof};
use rules::alloy::Scraper;
use rules::parca::{self, Kind};
use rules::raw::Raw;
use rules::{Kept as _, format, pyroscope};

/// Stacks of every kind, real functions, sizes, and two holders.
fn some_snapshot(rounds: u64) -> Snapshot {
    let here = some_snapshot as *const () as u64;
    let label = |value: &str| vec![("map".to_owned(), value.to_owned())];
    let mut cut = captured(&[IN_LIBC, here + 5]);
    cut.kind = StackKind::Truncated;
    let live = |count| tally(1000, count);
    snapshot(
        vec![
            captured(&[here + 5, IN_MAIN]),
            cut,
            Stack::new(vec![], StackKind::Unknown),
            Stack::new(vec![], StackKind::Overflow),
            captured(&[NOWHERE]),
        ],
        vec![
            Site::new(0, 1024, live(10 * rounds), live(5)),
            Site::new(0, 1024, Tally::default(), live(3)).labelled(1),
            Site::new(0, 1024, Tally::default(), live(2)).labelled(2),
            Site::new(0, 2048, tally(2000, 2), tally(2000, 1)),
            Site::new(1, 1024, live(2), Tally::default()),
            Site::new(2, 1024, live(2 * rounds), live(1)),
            Site::new(3, 1024, live(7), live(1)),
            Site::new(4, 0, live(1), live(1)),
        ],
    )
    .with_labels(vec![vec![], label("sessions"), label("users")])
}

fn profile(rounds: u64) -> Profile {
    let mut mappings = Mappings::parse(MAPS);
    mappings.merge(Mappings::of_current_process().expect("/proc/self/maps"));
    Profile::new(
        &some_snapshot(rounds),
        &mappings,
        Some(&mut Symbolizer::new()),
    )
}

fn encoded(rounds: u64) -> Vec<u8> {
    pprof::encode(&profile(rounds), DefaultType::InuseSpace)
}

fn raw(rounds: u64) -> Raw {
    Raw::decode(&encoded(rounds)).expect("a profile")
}

#[test]
fn ours_keep_all_rules() {
    let raw = raw(1);
    assert!(raw.samples.len() >= 8 && raw.functions.len() > 1);
    parca::check(&raw, Kind::Absolute).none("Parca");
    format::check(&raw).none("pprof");
    pyroscope::check(&raw).none("Pyroscope");
    let mut scraper = Scraper::default();
    let (delta, faults) = scraper.scrape(&raw);
    faults.none("Alloy");
    assert_eq!(delta.len(), 6, "rows in which something was allocated");
}

#[test]
fn two_scrapes_give_what_was_allocated_between_them() {
    let (first, second) = (raw(1), raw(3));
    let mut scraper = Scraper::default();
    scraper.scrape(&first).1.none("Alloy");
    let (delta, faults) = scraper.scrape(&second);
    faults.none("Alloy");
    assert_eq!(delta.len(), 2, "{delta:?}");
    let sum = |at: usize| delta.values().map(|values| values[at]).sum::<i64>();
    let grown = |at: usize| second.totals()[at] - first.totals()[at];
    assert_eq!((sum(0), sum(1)), (grown(0), grown(1)));
    assert!(sum(1) > 0);
    let (delta, faults) = scraper.scrape(&second);
    faults.none("Alloy");
    assert!(delta.is_empty(), "nothing happened: {delta:?}");
}

#[test]
fn names_of_maps_survive_where_sizes_do_not() {
    let raw = raw(1);
    let stored = pyroscope::Stored::of(&raw);
    assert_eq!(stored.totals(4), raw.totals());
    // Only one row has objects of all sizes, and so no size.
    assert_eq!(stored.numeric_labels, raw.samples.len() - 1);
    let maps: BTreeSet<&str> = stored
        .rows
        .keys()
        .flat_map(|(_, labels)| labels)
        .filter(|(key, _)| key == "map")
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(maps, BTreeSet::from(["sessions", "users"]));
    let stacks: BTreeSet<_> = stored.rows.keys().map(|(places, _)| places).collect();
    assert_eq!(stacks.len(), 5, "no two stacks have become one");
}
