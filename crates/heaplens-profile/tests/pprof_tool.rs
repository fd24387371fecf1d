//! What `pprof` itself makes of our bytes.
//!
//! `HEAPLENS_PPROF` names the program: `scripts/test` builds it and sets it.

mod common;

use common::tool::Folder;
use common::{INTERVAL, captured, snapshot, tally};
use heaplens_alloc::{Site, Snapshot, Stack, StackKind, Tally};
use heaplens_profile::{DefaultType, Mappings, Profile, Symbolizer, pprof, text};

struct Keeper<T>(Vec<T>);

impl<T> Keeper<T> {
    #[inline(never)]
    fn keep(&mut self, value: T) {
        std::hint::black_box(&mut self.0).push(value);
    }
}

#[inline(never)]
fn outer() -> usize {
    let mut keeper = Keeper(Vec::new());
    keeper.keep(String::new());
    keeper.0.len()
}

/// Stacks of functions of this binary, with one of each special kind.
fn some_snapshot() -> Snapshot {
    assert_eq!(outer(), 1);
    let keep = Keeper::<String>::keep as fn(&mut Keeper<String>, String) as *const () as u64;
    let outer = outer as *const () as u64;
    let test = some_snapshot as *const () as u64;
    let mut cut = captured(&[outer + 5, test + 5]);
    cut.kind = StackKind::Truncated;
    snapshot(
        vec![
            captured(&[keep + 5, outer + 5, test + 5]),
            cut,
            Stack::new(vec![], StackKind::Unknown),
            captured(&[0x1234, test + 5]),
        ],
        vec![
            Site::new(0, 1024, tally(1024, 40), tally(1024, 30)),
            Site::new(0, 32_768, tally(30_000, 9), tally(30_000, 4)),
            Site::new(1, 524_288, tally(524_288, 3), Tally::default()),
            Site::new(2, 64, tally(64, 2), tally(64, 1)),
            Site::new(3, 0, tally(48, 2), tally(48, 2)),
        ],
    )
}

fn some_profile() -> Profile {
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    Profile::new(&some_snapshot(), &mappings, Some(&mut Symbolizer::new()))
}

fn heap(profile: &Profile) -> Vec<u8> {
    pprof::encode(profile, DefaultType::InuseSpace)
}

/// The lines of `pprof -raw` between two headings.
fn section<'a>(raw: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    raw.lines()
        .skip_while(|line| *line != from)
        .skip(1)
        .take_while(|line| *line != to)
        .collect()
}

#[test]
fn raw_shows_types_values_labels_and_comments() {
    let profile = some_profile();
    let folder = Folder::new();
    let raw = folder.report(&["-raw"], &[&folder.file("heap", &heap(&profile))]);
    assert!(raw.contains("PeriodType: space bytes\nPeriod: 524288\nTime: 2026-11-22 20:29:00.25"));
    assert!(!raw.contains("Duration:"));
    for comment in &profile.comments {
        assert!(raw.contains(&format!("Comment: {comment}\n")), "{comment}");
    }
    let mut lines = section(&raw, "Samples:", "Locations").into_iter();
    assert_eq!(
        lines.next(),
        Some("alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes")
    );
    for sample in &profile.samples {
        let (values, ids) = lines
            .next()
            .and_then(|line| line.split_once(':'))
            .expect("a sample");
        let values: Vec<i64> = values
            .split_whitespace()
            .map(|of| of.parse().expect("a value"))
            .collect();
        assert_eq!(values, sample.values);
        let ids: Vec<usize> = ids
            .split_whitespace()
            .map(|of| of.parse().expect("an id"))
            .collect();
        assert_eq!(
            ids,
            sample.locations.iter().map(|at| at + 1).collect::<Vec<_>>()
        );
        if sample.size_class > 0 {
            let label = format!("bytes:[{} bytes]", sample.size_class);
            assert_eq!(lines.next().map(str::trim), Some(&*label));
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn raw_shows_mappings_and_locations() {
    let profile = some_profile();
    let folder = Folder::new();
    let raw = folder.report(&["-raw"], &[&folder.file("heap", &heap(&profile))]);
    let mappings: Vec<&str> = raw
        .lines()
        .skip_while(|line| *line != "Mappings")
        .skip(1)
        .collect();
    assert_eq!(mappings.len(), profile.mappings.len());
    for (id, (line, of)) in (1..).zip(mappings.iter().zip(&profile.mappings)) {
        let mapping = &of.mapping;
        let expected = format!(
            "{id}: {:#x}/{:#x}/{:#x} {} {}",
            mapping.start,
            mapping.limit,
            mapping.offset,
            mapping.path,
            mapping.build_id.as_deref().unwrap_or_default()
        );
        assert!(line.starts_with(&expected), "{line} is not {expected}");
        assert_eq!(line.contains("[FN]"), of.has_functions, "{line}");
        assert_eq!(line.contains("[LN]"), of.has_line_numbers, "{line}");
    }
    let exe = std::env::current_exe().expect("a path");
    assert_eq!(profile.mappings[0].mapping.path, exe.to_string_lossy());
    assert!(profile.mappings[0].has_functions && profile.mappings[0].has_line_numbers);

    for location in &profile.locations {
        for line in &location.lines {
            let function = &profile.functions[line.function];
            // Name, file, line, column and the raw symbol, as `-raw` has them.
            let place = format!(
                "{} {}:{}:{} s=0",
                function.name, function.file, line.line, line.column
            );
            assert!(raw.contains(&place), "{place}");
        }
    }
}

#[test]
fn top_names_functions_with_their_generics() {
    let profile = some_profile();
    let folder = Folder::new();
    let file = folder.file("heap", &heap(&profile));
    let top = folder.report(&["-top", "-cum", "-unit=B"], &[&file]);
    let exe = std::env::current_exe().expect("a path");
    let name = exe.file_name().expect("a name").to_string_lossy();
    assert!(top.contains(&format!("File: {name}\n")), "{top}");
    assert!(top.contains("Type: inuse_space\n"), "{top}");
    let row = |function: &str| -> Vec<String> {
        let line = top.lines().find(|line| line.ends_with(function));
        let line = line.unwrap_or_else(|| panic!("{function} is not in {top}"));
        line.split_whitespace().map(str::to_owned).collect()
    };
    let of_keeper: i64 = profile.samples[..2].iter().map(|of| of.values[3]).sum();
    let keeper = row("pprof_tool::Keeper<T>::keep");
    assert_eq!(keeper[0], format!("{of_keeper}B"), "flat: {keeper:?}");
    let outer = row("pprof_tool::outer");
    assert_eq!(
        (&*outer[0], &outer[3]),
        ("0", &keeper[0]),
        "flat and cumulative"
    );
    let unknown = row("[unknown stack]");
    assert_eq!(unknown[0], format!("{}B", profile.samples[3].values[3]));

    let allocs = folder.file("allocs", &pprof::encode(&profile, DefaultType::AllocSpace));
    let top = folder.report(&["-top"], &[&allocs]);
    assert!(top.contains("Type: alloc_space\n"), "{top}");
    assert!(top.contains("[truncated]"), "{top}");
}

#[test]
fn tags_focus_on_sizes() {
    let profile = some_profile();
    let folder = Folder::new();
    let file = folder.file("heap", &heap(&profile));
    let tags = folder.report(&["-tags", "-sample_index=alloc_objects"], &[&file]);
    assert!(tags.contains("bytes: Total"), "{tags}");
    for size in ["64B", "1kB", "32kB", "512kB"] {
        assert!(
            tags.lines().any(|line| line.trim_end().ends_with(size)),
            "{tags}"
        );
    }
    let top = folder.report(&["-top", "-unit=B", "-tagfocus=16kb:64kb"], &[&file]);
    let large = profile.samples[1].values[3];
    assert!(top.contains(&format!("accounting for {large}B")), "{top}");
}

/// As [`some_profile`], of which maps hold a part.
fn held_profile() -> Profile {
    let mut snapshot = some_snapshot();
    // Of the 30 and 4 in use of the first two sites.
    for (site, count, labels) in [(0, 11, 1), (0, 7, 2), (1, 3, 1)] {
        let size = [1024, 30_000][site];
        let (stack, class) = (snapshot.sites[site].stack, snapshot.sites[site].size_class);
        let left = snapshot.sites[site].inuse.samples - count;
        snapshot.sites[site].inuse = tally(size, left);
        let row = Site::new(stack, class, Tally::default(), tally(size, count));
        snapshot.sites.push(row.labelled(labels));
    }
    let pair = |value: &str| vec![("map".to_owned(), value.to_owned())];
    let labels = vec![vec![], pair("sessions"), pair("users")];
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let snapshot = snapshot.with_labels(labels);
    Profile::new(&snapshot, &mappings, Some(&mut Symbolizer::new()))
}

/// Bytes as `pprof -unit=B` has them in the line that says what is shown.
fn accounted(top: &str) -> i64 {
    let (_, rest) = top.split_once("accounting for ").expect("a total");
    let (bytes, _) = rest.split_once("B,").expect("a unit");
    bytes.parse().expect("a number")
}

#[test]
fn tags_name_the_maps_and_focus_on_one() {
    let profile = held_profile();
    let of_map = |map: &str| -> i64 {
        let held = profile.samples.iter().filter(|of| {
            of.labels
                .iter()
                .any(|(key, value)| (&**key, &**value) == ("map", map))
        });
        held.map(|of| of.values[3]).sum()
    };
    // 11 and 3 samples, 7 samples: each by its own size.
    let bytes = |size: u64, count| tally(size, count).bytes;
    let sessions = bytes(1024, 11) + bytes(30_000, 3);
    assert!((of_map("sessions") as f64 - sessions).abs() <= 1.0);
    assert!((of_map("users") as f64 - bytes(1024, 7)).abs() <= 1.0);

    let folder = Folder::new();
    let file = folder.file("heap", &heap(&profile));
    let tags = folder.report(&["-tags", "-unit=B"], &[&file]);
    let (_, maps) = tags.split_once(" map: Total ").expect("a section on maps");
    for map in ["sessions", "users"] {
        let row = maps.lines().find(|line| line.ends_with(map));
        let row = row.unwrap_or_else(|| panic!("{map} is not in {tags}"));
        assert!(row.contains(&format!("{}B", of_map(map))), "{row}");
    }
    for map in ["sessions", "users"] {
        let focus = format!("-tagfocus=map={map}");
        let top = folder.report(&["-top", "-unit=B", &focus], &[&file]);
        assert_eq!(accounted(&top), of_map(map), "{top}");
    }
    // What nobody holds is the rest.
    let all: i64 = profile.samples.iter().map(|of| of.values[3]).sum();
    let rest = folder.report(&["-top", "-unit=B", "-tagignore=map=."], &[&file]);
    assert_eq!(accounted(&rest), all - of_map("sessions") - of_map("users"));
    // Labels change no sum, and the numbers are told apart as before.
    let plain = folder.file("plain", &heap(&some_profile()));
    for report in [
        folder.report(&["-top", "-unit=B"], &[&file]),
        folder.report(&["-top", "-unit=B"], &[&plain]),
    ] {
        assert_eq!(accounted(&report), all, "{report}");
    }
}

/// Labels of two keys, and a map that holds a part of what one tenant allocated.
#[test]
fn tags_name_the_tenants_and_focus_on_one() {
    let mut snapshot = some_snapshot();
    let row = |stack, class, size, alloc, inuse, labels| {
        let alloc = if alloc == 0 {
            Tally::default()
        } else {
            tally(size, alloc)
        };
        Site::new(stack, class, alloc, tally(size, inuse)).labelled(labels)
    };
    snapshot.sites.extend([
        row(0, 1024, 1024, 20, 9, 1),
        row(0, 1024, 1024, 0, 5, 2),
        row(1, 32_768, 30_000, 7, 6, 1),
        row(0, 1024, 1024, 11, 2, 3),
    ]);
    let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let acme = [("route", "/upload"), ("tenant", "acme")];
    let sets: [&[(&str, &str)]; 4] = [
        &[],
        &acme,
        &[("map", "sessions"), acme[0], acme[1]],
        &[("route", "/upload"), ("tenant", "umbrella")],
    ];
    let sets = sets.map(|set| set.iter().copied().map(pair).collect());
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let snapshot = snapshot.with_labels(sets.into());
    let profile = Profile::new(&snapshot, &mappings, Some(&mut Symbolizer::new()));

    let folder = Folder::new();
    let file = folder.file("heap", &heap(&profile));
    let exact = |samples: &[(u64, u64)]| -> f64 {
        let bytes = samples
            .iter()
            .map(|&(size, count)| tally(size, count).bytes);
        bytes.sum()
    };
    let acme = [(1024, 14), (30_000, 6)];
    for (focus, samples) in [
        ("tenant=acme", &acme[..]),
        ("tenant=umbrella", &[(1024, 2)]),
        ("route=/upload", &[(1024, 16), (30_000, 6)]),
        ("map=sessions", &[(1024, 5)]),
    ] {
        let focus = format!("-tagfocus={focus}");
        let seen = accounted(&folder.report(&["-top", "-unit=B", &focus], &[&file]));
        assert!(
            (seen as f64 - exact(samples)).abs() <= 2.0,
            "{focus}: {seen}"
        );
    }
    let tags = folder.report(&["-tags", "-unit=B"], &[&file]);
    for (key, values) in [
        ("tenant", &["acme", "umbrella"][..]),
        ("route", &["/upload"]),
        ("map", &["sessions"]),
    ] {
        let (_, section) = tags
            .split_once(&format!(" {key}: Total "))
            .expect("a section");
        for value in values {
            assert!(section.lines().any(|line| line.ends_with(value)), "{tags}");
        }
    }
}

#[test]
fn raw_shows_labels_of_both_kinds() {
    let folder = Folder::new();
    let raw = folder.report(&["-raw"], &[&folder.file("heap", &heap(&held_profile()))]);
    let labels: Vec<&str> = raw.lines().map(str::trim).collect();
    let after = |label: &str| {
        let at = labels.iter().position(|line| *line == label);
        labels[at.unwrap_or_else(|| panic!("no {label} in {raw}")) + 1]
    };
    assert_eq!(after("map:[users]"), "bytes:[1024 bytes]");
    assert!(labels.contains(&"map:[sessions]"));
}

#[test]
fn comments_and_traces() {
    let profile = some_profile();
    let folder = Folder::new();
    let file = folder.file("heap", &heap(&profile));
    let comments = folder.report(&["-comments"], &[&file]);
    assert_eq!(comments.lines().collect::<Vec<_>>(), profile.comments);

    let traces = folder.report(&["-traces"], &[&file]);
    let names: Vec<&str> = traces
        .lines()
        .map(|line| line.trim_start().rsplit("   ").next().unwrap_or(""))
        .collect();
    let stack = [
        "pprof_tool::Keeper<T>::keep",
        "pprof_tool::outer",
        "pprof_tool::some_snapshot",
    ];
    assert!(names.windows(3).any(|window| window == stack), "{traces}");
}

#[test]
fn a_profile_less_itself_is_nothing() {
    let profile = some_profile();
    let folder = Folder::new();
    let file = folder.file("heap", &heap(&profile));
    let base = format!("-base={}", file.display());
    for index in [
        "alloc_objects",
        "alloc_space",
        "inuse_objects",
        "inuse_space",
    ] {
        let index = format!("-sample_index={index}");
        let raw = folder.report(&["-raw", &index, &base], &[&file]);
        let samples = section(&raw, "Samples:", "Locations");
        assert_eq!(samples.len(), 1, "only the heading: {raw}");
    }
}

#[test]
fn two_of_the_same_are_twice_as_much() {
    let profile = some_profile();
    let folder = Folder::new();
    let file = folder.file("heap", &heap(&profile));
    let again = folder.file("again", &heap(&profile));
    let raw = folder.report(&["-raw"], &[&file, &again]);
    let values = section(&raw, "Samples:", "Locations")
        .into_iter()
        .filter(|line| !line.contains('[') && !line.contains('/'))
        .count();
    assert_eq!(
        values,
        profile.samples.len(),
        "each merged with its like: {raw}"
    );
    let first: Vec<String> = profile.samples[0]
        .values
        .iter()
        .map(|of| (2 * of).to_string())
        .collect();
    let sums = |line: &str| {
        line.split_whitespace()
            .take(4)
            .map(|of| of.trim_end_matches(':').to_owned())
            .collect::<Vec<_>>()
    };
    assert!(raw.lines().any(|line| sums(line) == first), "{raw}");
}

/// pprof scales what the text says up by itself: the result is our estimate.
#[test]
fn the_text_form_is_read_with_values_and_mappings() {
    let profile = some_profile();
    let folder = Folder::new();
    let memstats = [("Alloc".to_owned(), "1".to_owned())];
    let file = folder.file("heap.txt", text::render(&profile, &memstats).as_bytes());
    let raw = folder.report(&["-raw"], &[&file]);
    assert!(raw.contains(&format!("Period: {INTERVAL}\n")), "{raw}");
    let mut read: Vec<Vec<i64>> = section(&raw, "Samples:", "Locations")
        .into_iter()
        .skip(1)
        .filter(|line| !line.contains('['))
        .map(|line| {
            let (values, _) = line.split_once(':').expect("a sample");
            values
                .split_whitespace()
                .map(|of| of.parse().expect("a value"))
                .collect()
        })
        .collect();
    let mut ours: Vec<Vec<i64>> = profile.samples.iter().map(|of| of.values.clone()).collect();
    read.sort_unstable();
    ours.sort_unstable();
    assert_eq!(read.len(), ours.len());
    for (read, ours) in read.iter().flatten().zip(ours.iter().flatten()) {
        assert!(
            (0..=1).contains(&(ours - read)),
            "{ours}, but pprof cuts to {read}"
        );
    }
    let mappings: Vec<&str> = raw
        .lines()
        .skip_while(|line| *line != "Mappings")
        .skip(1)
        .collect();
    // pprof adds one of its own for the address that lies in none.
    assert_eq!(mappings.len(), profile.mappings.len() + 1, "{mappings:?}");
    for (line, of) in mappings.iter().zip(&profile.mappings) {
        assert!(line.contains(&of.mapping.path), "{line}");
        let build_id = of.mapping.build_id.as_deref().unwrap_or_default();
        assert!(line.contains(build_id), "{line}");
    }
}

/// The tool does reject what is wrong, so the tests above mean something.
#[test]
fn broken_profiles_are_rejected() {
    let profile = some_profile();
    let bytes = heap(&profile);
    let folder = Folder::new();
    let rejected = |bytes: &[u8], why: &str| {
        let error = folder
            .run(&["-raw"], &[&folder.file("broken", bytes)])
            .expect_err("this is no profile");
        assert!(error.contains(why), "{error}");
    };
    rejected(&bytes[..bytes.len() / 2], "unexpected EOF");
    rejected(b"", "empty input file");

    let message = pprof::message(&profile, DefaultType::InuseSpace);
    let encoded = |change: &dyn Fn(&mut heaplens_profile::proto::Profile)| {
        let mut message = message.clone();
        change(&mut message);
        prost::Message::encode_to_vec(&message)
    };
    assert!(
        folder
            .run(&["-raw"], &[&folder.file("whole", &encoded(&|_| {}))])
            .is_ok()
    );
    rejected(&encoded(&|of| of.sample[0].value.truncate(3)), "mismatch");
    rejected(&encoded(&|of| of.location[0].id = 0), "nil location");
    rejected(&encoded(&|of| of.function[1].id = 1), "same id");
    rejected(&encoded(&|of| of.comment.push(1 << 40)), "unrecognized");
    // doc_url, field 15, as a string instead of an index.
    let mut wrong_type = encoded(&|_| {});
    wrong_type.extend_from_slice(b"\x7a\x01x");
    rejected(&wrong_type, "unrecognized profile format");
}
