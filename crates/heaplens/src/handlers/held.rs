//! `/debug/heap?map=NAME`: what the maps of one group hold. What was ever
//! allocated is not told apart by who came to hold it: those values are 0 there.

use std::collections::HashSet;

use heaplens_alloc::{Snapshot, Tally};
use heaplens_profile::Profile;

use crate::handlers::heap::held_no_more;

/// Whether there is such a group of maps.
pub(crate) fn exists(name: &str) -> bool {
    let groups = heaplens_maps::report().groups;
    groups.iter().any(|group| group.name == name)
}

/// Whether these labels say that the group holds it.
pub(crate) fn is_held(labels: &[(String, String)], name: &str) -> bool {
    labels
        .iter()
        .any(|(key, value)| key == "map" && value == name)
}

/// Leaves out all stacks of which the group holds nothing: they need no symbols.
/// Rows of others at the same stacks stay, since a profile is rounded so that
/// they add up. Returns what is held.
pub(crate) fn keep(snapshot: &mut Snapshot, name: &str) -> Tally {
    let ours: Vec<bool> = snapshot
        .labels
        .iter()
        .map(|labels| is_held(labels, name))
        .collect();
    let (mut held, mut kept) = (Tally::default(), HashSet::new());
    for site in &snapshot.sites {
        if ours.get(site.labels) == Some(&true) {
            held.add(&site.inuse);
            kept.insert((site.stack, site.size_class));
        }
    }
    snapshot
        .sites
        .retain(|site| kept.contains(&(site.stack, site.size_class)));
    held
}

/// What the profile says of itself is of this group, not of the whole heap.
pub(crate) fn describe(profile: &mut Profile, name: &str, held: &Tally) {
    held_no_more(profile);
    profile.comments.push(format!(
        "held by map {name:?}: {:.0} bytes in {} samples, standard error {:.0}",
        held.bytes,
        held.samples,
        held.bytes_error()
    ));
    profile
        .comments
        .push("alloc_objects and alloc_space are not known by map".to_owned());
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use heaplens_alloc::{Counters, Site, Stack, StackKind};

    use super::*;

    fn tally(count: u64) -> Tally {
        let mut tally = Tally::default();
        for _ in 0..count {
            tally.record(100, 1);
        }
        tally
    }

    fn label(value: &str) -> Vec<(String, String)> {
        vec![("map".to_owned(), value.to_owned())]
    }

    #[test]
    fn what_others_hold_is_left_out_and_theirs_stays_whole() {
        let now = SystemTime::now();
        let stacks = [0x1001, 0x2001, 0x3001]
            .map(|frame| Stack::new(vec![frame], StackKind::Captured))
            .into();
        let sites = vec![
            Site::new(0, 112, tally(10), tally(1)),
            Site::new(0, 112, tally(0), tally(4)).labelled(1),
            Site::new(0, 112, tally(0), tally(2)).labelled(2),
            Site::new(1, 112, tally(7), tally(0)),
            Site::new(1, 112, tally(0), tally(3)).labelled(2),
            Site::new(2, 112, tally(5), tally(5)),
        ];
        let mut snapshot = Snapshot::from_parts(now, now, Counters::default(), stacks, sites)
            .with_labels(vec![Vec::new(), label("a"), label("b")]);
        let held = keep(&mut snapshot, "a");
        assert_eq!((held.samples, held.bytes.round()), (4, 400.0));
        let stacks: Vec<usize> = snapshot.sites.iter().map(|site| site.stack).collect();
        assert_eq!(stacks, [0, 0, 0]);
        let mut profile = Profile::new(&snapshot, &heaplens_profile::Mappings::default(), None);
        profile
            .samples
            .retain(|sample| is_held(&sample.labels, "a"));
        let values: Vec<_> = profile.samples.iter().map(|of| of.values.clone()).collect();
        assert_eq!(values, [[0, 0, 4, 400]]);
        describe(&mut profile, "a\n", &held);
        let said = profile.comments.join("|");
        assert!(
            said.contains("held by map \"a\\n\": 400 bytes in 4 samples"),
            "{said}"
        );
        assert_eq!(said.matches("standard error").count(), 1, "{said}");
    }

    #[test]
    fn nothing_is_held_by_what_is_not_there() {
        let now = SystemTime::now();
        let stacks = vec![Stack::new(vec![0x1001], StackKind::Captured)];
        let sites = vec![Site::new(0, 112, tally(1), tally(1))];
        let mut snapshot = Snapshot::from_parts(now, now, Counters::default(), stacks, sites);
        assert_eq!(keep(&mut snapshot, "a").samples, 0);
        assert!(snapshot.sites.is_empty());
    }
}
