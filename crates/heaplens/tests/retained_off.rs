//! What maps retain is not measured unless the program allows it.

mod common;

use common::{agent, get, request};
use heaplens::TrackedHashMap;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

#[test]
fn it_is_off_by_default() {
    let (agent, address) = agent();
    assert!(!agent.config().allows_what_if_drop() && !heaplens::is_what_if_allowed());
    let mut map: TrackedHashMap<u64, u64> = TrackedHashMap::named("off");
    map.insert(1, 1);
    let more = "X-Heaplens: 1\r\nContent-Length: 0\r\n";
    let refused = request(address, "POST", "/debug/maps/off/retained", more);
    assert_eq!(refused.status, 403);
    for part in ["what_if_drop(true)", "HEAPLENS_WHAT_IF_DROP=1"] {
        assert!(refused.text().contains(part), "{refused:?}");
    }
    let state = get(address, "/debug/maps/off/retained");
    assert!(state.text().contains("\"state\": \"none\""), "{state:?}");
    assert!(
        !get(address, "/metrics")
            .text()
            .contains("map_retained_bytes{")
    );
    let error = heaplens::retained(&map).unwrap_err();
    assert!(
        error.to_string().contains("what-if drops are off"),
        "{error}"
    );
    drop(agent);
}
