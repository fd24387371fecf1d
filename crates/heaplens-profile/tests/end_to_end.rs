//! Real samples of this very process: the allocator samples every allocation.

use std::alloc::System;

use heaplens_alloc::Alloc;
use heaplens_profile::trim::Role;
use heaplens_profile::{DefaultType, Mappings, Profile, Sample, Symbolizer, pprof};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System);

const BLOCKS: usize = 100;
const SIZE: usize = 1000;

#[inline(never)]
fn hoard() -> Vec<Vec<u8>> {
    let mut kept = Vec::with_capacity(BLOCKS);
    for _ in 0..BLOCKS {
        kept.push(vec![7; SIZE]);
    }
    kept
}

fn names<'a>(profile: &'a Profile, sample: &'a Sample) -> Vec<&'a str> {
    let locations = sample.locations.iter().map(|&at| &profile.locations[at]);
    let lines = locations.flat_map(|location| &location.lines);
    lines
        .map(|line| profile.functions[line.function].name.as_str())
        .collect()
}

#[test]
fn the_function_that_holds_memory_is_named_with_its_bytes() {
    heaplens_alloc::set_sample_interval(1);
    let kept = hoard();
    let snapshot = heaplens_alloc::untracked(heaplens_alloc::snapshot);
    heaplens_alloc::set_sample_interval(0);
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let profile = Profile::new(&snapshot, &mappings, Some(&mut Symbolizer::new()));

    let of_hoard = |sample: &&Sample| names(&profile, sample).contains(&"end_to_end::hoard");
    let hoards = || profile.samples.iter().filter(of_hoard);
    let held: i64 = hoards().map(|sample| sample.values[3]).sum();
    let expected = BLOCKS * (SIZE + size_of::<Vec<u8>>());
    assert_eq!(usize::try_from(held).expect("positive"), expected);
    assert_eq!(kept.len(), BLOCKS);

    for sample in &profile.samples {
        let names = names(&profile, sample);
        let leaf = names.first().expect("every stack here has names");
        let role = Role::of(leaf);
        assert!(
            !matches!(role, Role::EntryPoint | Role::Allocator),
            "the allocator's own frame {leaf} is left in {names:#?}"
        );
        assert!(
            !names
                .iter()
                .any(|name| name.starts_with("heaplens_alloc::"))
        );
    }
    for sample in hoards() {
        let names = names(&profile, sample);
        // Where each thread of the standard library starts.
        let start = "std::sys::backtrace::__rust_begin_short_backtrace";
        let is_start = |name: &&str| name.starts_with(start);
        assert!(names.iter().any(is_start), "a whole stack: {names:#?}");
    }
    assert!(
        profile.mappings[0].has_functions,
        "{:?}",
        profile.mappings[0]
    );
    assert!(!pprof::encode(&profile, DefaultType::InuseSpace).is_empty());
}
