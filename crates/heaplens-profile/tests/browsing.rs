//! Profiles for the page: by source line, and as a compact tree.

mod common;

use std::collections::BTreeMap;

use common::named::{self, Row};
use common::{IN_LIBC, IN_MAIN, MAPS, captured, snapshot, tally};
use heaplens_alloc::Site;
use heaplens_profile::{Mappings, Profile, sites, tree};
use proptest::prelude::*;
use serde_json::Value;

const ROWS: &[Row<'_>] = &[
    (
        &["main", "svc::b", "alloc::vec::push"],
        None,
        [1, 10, 1, 10],
    ),
    (&["main", "svc::b"], Some(("map", "m")), [0, 0, 2, 30]),
    (&["main", "svc::a", "svc::b"], None, [3, 300, 0, 0]),
    (&["main", "svc::a"], None, [5, 500, 4, 400]),
    (&["main", "<script>\u{0}"], None, [1, 7, 1, 7]),
];

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn lines_of_own_code_take_what_libraries_allocate_for_them() {
    let document = json(&sites::render(&named::profile(ROWS), 3));
    assert_eq!(document["schema"], sites::SCHEMA);
    assert_eq!(document["sorted_by"], "inuse_space");
    assert_eq!(document["totals"]["inuse_space"]["value"], 447);
    let sites = document["sites"].as_array().expect("a list");
    let told: Vec<_> = sites
        .iter()
        .map(|of| {
            let value = &of["values"]["inuse_space"];
            (
                of["function"].as_str().expect("a name"),
                value["value"].as_i64().expect("a number"),
                of["own"].as_bool().expect("a flag"),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("svc::a", 400, true),
            ("svc::b", 40, true),
            ("<script>\u{0}", 7, false),
        ]
    );
    assert_eq!(sites[1]["line"], 7);
    assert_eq!(sites[1]["labels"][0]["value"], "m");
    assert_eq!(sites[1]["labels"][0]["share"], 0.75);
    assert_eq!(sites[1]["values"]["alloc_space"]["value"], 310);
    assert_eq!(
        sites[1]["values"]["inuse_space"]["standard_error"],
        Value::Null
    );
}

#[test]
fn errors_of_a_line_add_up_as_variances() {
    let site = |number| Site::new(0, number, tally(100_000, 3), tally(100_000, 2));
    let of_two = snapshot(
        vec![captured(&[IN_LIBC, IN_MAIN])],
        vec![site(64), site(128)],
    );
    let profile = Profile::new(&of_two, &Mappings::parse(MAPS), None);
    let document = json(&sites::render(&profile, 3));
    let of_all = &document["totals"]["inuse_space"];
    let error = profile.total_error(3).expect("known").round();
    assert_eq!(of_all["standard_error"], error);
    let site = &document["sites"][0];
    assert_eq!(&site["values"]["inuse_space"], of_all);
    assert_eq!(site["samples"]["inuse"], 4);
    assert_eq!(site["function"], Value::Null, "no name is known");
    let document = json(&tree::render(&profile, 3));
    assert_eq!(document["samples"]["errors"][3][0].as_f64(), {
        let one = profile.samples[0].variances.expect("known");
        Some(one.inuse_space.sqrt().round())
    });
    let strings = document["strings"].as_array().expect("a list");
    assert!(strings.contains(&"svc+0x3ffff".into()), "{strings:?}");
}

fn numbers(of: &Value) -> Vec<i64> {
    let list = of.as_array().expect("a list").iter();
    list.map(|of| of.as_i64().expect("a number")).collect()
}

/// Values of a type by the names of the whole stack, as the tree has them.
fn stacks(document: &Value, column: usize) -> BTreeMap<Vec<String>, i64> {
    let strings = document["strings"].as_array().expect("a list");
    let functions = numbers(&document["frames"]["function"]);
    let parents = numbers(&document["nodes"]["parent"]);
    let frames = numbers(&document["nodes"]["frame"]);
    let mut found = BTreeMap::new();
    let leaves = numbers(&document["samples"]["node"]);
    let values = numbers(&document["samples"]["values"][column]);
    for (leaf, value) in leaves.into_iter().zip(values) {
        let mut names = Vec::new();
        let mut at = leaf;
        while at >= 0 {
            let node = usize::try_from(at).expect("positive");
            let frame = usize::try_from(frames[node]).expect("positive");
            let name = usize::try_from(functions[frame]).expect("positive");
            names.insert(0, strings[name].as_str().expect("text").to_owned());
            assert!(parents[node] < at, "parents stand before their children");
            at = parents[node];
        }
        *found.entry(names).or_insert(0) += value;
    }
    found
}

#[test]
fn own_frames_and_labels_are_told() {
    let document = json(&tree::render(&named::profile(ROWS), 3));
    assert_eq!(document["schema"], tree::SCHEMA);
    assert_eq!(document["left_out"], 0);
    let labels = document["labels"].as_array().expect("a list");
    assert!(labels.contains(&serde_json::json!([["map", "m"]])));
    let strings = document["strings"].as_array().expect("a list");
    let own = numbers(&document["frames"]["own"]);
    for (frame, name) in numbers(&document["frames"]["function"]).iter().enumerate() {
        let name = strings[usize::try_from(*name).expect("positive")].as_str();
        let is_own = name.is_some_and(|name| name.starts_with("svc::"));
        assert_eq!(own[frame] == 1, is_own, "{name:?}");
    }
}

fn some_rows() -> impl Strategy<Value = Vec<(Vec<usize>, i64)>> {
    let stack = prop::collection::vec(0..4usize, 1..6);
    prop::collection::vec((stack, -50..1000i64), 0..30)
}

proptest! {
    /// Each stack of the profile is in the tree with its value, under its own names,
    /// and nothing else is.
    #[test]
    fn the_tree_is_the_profile(rows in some_rows()) {
        const NAMES: [&str; 4] = ["a", "svc::b", "\"b\"", "a;b"];
        let named: Vec<Vec<&str>> = rows.iter().map(|of| of.0.iter().map(|&at| NAMES[at]).collect()).collect();
        let rows: Vec<Row<'_>> = rows.iter().zip(&named).map(|(of, stack)| (stack.as_slice(), None, [0, 0, 0, of.1])).collect();
        let profile = named::profile(&rows);
        let document = json(&tree::render(&profile, 3));
        let mut expected: BTreeMap<Vec<String>, i64> = BTreeMap::new();
        for (stack, _, values) in &rows {
            let names = stack.iter().map(|&name| name.to_owned()).collect();
            *expected.entry(names).or_insert(0) += values[3];
        }
        prop_assert_eq!(stacks(&document, 3), expected);
        let by_line = json(&sites::render(&profile, 3));
        let sums = by_line["sites"].as_array().expect("a list").iter();
        let sum: i64 = sums.map(|of| of["values"]["inuse_space"]["value"].as_i64().expect("a number")).sum();
        prop_assert_eq!(i128::from(sum), profile.total(3));
    }
}
