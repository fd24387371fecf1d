//! Filters, with `pprof` as the judge of what passes.

mod common;

use common::named::{self, Row};
use common::tool::Folder;
use heaplens_profile::{DefaultType, Filter, Profile, pprof, proto};
use prost::Message;

const ROWS: &[Row<'_>] = &[
    (
        &["svc::main", "svc::cache::insert"],
        Some(("map", "sessions")),
        [9, 900, 5, 500],
    ),
    (&["svc::main", "svc::cache::insert"], None, [8, 800, 2, 200]),
    (
        &["svc::main", "svc::handle", "<Vec<u8> as Clone>::clone"],
        Some(("map", "sessions-2")),
        [4, 40, 4, 40],
    ),
    (
        &["svc::main", "tokio::run", "svc::handle"],
        Some(("tenant", "acme")),
        [3, 33, 3, 33],
    ),
    (&["std::rt::start"], None, [1, 1, 1, 1]),
    (&["svc::main"], None, [0, 0, 0, 0]),
];

fn filtered(filter: &Filter) -> Profile {
    let mut profile = named::profile(ROWS);
    filter.apply(&mut profile);
    profile
}

fn totals(profile: &Profile) -> [i128; 4] {
    [0, 1, 2, 3].map(|at| profile.total(at))
}

/// What `pprof` keeps of the same profile with these options.
fn totals_by_pprof(options: &[&str]) -> [i128; 4] {
    let file = named::message(ROWS).encode_to_vec();
    let bytes = Folder::new().filtered(&file, options);
    let mut message = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*bytes), &mut message)
        .expect("gzip");
    let message = proto::Profile::decode(&*message).expect("a profile");
    let mut sums = [0; 4];
    for sample in &message.sample {
        for (sum, value) in sums.iter_mut().zip(&sample.value) {
            *sum += i128::from(*value);
        }
    }
    sums
}

#[test]
fn names_pass_as_they_do_with_pprof() {
    for pattern in [
        "cache",
        "^svc::handle$",
        "svc::(handle|cache)",
        "<Vec<u8>",
        "(?i)TOKIO",
        "/src/std\\.rs",
        "bin/svc$",
        ".",
        "^$",
        "nosuch",
        "Clone>::clone$",
        "\\w+::run",
    ] {
        let focus = Filter::new().focus(pattern).expect("a pattern");
        let by_pprof = totals_by_pprof(&[&format!("-focus={pattern}")]);
        assert_eq!(totals(&filtered(&focus)), by_pprof, "focus={pattern}");
        let ignore = Filter::new().ignore(pattern).expect("a pattern");
        let by_pprof = totals_by_pprof(&[&format!("-ignore={pattern}")]);
        assert_eq!(totals(&filtered(&ignore)), by_pprof, "ignore={pattern}");
    }
    let both = Filter::new()
        .focus("handle")
        .and_then(|of| of.ignore("tokio"));
    let by_pprof = totals_by_pprof(&["-focus=handle", "-ignore=tokio"]);
    assert_eq!(totals(&filtered(&both.expect("patterns"))), by_pprof);
    assert_eq!(by_pprof, [4, 40, 4, 40]);
}

#[test]
fn labels_pass_as_they_do_with_pprof() {
    // pprof looks for an expression within the value, we compare the whole.
    for (key, value, option) in [
        ("map", "sessions", "-tagfocus=map=^sessions$"),
        ("map", "sessions-2", "-tagfocus=map=^sessions-2$"),
        ("tenant", "acme", "-tagfocus=tenant=^acme$"),
        ("tenant", "sessions", "-tagfocus=tenant=^sessions$"),
    ] {
        let filter = Filter::new().label(key, value);
        assert_eq!(
            totals(&filtered(&filter)),
            totals_by_pprof(&[option]),
            "{key}"
        );
    }
    let all = Filter::new()
        .label("map", "sessions")
        .label("tenant", "acme");
    assert_eq!(totals(&filtered(&all)), [0; 4]);
}

#[test]
fn what_is_left_out_leaves_nothing_behind() {
    let focus = Filter::new().focus("tokio").expect("a pattern");
    let profile = filtered(&focus);
    let names: Vec<&str> = profile
        .functions
        .iter()
        .map(|of| of.name.as_str())
        .collect();
    assert_eq!(names, ["svc::main", "svc::handle", "tokio::run"]);
    assert_eq!((profile.locations.len(), profile.samples.len()), (3, 1));
    assert_eq!(profile.mappings.len(), 1, "says which program it is");
    let read = pprof::decode(&pprof::encode(&profile, DefaultType::InuseSpace));
    assert_eq!(totals(&read.expect("a whole profile")), [3, 33, 3, 33]);

    let nothing = filtered(&Filter::new().focus("nosuch").expect("a pattern"));
    assert!(nothing.samples.is_empty() && nothing.locations.is_empty());
    assert_eq!(nothing.types.len(), 4);
    assert_eq!(filtered(&Filter::new()).samples.len(), ROWS.len());
}

#[test]
fn patterns_that_cannot_be_used() {
    for (pattern, part) in [
        ("(", "without closing"),
        ("a{1000}{1000}", "size"),
        (&"x".repeat(2000), "2000 bytes, at most 1024"),
        ("[z-a]\n", "range"),
    ] {
        let fault = Filter::new().focus(pattern).expect_err(pattern).to_string();
        assert!(fault.contains(part), "{fault}");
        assert!(!fault.contains('\n'), "{fault}");
    }
}
