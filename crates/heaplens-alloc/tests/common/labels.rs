//! What was allocated under which labels.

use std::collections::BTreeMap;

use heaplens_alloc::{Labels, Snapshot, Tally};

/// Labels by key.
pub(crate) type Set = BTreeMap<String, String>;

/// Cumulative figures and those in use.
pub(crate) type Figures = (Tally, Tally);

/// The labels of these pairs.
pub(crate) fn set(pairs: &[(&str, &str)]) -> Set {
    let own = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    pairs.iter().map(own).collect()
}

/// The labels in force.
pub(crate) fn in_force() -> Set {
    set(&Labels::current().iter().collect::<Vec<_>>())
}

/// The figures of each set of labels; those of nothing are left out.
pub(crate) fn by_labels(snapshot: &Snapshot) -> BTreeMap<Set, Figures> {
    let mut sums = BTreeMap::new();
    for site in &snapshot.sites {
        let labels = &snapshot.labels[site.labels];
        let labels: Set = labels.iter().cloned().collect();
        let sum: &mut Figures = sums.entry(labels).or_default();
        sum.0.add(&site.alloc);
        sum.1.add(&site.inuse);
    }
    sums
}

/// As many objects of as many bytes, exactly.
pub(crate) fn exactly(objects: usize, bytes: usize) -> Tally {
    let mut tally = Tally::default();
    tally.samples = objects as u64;
    tally.sampled_bytes = bytes as u64;
    tally.objects = objects as f64;
    tally.bytes = bytes as f64;
    tally
}
