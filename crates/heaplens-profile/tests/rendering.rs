//! Folded stacks, JSON and flame graphs.

mod common;

use common::named::{self, Row};
use common::{IN_LIBC, IN_MAIN, MAPS, captured, snapshot, tally};
use heaplens_alloc::Site;
use heaplens_profile::flamegraph::{self, Options};
use heaplens_profile::{Mappings, Profile, diff, folded, json};
use proptest::prelude::*;
use serde_json::Value;

const HOSTILE: &str = "<script>alert(\"&'1\")</script>]]>\u{0}\u{1b}\u{ffff};x 12";

const ROWS: &[Row<'_>] = &[
    (&["main", "svc::b"], None, [1, 10, 1, 10]),
    (&["main", "svc::b"], Some(("map", "m")), [0, 0, 2, 20]),
    (
        &["main", "svc::a", "<[u8; 2] as A>::f"],
        None,
        [3, 300, 0, 0],
    ),
    (&["main", "svc::a"], None, [5, 500, 4, 400]),
    (&["main", HOSTILE], None, [1, 7, 1, 7]),
];

fn svg_of(svg: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    roxmltree::Document::parse_with_options(svg, options).expect("well-formed XML")
}

/// Name, and value before the unit, of each frame.
fn frames(svg: &str) -> Vec<(String, u64)> {
    let document = svg_of(svg);
    let titles = document.descendants().filter(|of| of.has_tag_name("title"));
    let mut frames: Vec<(String, u64)> = titles
        .filter_map(|of| of.text())
        .map(|text| {
            let (name, rest) = text.rsplit_once(" (").expect("a value");
            let value = rest.split(' ').next().expect("a value").replace(',', "");
            (name.to_owned(), value.parse().expect("a number"))
        })
        .collect();
    frames.sort();
    frames
}

#[test]
fn folded_stacks_are_merged_sorted_and_safe() {
    assert_eq!(
        folded::render(&named::profile(ROWS), 3),
        "main;<script>alert(\"&'1\")</script>]]>\u{fffd}\u{fffd}\u{fffd}:x_12 7\n\
         main;svc::a 400\n\
         main;svc::b 30\n"
    );
    assert_eq!(
        folded::render(&named::profile(&ROWS[..4]), 1),
        "main;svc::a 500\nmain;svc::a;<[u8: 2] as A>::f 300\nmain;svc::b 10\n"
    );
    assert_eq!(folded::render(&named::profile(ROWS), 9), "");
    assert_eq!(folded::render(&named::profile(&[]), 3), "");
}

#[test]
fn without_names_a_frame_is_its_place_in_the_file() {
    let snapshot = snapshot(
        vec![captured(&[IN_LIBC, IN_MAIN])],
        vec![Site::new(0, 64, tally(524_288, 1), tally(524_288, 1))],
    );
    let profile = Profile::new(&snapshot, &Mappings::parse(MAPS), None);
    assert_eq!(
        folded::render(&profile, 2),
        "svc+0x3ffff;libc.so.6+0x2ffff 2\n"
    );
}

fn some_rows() -> impl Strategy<Value = Vec<(Vec<usize>, i64)>> {
    let stack = prop::collection::vec(0..4usize, 1..6);
    prop::collection::vec((stack, -50..1000i64), 0..30)
}

proptest! {
    /// Whatever the stacks are, all lines add up, and so do all frames of a
    /// flame graph: each is as wide as the lines that go through it.
    #[test]
    fn sums_are_kept(rows in some_rows()) {
        const NAMES: [&str; 4] = ["a", "a b", "b", "a:b"];
        let stacks: Vec<Vec<&str>> = rows.iter().map(|of| of.0.iter().map(|&at| NAMES[at]).collect()).collect();
        let rows: Vec<Row<'_>> = rows.iter().zip(&stacks).map(|(of, stack)| (stack.as_slice(), None, [0, 0, 0, of.1])).collect();
        let profile = named::profile(&rows);
        let folded = folded::render(&profile, 3);
        let lines: Vec<(&str, i128)> = folded
            .lines()
            .map(|line| line.rsplit_once(' ').expect("a value"))
            .map(|(stack, value)| (stack, value.parse().expect("a number")))
            .collect();
        prop_assert_eq!(lines.iter().map(|of| of.1).sum::<i128>(), profile.total(3));
        prop_assert!(lines.is_sorted_by(|a, b| a.0.split(';').lt(b.0.split(';'))));

        let mut expected = std::collections::BTreeMap::new();
        for (stack, value) in lines.iter().filter(|of| of.1 > 0) {
            let value = u64::try_from(*value).expect("positive");
            *expected.entry(String::new()).or_insert(0) += value;
            for end in stack.match_indices(';').map(|of| of.0).chain([stack.len()]) {
                *expected.entry(stack[..end].to_owned()).or_insert(0) += value;
            }
        }
        let last = |path: String| match path.rsplit(';').next() {
            Some("") | None => "all".to_owned(),
            Some(name) => name.to_owned(),
        };
        let mut expected: Vec<(String, u64)> = expected.into_iter().map(|of| (last(of.0), of.1)).collect();
        expected.sort();
        for (inverted, reversed) in [(false, false), (true, false)] {
            let options = Options::new().inverted(inverted).reversed(reversed);
            prop_assert_eq!(frames(&flamegraph::render(&profile, 3, &options)), expected.clone());
        }
        let reversed = flamegraph::render(&profile, 3, &Options::new().reversed(true));
        let all = |frames: Vec<(String, u64)>| frames.into_iter().find(|of| of.0 == "all").map(|of| of.1);
        prop_assert_eq!(all(frames(&reversed)), all(expected));
    }
}

#[test]
fn hostile_names_stay_text() {
    let profile = named::profile(ROWS);
    let options = Options::new().title(HOSTILE).note(HOSTILE);
    let mut shown = vec![
        flamegraph::render(&profile, 3, &options),
        flamegraph::render(&profile, 3, &options.clone().inverted(true).reversed(true)),
        flamegraph::difference((&profile, 3), (&profile, 3), &options),
        flamegraph::render(&named::profile(&[]), 3, &options),
    ];
    for svg in &shown {
        let document = svg_of(svg);
        let elements = |name: &str| {
            let all = document.descendants().filter(roxmltree::Node::is_element);
            all.filter(|of| of.tag_name().name() == name).count()
        };
        assert!(elements("script") <= 1, "{svg}");
        assert_eq!(svg.matches("<script").count(), elements("script"));
        let attributes = document.descendants().flat_map(|of| of.attributes());
        let handlers = attributes.filter(|of| of.name().starts_with("on")).count();
        assert!(handlers <= 1);
        assert!(svg.contains("&lt;script&gt;alert("));
    }
    let svg = shown.swap_remove(0);
    let names = frames(&svg);
    assert!(
        names
            .iter()
            .any(|of| of.0.starts_with("<script>alert(\"&'1\")</script>]]>")),
        "{names:?}"
    );
}

#[test]
fn the_caption_tells_moment_type_total_and_error() {
    let mut site = tally(524_288, 4);
    site.objects_variance = 9.0;
    let snapshot = snapshot(
        vec![captured(&[IN_MAIN])],
        vec![Site::new(0, 64, site, site)],
    );
    let profile = Profile::new(&snapshot, &Mappings::parse(MAPS), None);
    let svg = flamegraph::render(&profile, 2, &Options::new().title("svc").note("focus=x"));
    let subtitle = "inuse_objects: 6 ± 3 (standard error), 2026-11-22T20:29:00Z; focus=x";
    assert!(svg.contains(subtitle), "{svg}");
    let svg = flamegraph::render(&profile, 3, &Options::new());
    assert!(svg.contains("inuse_space: 3.2 MiB ± "), "{svg}");
    assert!(svg.contains(" bytes, 100%)"), "{svg}");
}

/// Colour of the frame of this name.
fn colour(svg: &str, name: &str) -> [u32; 3] {
    let document = svg_of(svg);
    let group = document
        .descendants()
        .filter(|of| of.has_tag_name((("http://www.w3.org/2000/svg"), "g")))
        .find(|of| {
            of.descendants().any(|of| {
                of.text()
                    .is_some_and(|text| text.starts_with(&format!("{name} (")))
            })
        })
        .unwrap_or_else(|| panic!("{name} in {svg}"));
    let fill = group
        .descendants()
        .find_map(|of| of.attribute("fill"))
        .expect("a colour");
    let numbers = fill
        .trim_start_matches("rgb(")
        .trim_end_matches(')')
        .split(',');
    let numbers: Vec<u32> = numbers.map(|of| of.parse().expect("a number")).collect();
    numbers.try_into().expect("three")
}

#[test]
fn differences_are_red_where_it_grew_and_blue_where_it_shrank() {
    let base = named::profile(&[
        (&["main", "grown"], None, [0, 0, 0, 100]),
        (&["main", "shrunk"], None, [0, 0, 0, 300]),
        (&["main", "same"], None, [0, 0, 0, 50]),
        (&["main", "gone"], None, [0, 0, 0, 2048]),
    ]);
    let later = named::profile(&[
        (&["main", "grown"], None, [0, 0, 0, 500]),
        (&["main", "shrunk"], None, [0, 0, 0, 100]),
        (&["main", "same"], None, [0, 0, 0, 50]),
        (&["main", "new"], None, [0, 0, 0, 10]),
    ]);
    let svg = flamegraph::difference((&base, 3), (&later, 3), &Options::new());
    let [red, green, blue] = colour(&svg, "grown");
    assert!(red > green && red > blue, "{red} {green} {blue}");
    let [red, green, blue] = colour(&svg, "new");
    assert!(red > green && red > blue, "{red} {green} {blue}");
    let [red, green, blue] = colour(&svg, "shrunk");
    assert!(blue > red && blue > green, "{red} {green} {blue}");
    let [red, green, blue] = colour(&svg, "same");
    assert!(red == green && green == blue, "{red} {green} {blue}");
    assert!(svg.contains("inuse_space: 660 bytes, "), "{svg}");
    assert!(
        svg.contains(
            "; 1.8 KiB less than in the base, 2026-11-22T20:29:00Z; gone and not drawn: 2.0 KiB"
        ),
        "{svg}"
    );

    // The same as a difference of profiles: what grew alone.
    let delta = later
        .since(&base, diff::Inuse::Change)
        .expect("the same types");
    let svg = flamegraph::render(&delta, 3, &Options::new());
    let expected = [("all", 410), ("grown", 400), ("main", 410), ("new", 10)];
    assert_eq!(
        frames(&svg),
        expected.map(|(name, value)| (name.to_owned(), value))
    );
    assert!(svg.contains("; negative and not drawn: -2.2 KiB"), "{svg}");
}

#[test]
fn scripts_are_what_the_document_runs() {
    let svg = flamegraph::render(&named::profile(ROWS), 3, &Options::new());
    let scripts = flamegraph::scripts(&svg);
    let document = svg_of(&svg);
    let element = document
        .descendants()
        .find(|of| of.tag_name().name() == "script")
        .expect("a script");
    let text: String = element.children().filter_map(|of| of.text()).collect();
    let handler = document
        .root_element()
        .attribute("onload")
        .expect("a handler");
    assert_eq!(scripts, [text.as_str(), handler]);
    assert!(
        flamegraph::scripts(&flamegraph::render(
            &named::profile(&[]),
            3,
            &Options::new()
        ))
        .is_empty()
    );
}

#[test]
fn large_profiles_are_drawn_in_bounds() {
    let names: Vec<String> = (0..500)
        .map(|at| format!("svc::module_{at}::function<alloc::vec::Vec<u8>>"))
        .collect();
    let stacks: Vec<Vec<&str>> = (0..10_000usize)
        .map(|at| {
            (0..30)
                .map(|depth| names[(at / (1 << (30 - depth).min(12)) + depth * 7) % 500].as_str())
                .collect()
        })
        .collect();
    let rows: Vec<Row<'_>> = stacks
        .iter()
        .enumerate()
        .map(|(at, stack)| (stack.as_slice(), None, [1, 1, 1, 1000 + at as i64]))
        .collect();
    let profile = named::profile(&rows);
    let svg = flamegraph::render(&profile, 3, &Options::new());
    let frames = frames(&svg);
    assert!(
        frames.len() <= flamegraph::MAX_FRAMES + 1,
        "{}",
        frames.len()
    );
    assert!(
        frames.len() > flamegraph::MAX_FRAMES / 2,
        "{}",
        frames.len()
    );
    let total = u64::try_from(profile.total(3)).expect("positive");
    assert!(frames.contains(&("all".to_owned(), total)));
    assert!(svg.contains(" narrow frames not drawn"));
}

#[test]
fn json_states_sites_with_errors_largest_first() {
    let snapshot = snapshot(
        vec![captured(&[IN_MAIN]), captured(&[IN_LIBC, IN_MAIN])],
        vec![
            Site::new(0, 1024, tally(1000, 3), tally(1000, 1)),
            Site::new(1, 0, tally(600_000, 2), tally(600_000, 2)).labelled(1),
        ],
    )
    .with_labels(vec![
        vec![],
        vec![("map".to_owned(), "ses\"sions".to_owned())],
    ]);
    let profile = Profile::new(&snapshot, &Mappings::parse(MAPS), None);
    let document: Value = serde_json::from_str(&json::render(&profile, 3)).expect("JSON");
    assert_eq!(document["schema"], json::SCHEMA);
    assert_eq!(document["time"], "2026-11-22T20:29:00Z");
    assert_eq!(document["duration_seconds"], Value::Null);
    assert_eq!(document["sample_interval_bytes"], 524_288);
    assert_eq!(document["sorted_by"], "inuse_space");
    let sites = document["sites"].as_array().expect("sites");
    assert_eq!(sites.len(), 2);
    let first = &sites[0];
    assert_eq!(first["labels"]["map"], "ses\"sions");
    assert_eq!(first["size_class_bytes"], Value::Null);
    assert_eq!(first["samples"]["inuse"], 2);
    assert_eq!(first["stack"][0]["address"], format!("{:#x}", IN_LIBC - 1));
    assert_eq!(first["stack"][0]["function"], Value::Null);
    let object =
        usize::try_from(first["stack"][0]["object"].as_u64().expect("an index")).expect("small");
    assert_eq!(
        document["objects"][object]["file"],
        "/usr/lib/x86_64-linux-gnu/libc.so.6"
    );
    for (site, sites_tally) in [(&sites[0], tally(600_000, 2)), (&sites[1], tally(1000, 1))] {
        let space = &site["values"]["inuse_space"];
        assert_eq!(
            space["value"].as_i64(),
            Some(sites_tally.bytes.round() as i64)
        );
        let error = space["standard_error"].as_f64().expect("a number");
        assert!((error - sites_tally.bytes_error()).abs() <= 0.05, "{error}");
    }
    let mut all = tally(600_000, 2);
    all.add(&tally(1000, 1));
    let error = document["totals"]["inuse_space"]["standard_error"]
        .as_f64()
        .expect("a number");
    assert!((error - all.bytes_error()).abs() <= 0.05, "{error}");

    // By another type the order is another.
    let document: Value = serde_json::from_str(&json::render(&profile, 0)).expect("JSON");
    assert_eq!(document["sorted_by"], "alloc_objects");
    assert_eq!(document["sites"][0]["size_class_bytes"], 1024);
}

#[test]
fn json_of_a_difference_has_no_errors_and_all_names_stay_whole() {
    let profile = named::profile(ROWS);
    let document: Value = serde_json::from_str(&json::render(&profile, 3)).expect("JSON");
    let sites = document["sites"].as_array().expect("sites");
    let sum: i64 = sites
        .iter()
        .map(|of| {
            of["values"]["inuse_space"]["value"]
                .as_i64()
                .expect("a number")
        })
        .sum();
    assert_eq!(i128::from(sum), profile.total(3));
    assert_eq!(
        sites[0]["values"]["inuse_space"]["standard_error"],
        Value::Null
    );
    assert_eq!(sites[0]["samples"], Value::Null);
    let names: Vec<&str> = sites
        .iter()
        .filter_map(|of| of["stack"][0]["function"].as_str())
        .collect();
    assert!(names.contains(&HOSTILE), "{names:?}");
    assert_eq!(sites[0]["stack"][0]["line"], 7);
    assert_eq!(sites[0]["stack"][0]["column"], Value::Null);
}
