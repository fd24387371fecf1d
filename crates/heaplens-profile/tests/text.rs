//! Go's text form.

mod common;

use common::{IN_LIBC, IN_MAIN, MAPS, captured, snapshot, tally};
use heaplens_alloc::{Site, Stack, StackKind, Tally};
use heaplens_profile::{Mappings, Profile, Symbolizer, text};

fn memstats() -> Vec<(String, String)> {
    [("Alloc", "17"), ("Stack", "3 / 4"), ("MaxRSS", "99")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn profile(stacks: Vec<Stack>, sites: Vec<Site>) -> Profile {
    Profile::new(&snapshot(stacks, sites), &Mappings::parse(MAPS), None)
}

#[test]
fn the_whole_text() {
    let profile = profile(
        vec![
            captured(&[IN_LIBC, IN_MAIN]),
            captured(&[IN_MAIN]),
            Stack::new(vec![], StackKind::Unknown),
        ],
        vec![
            Site::new(0, 1024, tally(1024, 3), tally(1024, 2)),
            Site::new(1, 64, tally(64, 1), Tally::default()),
            Site::new(2, 32, tally(32, 1), tally(32, 1)),
        ],
    );
    assert_eq!(
        text::render(&profile, &memstats()),
        "heap profile: 3: 2080 [5: 3168] @ heap/1048576\n\
         0: 0 [1: 64] @ 0x55d0c0a40000\n\
         #\t0x55d0c0a3ffff\n\
         \n\
         1: 32 [1: 32] @\n\
         #\t0x0\t[unknown stack]+0x0\t?:0\n\
         \n\
         2: 2048 [3: 3072] @ 0x7f0010030000 0x55d0c0a40000\n\
         #\t0x7f001002ffff\n\
         #\t0x55d0c0a3ffff\n\
         \n\
         \n\
         # runtime.MemStats\n\
         # Alloc = 17\n\
         # Stack = 3 / 4\n\
         # MaxRSS = 99\n\
         \n\
         MAPPED_LIBRARIES:\n\
         55d0c0a3f000-55d0c0b40000 r-xp /opt/svc/bin/svc (@3f000)\n\
         7f0010026000-7f001017c000 r-xp /usr/lib/x86_64-linux-gnu/libc.so.6 (@26000)\n\
         7f0010300000-7f0010310000 r-xp /opt/svc/lib/libfoo.so (@1000)\n\
         7ffd0a1d2000-7ffd0a1d4000 r-xp [vdso] (@0)\n"
    );
}

/// The form has no labels: rows that differ in them are one record.
#[test]
fn labels_are_merged_away() {
    let held = |size, count, labels| {
        Site::new(0, size, Tally::default(), tally(size, count)).labelled(labels)
    };
    let sites = vec![
        Site::new(0, 1024, tally(1024, 9), tally(1024, 1)),
        held(1024, 2, 1),
        held(1024, 3, 2),
        Site::new(0, 64, tally(64, 1), Tally::default()),
        held(64, 1, 1),
    ];
    let pair = |value: &str| vec![("map".to_owned(), value.to_owned())];
    let snapshot = snapshot(vec![captured(&[IN_MAIN])], sites).with_labels(vec![
        vec![],
        pair("sessions"),
        pair("users"),
    ]);
    let labelled = Profile::new(&snapshot, &Mappings::parse(MAPS), None);
    assert_eq!(labelled.samples.len(), 5);
    let plain = profile(
        vec![captured(&[IN_MAIN])],
        vec![
            Site::new(0, 1024, tally(1024, 9), tally(1024, 6)),
            Site::new(0, 64, tally(64, 1), tally(64, 1)),
        ],
    );
    assert_eq!(text::render(&labelled, &[]), text::render(&plain, &[]));
}

/// Equal totals would make pprof read two columns.
#[test]
fn the_totals_in_the_header_are_never_equal() {
    for (stacks, sites, header) in [
        (vec![], vec![], "heap profile: 0: 0 [0: 1] @ heap/1048576"),
        (
            vec![captured(&[IN_MAIN])],
            vec![Site::new(0, 1024, tally(1024, 2), tally(1024, 2))],
            "heap profile: 2: 2048 [2: 2049] @ heap/1048576",
        ),
    ] {
        let text = text::render(&profile(stacks, sites), &[]);
        assert_eq!(text.lines().next(), Some(header));
    }
}

#[test]
fn names_and_lines_of_this_binary() {
    let here = names_and_lines_of_this_binary as *const () as u64;
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let snapshot = snapshot(
        vec![captured(&[here + 1])],
        vec![Site::new(0, 1024, tally(1024, 2), tally(1024, 1))],
    );
    let profile = Profile::new(&snapshot, &mappings, Some(&mut Symbolizer::new()));
    let text = text::render(&profile, &[]);
    let row = text
        .lines()
        .find(|line| line.starts_with("#\t"))
        .expect("a row");
    let cells: Vec<&str> = row.split('\t').collect();
    let [_, address, function, place] = cells[..] else {
        panic!("four cells: {row}");
    };
    assert_eq!(address, format!("{here:#x}"));
    assert_eq!(function, "text::names_and_lines_of_this_binary+0x0");
    let (file, line) = place.rsplit_once(':').expect("file:line");
    assert!(file.ends_with("tests/text.rs"));
    assert!(line.parse::<u32>().expect("a number") > 0);
}
