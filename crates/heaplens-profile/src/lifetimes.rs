//! How long blocks lived, as a profile.
//!
//! One sample for each stack, size class, labels and class of age: what was freed at
//! that age, and what is alive and of that age by now. The class is the label `age`, as
//! in `go tool pprof -tagfocus='age=<1ms'`. Labels that change with time belong into no
//! profile that is subtracted from another, so this is one of its own.

use std::collections::HashMap;

use heaplens_alloc::{Lifetimes, Site, Snapshot, age_class_name};

use crate::mappings::Mappings;
use crate::model::{Profile, ValueType};
use crate::symbolize::Symbolizer;

/// The four types of a profile of lifetimes. What is alive will have lived longer
/// when it is freed (right-censored).
pub const LIFETIME_KINDS: [&str; 4] = [
    "freed_objects",
    "freed_space",
    "alive_objects",
    "alive_space",
];

/// The key of the label that has the class of age as its value.
pub const AGE_LABEL: &str = "age";

impl Profile {
    /// Makes a profile of lifetimes, as [`Profile::new`] makes one of a snapshot. At
    /// rest, and unless something was lost, a site's `freed_space` and `alive_space`
    /// over all ages are its `alloc_space`.
    pub fn of_lifetimes(
        lifetimes: &Lifetimes,
        mappings: &Mappings,
        symbolizer: Option<&mut Symbolizer>,
    ) -> Profile {
        let snapshot = by_age(lifetimes);
        let mut profile = Profile::new(&snapshot, mappings, symbolizer);
        profile.duration = None;
        for (of, kind) in profile.types.iter_mut().zip(LIFETIME_KINDS) {
            *of = ValueType {
                kind: kind.into(),
                unit: of.unit.clone(),
            };
        }
        // These are of heaps.
        profile.comments.retain(|comment| {
            !["alloc_objects", "standard error"]
                .iter()
                .any(|of| comment.starts_with(of))
        });
        profile.comments.push(
            "lifetimes: freed_* by the age at which blocks were freed, alive_* by their age at \
             this moment"
                .to_owned(),
        );
        profile
    }
}

/// Lifetimes as rows of a snapshot: allocated stands for freed, in use for alive. Of a
/// window, since more may be alive than was freed.
fn by_age(lifetimes: &Lifetimes) -> Snapshot {
    let mut labels: Vec<Vec<(String, String)>> = vec![Vec::new()];
    let mut known: HashMap<(usize, usize), usize> = HashMap::new();
    let mut sites = Vec::new();
    for site in &lifetimes.sites {
        for (class, (freed, alive)) in site.freed.iter().zip(&site.alive).enumerate() {
            if freed.samples == 0 && alive.samples == 0 {
                continue;
            }
            let set = *known.entry((site.labels, class)).or_insert_with(|| {
                let of_site = lifetimes.labels.get(site.labels);
                let mut set = of_site.cloned().unwrap_or_default();
                set.push((AGE_LABEL.to_owned(), age_class_name(class).to_owned()));
                labels.push(set);
                labels.len() - 1
            });
            sites.push(Site::new(site.stack, site.size_class, *freed, *alive).labelled(set));
        }
    }
    let mut snapshot = Snapshot::from_parts(
        lifetimes.taken_at,
        lifetimes.since,
        lifetimes.counters,
        lifetimes.stacks.clone(),
        sites,
    )
    .with_labels(labels);
    let age = lifetimes.taken_at.duration_since(lifetimes.since);
    snapshot.window = Some(age.unwrap_or_default());
    snapshot
}
