//! Every format of a live process, each read by a reader of its own, and every
//! filter against what `go tool pprof` makes of the same.

mod common;
#[path = "../../heaplens-profile/tests/common/tool.rs"]
mod tool;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Read as _;
use std::net::SocketAddr;

use base64::Engine as _;
use common::{Response, agent, get, post, request};
use heaplens::TrackedHashMap;
use heaplens::profile::proto::Profile;
use prost::Message as _;
use serde_json::Value;
use sha2::Digest as _;
use tool::Folder;

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

const KINDS: [&str; 4] = [
    "alloc_objects",
    "alloc_space",
    "inuse_objects",
    "inuse_space",
];

const MIB: usize = 1 << 20;

/// Blocks so much longer than the interval are sampled for certain, and weigh
/// what they are.
const FIRST: usize = 48 * MIB;
const SECOND: usize = 32 * MIB;
const HELD: usize = 24 * MIB;

#[inline(never)]
fn hold_first() -> Vec<u8> {
    black_box(vec![1; FIRST])
}

#[inline(never)]
fn hold_second() -> Vec<u8> {
    black_box(vec![2; SECOND])
}

#[inline(never)]
fn hold_in_a_map(name: &'static str) -> TrackedHashMap<u8, Vec<u8>> {
    let mut map = TrackedHashMap::named(name);
    map.insert(1, black_box(vec![3; HELD]));
    map
}

/// What one test alone holds: its figures stand still.
mod compared {
    use super::{FIRST, HELD, SECOND, TrackedHashMap, black_box};

    #[inline(never)]
    pub(crate) fn first() -> Vec<u8> {
        black_box(vec![1; FIRST])
    }

    #[inline(never)]
    pub(crate) fn second() -> Vec<u8> {
        black_box(vec![2; SECOND])
    }

    #[inline(never)]
    pub(crate) fn in_a_map(name: &'static str) -> TrackedHashMap<u8, Vec<u8>> {
        let mut map = TrackedHashMap::named(name);
        map.insert(1, black_box(vec![3; HELD]));
        map
    }
}

/// What every test holds: other tests of this process may hold more of it.
struct Held {
    _first: Vec<u8>,
    _second: Vec<u8>,
}

fn hold() -> Held {
    Held {
        _first: hold_first(),
        _second: hold_second(),
    }
}

fn decode(gzip: &[u8]) -> Profile {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(gzip)
        .read_to_end(&mut bytes)
        .unwrap();
    Profile::decode(bytes.as_slice()).unwrap()
}

fn totals(profile: &Profile) -> [i64; 4] {
    let mut sums = [0; 4];
    for sample in &profile.sample {
        for (sum, value) in sums.iter_mut().zip(&sample.value) {
            *sum += value;
        }
    }
    sums
}

fn ok(address: SocketAddr, target: &str) -> Response {
    let answer = get(address, target);
    assert_eq!(
        answer.status,
        200,
        "{target}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    answer
}

/// What `pprof` leaves of a file with these options.
fn by_pprof(file: &[u8], options: &[&str]) -> [i64; 4] {
    totals(&decode(&Folder::new().filtered(file, options)))
}

fn folded(text: &str) -> Vec<(String, i64)> {
    let line = |line: &str| {
        let (stack, value) = line.rsplit_once(' ').unwrap();
        (stack.to_owned(), value.parse().unwrap())
    };
    text.lines().map(line).collect()
}

fn svg(text: &str) -> roxmltree::Document<'_> {
    let options = roxmltree::ParsingOptions {
        allow_dtd: true,
        ..roxmltree::ParsingOptions::default()
    };
    roxmltree::Document::parse_with_options(text, options).unwrap()
}

/// The width in units of the root of a flame graph.
fn root_width(text: &str) -> i64 {
    let document = svg(text);
    let mut titles = document.descendants().filter(|of| of.has_tag_name("title"));
    let root = titles.find_map(|of| of.text()?.strip_prefix("all (").map(str::to_owned));
    let root = root.unwrap();
    root.split(' ')
        .next()
        .unwrap()
        .replace(',', "")
        .parse()
        .unwrap()
}

/// What pprof makes of the values of a file by these options, against what each
/// format of ours tells with these parameters. All of blocks that no other test
/// of this process touches meanwhile.
fn assert_formats_agree(
    address: SocketAddr,
    query: &str,
    kinds: &[&str],
    (file, options): (&[u8], &[&str]),
) {
    let expected = by_pprof(file, options);
    assert!(expected[3] > 0, "{query}: nothing to compare");

    let answer = ok(address, &format!("/debug/heap?{query}"));
    assert_eq!(
        answer.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(totals(&decode(&answer.body)), expected, "{query}");

    for kind in kinds {
        let place = KINDS.iter().position(|of| of == kind).unwrap();
        let expected = expected[place];
        let answer = ok(
            address,
            &format!("/debug/heap?format=folded&type={kind}&{query}"),
        );
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        let sum: i64 = folded(answer.text()).iter().map(|of| of.1).sum();
        assert_eq!(sum, expected, "folded {kind} {query}");

        let answer = ok(
            address,
            &format!("/debug/heap?format=json&type={kind}&{query}"),
        );
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let document: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            document["totals"][*kind]["value"], expected,
            "json {kind} {query}"
        );
        let sites = document["sites"].as_array().unwrap();
        let value = |site: &Value| site["values"][*kind]["value"].as_i64().unwrap();
        assert_eq!(sites.iter().map(value).sum::<i64>(), expected);
        assert!(sites.is_sorted_by_key(|site| std::cmp::Reverse(value(site))));

        if expected > 0 {
            let target = format!("/debug/flamegraph?type={kind}&{query}");
            assert_eq!(
                root_width(ok(address, &target).text()),
                expected,
                "{target}"
            );
        }
    }
}

#[test]
fn every_format_and_filter_agrees_with_pprof() {
    let (agent, address) = agent();
    let held = (compared::first(), compared::second());
    let map = compared::in_a_map("formats-sessions");
    let file = ok(address, "/debug/heap").body;
    let in_map = "-tagfocus=map=^formats-sessions$";
    assert_formats_agree(
        address,
        "focus=compared::first",
        &KINDS[1..],
        (&file, &["-focus=compared::first"]),
    );
    for (query, options) in [
        (
            "focus=formats::compared&ignore=::second%7Cin_a_map",
            &["-focus=formats::compared", "-ignore=::second|in_a_map"][..],
        ),
        ("map=formats-sessions", &[in_map]),
        (
            "label=map:formats-sessions&focus=in_a_map%24",
            &[in_map, "-focus=in_a_map$"],
        ),
    ] {
        assert_formats_agree(address, query, &KINDS[3..], (&file, options));
    }
    // One stack, by the id that was given to it.
    let json = ok(address, "/debug/heap?format=json&focus=compared::first");
    let document: Value = serde_json::from_slice(&json.body).unwrap();
    let query = format!("site={}", document["sites"][0]["id"].as_str().unwrap());
    let options = &["-focus=compared::first"][..];
    assert_formats_agree(address, &query, &KINDS[3..], (&file, options));
    let nothing = ok(address, "/debug/heap?focus=no_such_function&format=folded");
    assert_eq!(nothing.text(), "");
    let empty = ok(address, "/debug/flamegraph?focus=no_such_function");
    assert!(
        svg(empty.text())
            .descendants()
            .any(|of| of.text() == Some("Nothing to draw."))
    );
    drop((held, map, agent));
}

#[test]
fn the_text_of_a_part_is_read_back_by_pprof() {
    let (agent, address) = agent();
    let held = hold();
    let text = ok(address, "/debug/heap?format=text&focus=formats::hold_first");
    assert!(text.text().contains("formats::hold_first"));
    assert!(!text.text().contains("formats::hold_second"));
    let [_, _, objects, bytes] = by_pprof(&text.body, &[]);
    let first = i64::try_from(FIRST).unwrap();
    assert_eq!((objects, bytes), (bytes / first, objects * first));
    assert!(objects > 0);
    drop((held, agent));
}

#[test]
fn the_type_that_is_asked_for_is_the_default() {
    let (agent, address) = agent();
    for kind in ["alloc_objects", "alloc_space", "inuse_objects"] {
        let profile = decode(&ok(address, &format!("/debug/heap?type={kind}")).body);
        let default = usize::try_from(profile.default_sample_type).unwrap();
        assert_eq!(profile.string_table[default], kind);
    }
    let profile = decode(&ok(address, "/debug/heap?type=inuse_space").body);
    assert_eq!(profile.default_sample_type, 0, "the last one is");
    drop(agent);
}

#[test]
fn json_names_the_place_in_source() {
    let (agent, address) = agent();
    let held = hold();
    let answer = ok(address, "/debug/heap?format=json&focus=formats::hold_first");
    let document: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["schema"], "heaplens.heap/1");
    let frames = document["sites"][0]["stack"].as_array().unwrap();
    let frame = frames
        .iter()
        .find(|of| {
            of["function"]
                .as_str()
                .is_some_and(|name| name.ends_with("formats::hold_first"))
        })
        .unwrap();
    assert!(
        frame["file"]
            .as_str()
            .unwrap()
            .ends_with("tests/formats.rs"),
        "{frame}"
    );
    let object = usize::try_from(frame["object"].as_u64().unwrap()).unwrap();
    let program = std::env::current_exe().unwrap();
    assert_eq!(
        document["objects"][object]["file"],
        program.to_str().unwrap()
    );
    let site = &document["sites"][0]["values"]["inuse_space"];
    // Nothing about so long a block is left to chance.
    let error = site["standard_error"].as_f64().unwrap();
    assert!(error < 1.0, "{site}");
    drop((held, agent));
}

#[test]
fn without_symbols_there_are_addresses_and_build_ids() {
    let (agent, address) = agent();
    let held = hold();
    let profile = decode(&ok(address, "/debug/heap?symbolize=none").body);
    assert!(profile.function.iter().all(|of| {
        // What stands for what is not known is no symbol.
        profile.string_table[usize::try_from(of.name).unwrap()].starts_with('[')
    }));
    assert!(totals(&profile)[3] >= i64::try_from(FIRST + SECOND).unwrap());
    assert!(
        profile
            .location
            .iter()
            .filter(|of| of.line.is_empty())
            .all(|of| of.address != 0)
    );
    let program = profile.mapping[0];
    let file = &profile.string_table[usize::try_from(program.filename).unwrap()];
    assert_eq!(file, std::env::current_exe().unwrap().to_str().unwrap());
    assert!(program.build_id != 0 && !program.has_functions);
    for format in ["folded", "json", "svg"] {
        let target = format!("/debug/heap?symbolize=none&format={format}");
        let answer = ok(address, &target);
        assert!(
            answer.text().contains("0x") && !answer.text().contains("hold_first"),
            "{target}"
        );
    }
    drop((held, agent));
}

#[test]
fn only_what_is_old_enough() {
    let (agent, address) = agent();
    let held = hold();
    let sum = |older: &str| -> i64 {
        let target = format!("/debug/heap?format=folded&focus=formats::hold&older={older}");
        folded(ok(address, &target).text())
            .iter()
            .map(|of| of.1)
            .sum()
    };
    assert!(sum("0s") >= i64::try_from(FIRST + SECOND).unwrap());
    assert_eq!(sum("30d"), 0);
    drop((held, agent));
}

#[test]
fn a_window_in_every_format() {
    let (agent, address) = agent();
    let held = hold();
    let targets = [
        "/debug/heap?seconds=1&focus=formats::hold_first&format=json",
        "/debug/heap?seconds=1&focus=formats::hold_first&format=folded&inuse=last",
        "/debug/flamegraph?seconds=1&focus=formats::hold_first",
        "/debug/flamegraph?seconds=1&focus=formats::hold_first&base=window",
        "/debug/heap?seconds=1&map=window-sessions",
    ];
    let map = hold_in_a_map("window-sessions");
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let requests: Vec<_> = targets
            .iter()
            .map(|target| scope.spawn(|| ok(address, target)))
            .collect();
        requests.into_iter().map(|of| of.join().unwrap()).collect()
    });
    let [json, last, grown, compared, of_map] = &answers[..] else {
        panic!("five")
    };
    let document: Value = serde_json::from_slice(&json.body).unwrap();
    assert!(document["duration_seconds"].as_f64().unwrap() >= 1.0);
    let in_use: i64 = folded(last.text()).iter().map(|of| of.1).sum();
    assert!(
        in_use >= i64::try_from(FIRST).unwrap(),
        "as it was last: {in_use}"
    );
    assert!(grown.text().contains("inuse_space: "), "{}", grown.text());
    assert!(root_width(compared.text()) >= i64::try_from(FIRST).unwrap());
    assert!(compared.text().contains("than in the base, "));
    assert!(decode(&of_map.body).duration_nanos >= 1_000_000_000);
    drop((held, map, agent));
}

#[inline(never)]
fn hold_after_the_base() -> Vec<u8> {
    black_box(vec![4; 16 * MIB])
}

#[test]
fn what_grew_since_an_uploaded_base_is_red() {
    let (agent, address) = agent();
    let held = hold();
    let base = ok(address, "/debug/heap").body;
    let more = hold_after_the_base();
    let target = "/debug/flamegraph?focus=formats::hold_after_the_base&inverted=1&x=0&y=0&s=a";
    let answer = post(address, target, &base);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(root_width(answer.text()), 16 << 20);
    assert!(answer.text().contains("16.0 MiB more than in the base, "));
    // The bytes are in what it calls: the widest leaf is red.
    let document = svg(answer.text());
    let fills = document.descendants().filter_map(|of| of.attribute("fill"));
    let reds = fills
        .filter(|fill| fill.starts_with("rgb(255,100,100)"))
        .count();
    assert_eq!(reds, 1, "{}", answer.text());
    drop((held, more, agent));
}

#[test]
fn bases_that_cannot_be_used() {
    let (agent, address) = agent();
    let base = ok(address, "/debug/heap").body;
    let mut other_types = decode(&base);
    for of in &mut other_types.sample_type {
        of.r#type = of.unit;
    }
    let half = base[..base.len() / 2].to_vec();
    for (target, body, status, part) in [
        (
            "/debug/flamegraph",
            b"no profile".to_vec(),
            400,
            "the body is not a pprof file to compare with: it is no profile.proto",
        ),
        ("/debug/flamegraph", Vec::new(), 400, "it is empty"),
        ("/debug/flamegraph", half, 400, "it cannot be unpacked"),
        (
            "/debug/flamegraph",
            other_types.encode_to_vec(),
            400,
            "the base has no type inuse_space: it has count, bytes",
        ),
        (
            "/debug/flamegraph?map=no-such-map",
            base,
            404,
            "there is no map named",
        ),
    ] {
        let answer = post(address, target, &body);
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        assert!(answer.text().contains(part), "{target}: {}", answer.text());
        assert_eq!(answer.header("x-go-pprof"), Some("1"));
    }
    // Refused before the body is sent.
    for (target, length, status, part) in [
        ("/debug/flamegraph", 17 << 20, 413, "longer than 16 MiB"),
        (
            "/debug/flamegraph?seconds=1",
            9,
            400,
            "the body is the base already",
        ),
    ] {
        let length = format!("Content-Length: {length}\r\n");
        let answer = request(address, "POST", target, &length);
        assert_eq!(answer.status, status, "{target}: {}", answer.text());
        assert!(answer.text().contains(part), "{target}: {}", answer.text());
    }
    let foreign = "Sec-Fetch-Site: cross-site\r\nContent-Length: 0\r\n";
    let answer = request(address, "POST", "/debug/flamegraph", foreign);
    assert_eq!(answer.status, 403, "{answer:?}");
    let answer = request(address, "PUT", "/debug/flamegraph", "Content-Length: 0\r\n");
    assert_eq!(
        (answer.status, answer.header("allow")),
        (405, Some("GET, HEAD, POST"))
    );
    drop(agent);
}

/// A browser runs the document's own two scripts, whose hashes the policy has,
/// and nothing that a name could smuggle in.
#[test]
fn a_flame_graph_may_run_its_own_scripts_only() {
    let (agent, address) = agent();
    let held = hold();
    for target in [
        "/debug/flamegraph",
        "/debug/flamegraph?inverted=1",
        "/debug/heap?format=svg&type=alloc_space",
    ] {
        let answer = ok(address, target);
        assert_eq!(
            answer.header("content-type"),
            Some("image/svg+xml; charset=utf-8")
        );
        assert_eq!(
            answer.header("content-disposition"),
            None,
            "shown, not saved"
        );
        let policy = answer.header("content-security-policy").unwrap();
        let directives: BTreeMap<&str, &str> = policy
            .split("; ")
            .map(|of| of.split_once(' ').unwrap())
            .collect();
        let document = svg(answer.text());
        let scripts: Vec<_> = document
            .descendants()
            .filter(|of| of.tag_name().name() == "script")
            .collect();
        assert_eq!(scripts.len(), 1, "{target}");
        let script: String = scripts[0].children().filter_map(|of| of.text()).collect();
        let handler = document.root_element().attribute("onload").unwrap();
        let hashes = [script.as_str(), handler]
            .map(|text| {
                base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(text))
            })
            .map(|hash| format!("'sha256-{hash}'"))
            .join(" ");
        assert_eq!(
            directives["script-src"],
            format!("'unsafe-hashes' {hashes}"),
            "{target}"
        );
        assert_eq!(directives["default-src"], "'none'");
        assert_eq!(directives["frame-ancestors"], "'none'");
    }
    drop((held, agent));
}

#[test]
fn what_is_not_known_or_contradicts_itself_is_refused() {
    let (agent, address) = agent();
    for (target, part) in [
        (
            "/debug/heap?fokus=a",
            "unknown parameter \"fokus\"; known are format, debug, type, focus,",
        ),
        (
            "/debug/heap?format=yaml",
            "must be pprof, text, folded, json, sites, tree or svg",
        ),
        (
            "/debug/heap?focus=(",
            "invalid value \"(\" for \"focus\" - ",
        ),
        (
            "/debug/heap?older=10",
            "must be a duration such as 90s, 10m or 1h30m",
        ),
        ("/debug/heap?older=10m&seconds=1", "incompatible"),
        ("/debug/flamegraph?base=window", "give seconds=N too"),
        (
            "/debug/flamegraph?format=svg",
            "unknown parameter \"format\"",
        ),
    ] {
        let answer = get(address, target);
        assert_eq!(answer.status, 400, "{target}: {}", answer.text());
        assert!(answer.text().contains(part), "{target}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
    }
    let answer = get(address, "/debug/heap?map=no-such-map&format=json");
    assert_eq!(answer.status, 404, "{answer:?}");
    drop(agent);
}
