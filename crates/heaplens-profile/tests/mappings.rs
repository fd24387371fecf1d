//! `/proc/self/maps` as programs really have it.

mod common;

use common::{IN_LIBC, IN_MAIN, MAPS, NOWHERE};
use heaplens_profile::Mappings;
use proptest::prelude::*;

fn list(mappings: &Mappings) -> Vec<(u64, u64, u64, &str)> {
    mappings
        .iter()
        .map(|of| (of.start, of.limit, of.offset, of.path.as_str()))
        .collect()
}

#[test]
fn executable_mappings_of_a_program() {
    let mappings = Mappings::parse(MAPS);
    assert_eq!(
        list(&mappings),
        [
            (
                0x55d0_c0a3_f000,
                0x55d0_c0b4_0000,
                0x3f000,
                "/opt/svc/bin/svc"
            ),
            (
                0x7f00_1002_6000,
                0x7f00_1017_c000,
                0x26000,
                "/usr/lib/x86_64-linux-gnu/libc.so.6"
            ),
            (
                0x7f00_1030_0000,
                0x7f00_1031_0000,
                0x1000,
                "/opt/svc/lib/libfoo.so"
            ),
            (0x7ffd_0a1d_2000, 0x7ffd_0a1d_4000, 0, "[vdso]"),
        ]
    );
    let deleted: Vec<bool> = mappings.iter().map(|of| of.deleted).collect();
    assert_eq!(deleted, [false, false, true, false]);
    let main: Vec<bool> = mappings.iter().map(|of| of.main).collect();
    assert_eq!(main, [true, false, false, false]);
    assert!(mappings.iter().all(|of| of.loaded && of.build_id.is_none()));
}

#[test]
fn addresses_are_found_at_the_edges() {
    let mappings = Mappings::parse(MAPS);
    let path = |address| mappings.find(address).map(|of| of.path.as_str());
    assert_eq!(path(0x55d0_c0a3_efff), None);
    assert_eq!(path(0x55d0_c0a3_f000), Some("/opt/svc/bin/svc"));
    assert_eq!(path(IN_MAIN), Some("/opt/svc/bin/svc"));
    assert_eq!(path(0x55d0_c0b3_ffff), Some("/opt/svc/bin/svc"));
    assert_eq!(path(0x55d0_c0b4_0000), None);
    assert_eq!(path(IN_LIBC), Some("/usr/lib/x86_64-linux-gnu/libc.so.6"));
    assert_eq!(path(NOWHERE), None);
    assert_eq!(path(0), None);
    assert_eq!(path(u64::MAX), None);
}

#[test]
fn a_program_at_a_fixed_address() {
    let mappings = Mappings::parse(
        "00400000-00401000 r--p 00000000 08:01 9 /opt/fixed\n\
         00401000-00495000 r-xp 00001000 08:01 9 /opt/fixed\n\
         7f0010026000-7f001017c000 r-xp 00026000 08:01 77 /lib/libc-2.31.so\n",
    );
    assert_eq!(
        list(&mappings),
        [
            (0x40_1000, 0x49_5000, 0x1000, "/opt/fixed"),
            (
                0x7f00_1002_6000,
                0x7f00_1017_c000,
                0x26000,
                "/lib/libc-2.31.so"
            ),
        ]
    );
}

#[test]
fn the_program_comes_first_though_a_library_lies_below_it() {
    let mappings = Mappings::parse(
        "10000000-10001000 r-xp 00000000 00:01 5 /memfd:jit (deleted)\n\
         20000000-20001000 r-xp 00000000 08:01 6 /lib/libearly.so.1.2\n\
         55d0c0a3f000-55d0c0b40000 r-xp 0003f000 08:01 1311 /opt/my prog (v2)\n\
         55d0c0c3f000-55d0c0d40000 r-xp 00200000 08:01 1311 /opt/my prog (v2)\n",
    );
    let paths: Vec<&str> = mappings.iter().map(|of| of.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/opt/my prog (v2)",
            "/opt/my prog (v2)",
            "/memfd:jit",
            "/lib/libearly.so.1.2"
        ]
    );
}

#[test]
fn segments_in_pieces_are_one_again() {
    // The middle of the text lies in anonymous huge pages; a page at its end
    // was made writable for a while.
    let mappings = Mappings::parse(
        "555555600000-555555800000 r-xp 00100000 08:01 9 /opt/svc\n\
         555555800000-555555c00000 r-xp 00000000 00:00 0 \n\
         555555c00000-555555c10000 r-xp 00700000 08:01 9 /opt/svc\n\
         555555c10000-555555c11000 rwxp 00710000 08:01 9 /opt/svc\n\
         555555c11000-555555c20000 r-xp 00711000 08:01 9 /opt/svc\n",
    );
    assert_eq!(
        list(&mappings),
        [(0x5555_5560_0000, 0x5555_55c2_0000, 0x10_0000, "/opt/svc")]
    );
}

#[test]
fn neighbours_that_do_not_continue_each_other_stay_apart() {
    let mappings = Mappings::parse(
        "1000-2000 r-xp 00000000 08:01 9 /opt/svc\n\
         2000-3000 r-xp 00005000 08:01 9 /opt/svc\n\
         3000-4000 r-xp 00006000 08:01 9 /lib/a.so\n\
         5000-6000 r-xp 00008000 08:01 9 /lib/a.so\n",
    );
    assert_eq!(mappings.iter().count(), 4);
}

#[test]
fn anonymous_code_is_left_out() {
    let mappings = Mappings::parse(
        "1000-2000 r-xp 00000000 00:00 0 \n\
         3000-4000 rwxp 00000000 00:00 0 [anon:jit]\n\
         4000-5000 r-xp 00000000 00:0f 42 /anon_hugepage (deleted)\n",
    );
    assert_eq!(mappings.iter().count(), 0);
}

#[test]
fn lines_of_another_form_are_left_out() {
    for line in [
        "",
        "garbage",
        "1000-2000",
        "1000-2000 r-xp",
        "2000-1000 r-xp 0 00:00 7 /backwards",
        "1000-2000 r-xp zz 00:00 7 /offset",
        "1000-2000 r-xp 0 00:00 x /inode",
        "10000000000000000-20000000000000000 r-xp 0 00:00 7 /too-large",
        "-1000 r-xp 0 00:00 7 /no-start",
    ] {
        assert_eq!(Mappings::parse(line).iter().count(), 0, "{line:?}");
    }
    // Nothing behind the inode is fine, and so are several blanks.
    let mappings = Mappings::parse("1000-2000 r-xp 00000000 08:01 7              /a  b");
    assert_eq!(list(&mappings), [(0x1000, 0x2000, 0, "/a  b")]);
}

fn one(start: u64, limit: u64, offset: u64, path: &str) -> Mappings {
    Mappings::parse(&format!(
        "{start:x}-{limit:x} r-xp {offset:x} 08:01 7 {path}"
    ))
}

#[test]
fn merging_keeps_what_was_unloaded() {
    let mut mappings = Mappings::parse(MAPS);
    let rest: Vec<&str> = MAPS.lines().filter(|line| !line.contains("libc")).collect();
    mappings.merge(Mappings::parse(&rest.join("\n")));
    assert_eq!(mappings.iter().count(), 4);
    let libc = mappings.find(IN_LIBC).expect("libc is still listed");
    assert!(!libc.loaded);
    assert!(mappings.find(IN_MAIN).is_some_and(|of| of.loaded));

    mappings.merge(Mappings::parse(MAPS));
    assert_eq!(mappings, Mappings::parse(MAPS), "all is as it was");
}

#[test]
fn a_newer_object_takes_its_addresses_from_an_older_one() {
    let mut mappings = one(0x1000, 0x9000, 0x4000, "/lib/old.so");
    mappings.merge(one(0x3000, 0x5000, 0, "/lib/new.so"));
    let path = |address| mappings.find(address).map(|of| of.path.as_str());
    assert_eq!(path(0x2fff), Some("/lib/old.so"));
    assert_eq!(path(0x3000), Some("/lib/new.so"));
    assert_eq!(path(0x4fff), Some("/lib/new.so"));
    assert_eq!(path(0x5000), Some("/lib/old.so"));
    let rest = mappings.find(0x5000).expect("the rest of the old one");
    assert_eq!(
        (rest.start, rest.limit, rest.offset),
        (0x5000, 0x9000, 0x8000)
    );
    assert!(!rest.loaded);
}

#[test]
fn unloaded_objects_do_not_pile_up_without_end() {
    let mut mappings = Mappings::default();
    for index in 0..5000 {
        let start = 0x10_0000 + index * 0x1000;
        mappings.merge(one(
            start,
            start + 0x1000,
            0,
            &format!("/lib/plugin{index}.so"),
        ));
    }
    let most = heaplens_profile::mappings::MAX_UNLOADED + 1;
    assert_eq!(mappings.iter().count(), most);
    let newest = mappings.iter().filter(|of| of.loaded).count();
    assert_eq!(newest, 1);
    assert!(mappings.find(0x10_0000 + 4998 * 0x1000).is_some());
    assert!(mappings.find(0x10_0000).is_none(), "the oldest went first");
}

#[test]
fn this_process() {
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let first = mappings.iter().next().expect("a mapping");
    let exe = std::fs::read_link("/proc/self/exe").expect("/proc/self/exe");
    assert_eq!(first.path, exe.to_string_lossy());
    assert!(first.main);
    let here = this_process as *const () as u64;
    assert_eq!(mappings.find(here), Some(first));

    let mut last_limit = 0;
    let mut by_address: Vec<_> = mappings.iter().collect();
    by_address.sort_by_key(|of| of.start);
    for of in by_address {
        assert!(last_limit <= of.start && of.start < of.limit, "{of:?}");
        last_limit = of.limit;
    }
}

/// The oracle is binutils' `readelf`.
#[test]
fn build_ids_are_those_that_readelf_shows() {
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let mut checked = 0;
    for of in mappings.iter().filter(|of| of.path.starts_with('/')) {
        let output = std::process::Command::new("readelf")
            .args(["--notes", "--wide", &of.path])
            .output()
            .expect("readelf (package binutils) runs");
        let notes = String::from_utf8_lossy(&output.stdout);
        let shown = notes
            .lines()
            .find_map(|line| line.split_once("Build ID: "))
            .map(|(_, id)| id.trim());
        assert_eq!(of.build_id.as_deref(), shown, "{}", of.path);
        checked += usize::from(shown.is_some());
    }
    assert!(checked >= 1, "libc at least has a build id");
}

/// Lists in the kernel's format, overlaps and all, over a few pages.
fn any_maps() -> impl Strategy<Value = Mappings> {
    let line = (0..40_u64, 1..12_u64, 0..5_u64, 0..4_usize, any::<bool>());
    prop::collection::vec(line, 0..12).prop_map(|lines| {
        let text: Vec<String> = lines
            .into_iter()
            .map(|(start, pages, offset, object, executable)| {
                let path = ["", "/opt/svc", "/lib/a.so", "/lib/b.so (deleted)"][object];
                let permissions = if executable { "r-xp" } else { "r--p" };
                let (start, offset) = (start << 12, offset << 12);
                let limit = start + (pages << 12);
                format!("{start:x}-{limit:x} {permissions} {offset:x} 08:01 {object} {path}")
            })
            .collect();
        Mappings::parse(&text.join("\n"))
    })
}

fn assert_sound(mappings: &Mappings) {
    let mut all: Vec<_> = mappings.iter().collect();
    all.sort_by_key(|of| of.start);
    for of in &all {
        assert!(of.start < of.limit, "{of:?}");
    }
    for pair in all.windows(2) {
        assert!(pair[0].limit <= pair[1].start, "{pair:?}");
    }
}

#[test]
fn any_lists_can_be_merged() {
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(500)
    };
    proptest!(config, |(lists in prop::collection::vec(any_maps(), 1..5))| {
        let mut merged = Mappings::default();
        for list in &lists {
            let before = merged.clone();
            merged.merge(list.clone());
            assert_sound(list);
            assert_sound(&merged);
            for address in (0..60_u64 << 12).step_by(0x800) {
                let of = |mappings: &Mappings| {
                    let mapping = mappings.find(address)?;
                    // What tells a place in a file.
                    Some((mapping.path.clone(), mapping.offset + address - mapping.start))
                };
                let expected = of(list).or_else(|| of(&before));
                prop_assert_eq!(of(&merged), expected);
                let loaded = merged.find(address).is_some_and(|of| of.loaded);
                prop_assert_eq!(loaded, list.find(address).is_some());
            }
        }
    });
}
