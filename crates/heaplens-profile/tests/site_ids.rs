//! Ids of call sites: the same wherever a program was loaded, and different for
//! different stacks.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{IN_LIBC, IN_MAIN, MAPS, NOWHERE, captured, snapshot, tally};
use heaplens_alloc::{Site, Snapshot};
use heaplens_profile::{Filter, Mappings, Profile, SiteId, SiteIds};

/// Stacks through the program and its library, moved by `slide` bytes.
fn stacks(slide: u64) -> Snapshot {
    let (main, libc) = (IN_MAIN + slide, IN_LIBC + slide);
    let stacks = vec![
        captured(&[main, main + 16, main + 32]),
        captured(&[main + 16, main, main + 32]),
        captured(&[main, main + 16]),
        captured(&[libc, main]),
        captured(&[libc + 1, main]),
    ];
    let sites = (0..stacks.len()).flat_map(|stack| {
        // Two sizes of each stack.
        [64, 4096].map(|size| Site::new(stack, size, tally(size, 3), tally(size, 2)))
    });
    let sites = sites.collect();
    snapshot(stacks, sites)
}

/// The same file, with its mappings moved by so much.
fn maps(slide: u64) -> Mappings {
    let moved = MAPS.lines().map(|line| {
        let (range, rest) = line.split_once(' ').expect("a range");
        let (start, limit) = range.split_once('-').expect("two addresses");
        let moved = |text| {
            u64::from_str_radix(text, 16)
                .expect("hex")
                .wrapping_add(slide)
        };
        format!("{:x}-{:x} {rest}\n", moved(start), moved(limit))
    });
    Mappings::parse(&moved.collect::<String>())
}

fn ids(profile: &Profile) -> Vec<SiteId> {
    let ids = SiteIds::of(profile);
    profile.samples.iter().map(|of| ids.site(of)).collect()
}

#[test]
fn a_stack_has_one_wherever_the_program_was_loaded() {
    let here = Profile::new(&stacks(0), &maps(0), None);
    let there = Profile::new(&stacks(0x7000), &maps(0x7000), None);
    assert_eq!(ids(&here), ids(&there));
    let distinct: BTreeSet<SiteId> = ids(&here).into_iter().collect();
    assert_eq!((distinct.len(), here.samples.len()), (5, 10));
    // Moved against its objects it is another place.
    let elsewhere = Profile::new(&stacks(16), &maps(0), None);
    assert!(ids(&elsewhere)[0] != ids(&here)[0]);
}

#[test]
fn the_sites_are_parts_of_the_whole() {
    let whole = Profile::new(&stacks(0), &maps(0), None);
    let mut parts: BTreeMap<SiteId, i128> = BTreeMap::new();
    for id in ids(&whole) {
        let mut part = whole.clone();
        Filter::new().site(id).apply(&mut part);
        assert_eq!(part.samples.len(), 2, "both sizes of {id}");
        assert_eq!(BTreeSet::from_iter(ids(&part)), BTreeSet::from([id]));
        parts.insert(id, part.total(3));
    }
    assert_eq!(parts.values().sum::<i128>(), whole.total(3));
    let mut nothing = whole;
    let other: SiteId = "00000000000000aa".parse().expect("an id");
    Filter::new().site(other).apply(&mut nothing);
    assert!(nothing.samples.is_empty());
}

#[test]
fn code_outside_of_objects_counts_by_its_address() {
    let made = |address| {
        let sites = vec![Site::new(0, 64, tally(64, 1), tally(64, 1))];
        let of = snapshot(vec![captured(&[address])], sites);
        ids(&Profile::new(&of, &maps(0), None))
    };
    assert_eq!(made(NOWHERE), made(NOWHERE));
    assert_ne!(made(NOWHERE), made(NOWHERE + 1));
}
