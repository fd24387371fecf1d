//! What a map or value retains, as a profile.
//!
//! One sample for each stack, size class and labels of the sampled blocks that dropping
//! it would free. All of them have one root frame, and one label, that names what
//! retains them: `go tool pprof -tagfocus=map=sessions` finds them in a profile into which
//! several were merged.

use std::sync::Arc;

use heaplens_alloc::Snapshot;
use heaplens_alloc::retained::Retained;

use crate::mappings::Mappings;
use crate::model::{Function, Line, Location, Profile, ValueType};
use crate::symbolize::Symbolizer;

/// The two types of a profile of what is retained; viewers take the last one as the
/// default.
pub const RETAINED_KINDS: [&str; 2] = ["retained_objects", "retained_space"];

/// The key of the label that names what retains, and what the name of the root frame
/// begins with, before an equals sign.
pub const MAP_LABEL: &str = "map";

/// What the name of a root frame begins with.
pub(crate) const MAP_FRAME: &str = "map=";

impl Profile {
    /// Makes a profile of what the map `name` retains, as [`Profile::new`] makes one of
    /// a snapshot. Its values are estimates from the sampled blocks; the exact totals,
    /// and the estimate's error, are in its comments.
    pub fn of_retained(
        retained: &Retained,
        name: &str,
        mappings: &Mappings,
        symbolizer: Option<&mut Symbolizer>,
    ) -> Profile {
        let snapshot = labelled(&retained.sampled, name);
        let mut profile = Profile::new(&snapshot, mappings, symbolizer);
        let inuse = snapshot.totals().inuse;
        leave_inuse(&mut profile);
        put_under(&mut profile, format!("{MAP_FRAME}{name}"));
        // Those are of the whole heap.
        profile.comments.retain(|comment| {
            !["standard error", "live samples"]
                .iter()
                .any(|of| comment.starts_with(of))
        });
        let at_least = if retained.is_lower_bound {
            "at least"
        } else {
            "exactly"
        };
        profile.comments.push(format!(
            "retained by {MAP_FRAME}{name}: {at_least} {} bytes in {} blocks",
            retained.bytes, retained.blocks
        ));
        profile.comments.push(format!(
            "standard error of retained_space: {:.0} bytes, from {} sampled blocks that stand for \
             {:.0} bytes",
            inuse.bytes_error(),
            inuse.samples,
            inuse.bytes
        ));
        profile
    }
}

/// The snapshot with all of it labelled as the map's, in place of who marked it.
fn labelled(sampled: &Snapshot, name: &str) -> Snapshot {
    let own = (MAP_LABEL.to_owned(), name.to_owned());
    let mut labels: Vec<Vec<(String, String)>> = vec![Vec::new()];
    let numbers: Vec<usize> = sampled
        .labels
        .iter()
        .map(|set| {
            let others = set.iter().filter(|(key, _)| key != MAP_LABEL);
            let mut set: Vec<_> = others.cloned().chain([own.clone()]).collect();
            set.sort();
            let known = labels.iter().position(|of| *of == set);
            known.unwrap_or_else(|| {
                labels.push(set);
                labels.len() - 1
            })
        })
        .collect();
    let mut snapshot = sampled.clone();
    for site in &mut snapshot.sites {
        site.labels = numbers.get(site.labels).copied().unwrap_or(0);
    }
    snapshot.with_labels(labels)
}

/// Leaves of the four types the two of what is in use, by their new names.
fn leave_inuse(profile: &mut Profile) {
    profile.types = RETAINED_KINDS
        .iter()
        .zip(["count", "bytes"])
        .map(|(kind, unit)| ValueType::new(kind, unit))
        .collect();
    for sample in &mut profile.samples {
        let first = sample.values.len().saturating_sub(RETAINED_KINDS.len());
        sample.values.drain(..first);
    }
}

/// Adds a frame of this name at the root of every stack.
fn put_under(profile: &mut Profile, name: String) {
    let (function, location) = (profile.functions.len(), profile.locations.len());
    profile.functions.push(Arc::new(Function {
        name,
        system_name: String::new(),
        file: String::new(),
    }));
    profile.locations.push(Location {
        mapping: None,
        address: 0,
        offset: None,
        lines: vec![Line {
            function,
            line: 0,
            column: 0,
        }],
    });
    for sample in &mut profile.samples {
        sample.locations.push(location);
    }
}
