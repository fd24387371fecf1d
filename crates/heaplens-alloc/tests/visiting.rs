//! Live samples one by one add up to what a snapshot says.

use std::alloc::System;
use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use heaplens_alloc::holder::{Holder, Part};
use heaplens_alloc::{each_live, each_site, snapshot, survivors, untracked};

#[global_allocator]
static ALLOC: heaplens_alloc::Alloc<System> =
    heaplens_alloc::Alloc::with(System).max_overhead_ppm(0);

/// One test: nothing else may allocate meanwhile.
#[test]
fn what_is_visited_adds_up_to_the_snapshot() {
    heaplens_alloc::set_sample_interval(64);
    let holder = Holder::register("map", "visited").expect("room");
    let blocks: Vec<Box<[u8]>> = untracked(|| Vec::with_capacity(400));
    let mut blocks = blocks;
    for number in 0..400_usize {
        blocks.push(black_box(vec![1u8; 16 << (number % 8)].into_boxed_slice()));
    }
    for block in blocks.iter().take(100) {
        holder.hold_value(block);
    }
    drop(blocks.split_off(300));

    // By row: samples, objects, bytes.
    let mut live: HashMap<u32, (u64, f64, f64)> = untracked(HashMap::new);
    let (mut held, mut oldest) = ((0, 0.0), Duration::ZERO);
    each_live(|sample| {
        let row = live.entry(sample.site).or_default();
        *row = (row.0 + 1, row.1 + sample.objects, row.2 + sample.bytes);
        if sample.holder == Some((holder, Part::Contents)) {
            held = (held.0 + 1, held.1 + sample.bytes);
        }
        oldest = oldest.max(sample.age);
    });
    let snapshot = snapshot();
    // Rows of what is held have no number; the whole is the same.
    let sum = |of: fn(&(u64, f64, f64)) -> f64| live.values().map(of).sum::<f64>();
    let totals = snapshot.totals();
    assert!(totals.inuse.samples > 100, "{totals:?}");
    assert_eq!(
        live.values().map(|row| row.0).sum::<u64>(),
        totals.inuse.samples
    );
    assert!((sum(|row| row.2) - totals.inuse.bytes).abs() < 1.0);
    assert!((sum(|row| row.1) - totals.inuse.objects).abs() < 0.1);
    let is_held = |site: &&heaplens_alloc::Site| {
        let labels = &snapshot.labels[site.labels];
        labels.iter().any(|pair| pair.1 == "visited")
    };
    let by_snapshot = snapshot.sites.iter().filter(is_held);
    let (samples, bytes) = by_snapshot.fold((0, 0.0), |(samples, bytes), site| {
        (samples + site.inuse.samples, bytes + site.inuse.bytes)
    });
    assert!(samples > 10);
    assert_eq!(held.0, samples);
    assert!((held.1 - bytes).abs() < 1.0);
    assert!(survivors(oldest + Duration::from_secs(60)).sites.is_empty());

    let mut allocated: HashMap<u32, u64> = untracked(HashMap::new);
    each_site(|site, tally| {
        assert!(allocated.insert(site, tally.samples).is_none(), "once each");
    });
    for (site, (samples, ..)) in &live {
        assert!(allocated[site] >= *samples);
    }
    for site in snapshot.sites.iter().filter(|site| site.id != 0) {
        assert_eq!(allocated.get(&site.id), Some(&site.alloc.samples));
    }
    heaplens_alloc::set_sample_interval(0);
}
