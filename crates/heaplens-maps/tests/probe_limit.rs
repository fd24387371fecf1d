//! How many containers can be probed: a process of its own, since the limit is
//! one for all.

mod support;

use std::sync::Arc;

use heaplens_maps::{MAX_PROBES, probe, probe_owned, report};
use support::group;

#[test]
fn probes_are_bounded_and_the_dead_make_room() {
    let refused = report().probes_refused;
    let mut alive: Vec<Arc<Vec<u8>>> = Vec::new();
    loop {
        let container = Arc::new(vec![0u8]);
        if !probe("probe-many", &container) {
            break;
        }
        alive.push(container);
    }
    assert_eq!(alive.len(), MAX_PROBES);
    assert_eq!(report().probes_refused, refused + 1);
    assert!(!probe_owned("probe-many", vec![0u8]).is_shown());
    let shown = group("probe-many");
    assert_eq!(shown.instances, alive.len() as u64);
    // Nobody takes a report: room is made when it is needed.
    alive.clear();
    let again = Arc::new(vec![0u8]);
    assert!(probe("probe-many", &again));
    assert_eq!(group("probe-many").instances, 1);
}
