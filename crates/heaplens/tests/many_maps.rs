//! More groups of maps than are told apart. Alone in its program, because groups
//! stay for its life.

mod common;

use std::collections::BTreeSet;

use common::{agent, get, request};
use heaplens::TrackedHashMap;
use heaplens::maps::{Group, MAX_GROUPS, OTHER};
use serde_json::Value;

#[test]
fn the_rest_is_counted_together() {
    const BEYOND: usize = 50;
    let (agent, address) = agent();
    let maps: Vec<TrackedHashMap<usize, usize>> = (0..MAX_GROUPS + BEYOND)
        .map(|number| {
            let group = Group::named(format!("group-{number}"));
            let mut map = TrackedHashMap::in_group(group);
            map.insert(number, number);
            map
        })
        .collect();
    let list: Value = serde_json::from_slice(&get(address, "/debug/maps").body).unwrap();
    assert_eq!(list["groups_count"], MAX_GROUPS + 1);
    assert_eq!(list["groups_max_count"], MAX_GROUPS);
    assert!(list["groups_overflowed_count"].as_u64().unwrap() >= BEYOND as u64);
    assert_eq!(list["maps_refused_count"], 0);
    let other = get(address, &format!("/debug/maps/{OTHER}"));
    let other: Value = serde_json::from_slice(&other.body).unwrap();
    assert_eq!(other["entries_count"], BEYOND);
    let text = get(address, "/debug/maps?format=text&limit=3");
    assert!(
        text.text().starts_with("3 of 201 groups"),
        "{}",
        text.text()
    );
    assert!(
        text.text().contains("counted in __other__"),
        "{}",
        text.text()
    );

    for more in ["", "Accept: application/openmetrics-text\r\n"] {
        let answer = request(address, "GET", "/metrics", more);
        let series: BTreeSet<&str> = answer
            .text()
            .lines()
            .filter(|line| line.starts_with("map_entries{"))
            .collect();
        assert_eq!(series.len(), MAX_GROUPS + 1);
        let other = format!("map_entries{{map=\"{OTHER}\"}} {BEYOND}");
        assert!(series.contains(other.as_str()), "{series:?}");
        let overflowed = answer
            .text()
            .lines()
            .find_map(|line| line.strip_prefix("map_groups_overflowed_total "));
        let overflowed: f64 = overflowed.unwrap().parse().unwrap();
        assert!(overflowed >= BEYOND as f64);
    }
    drop((maps, agent));
}
