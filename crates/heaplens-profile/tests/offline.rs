//! A stripped program gives a profile of addresses and build ids, and pprof puts
//! names and lines to it from a tree of files by build id.
//!
//! That pprof is github.com/google/pprof's own program: the one that comes with
//! Go reads symbols of Go programs only, and no build ids.
//! `HEAPLENS_GOOGLE_PPROF` names it: `scripts/test` builds it and sets it.

mod common;

use std::alloc::System;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::library::{build_id, run};
use heaplens_alloc::Alloc;
use heaplens_profile::{DefaultType, Mappings, Profile, pprof};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System);

const NAME: &str = "a_stripped_program_is_symbolized_from_a_tree_of_debug_files";
const OUTPUT: &str = "HEAPLENS_TEST_PROFILE";

struct Hoard<T> {
    kept: Vec<Vec<T>>,
}

impl<T: Clone> Hoard<T> {
    #[inline(never)]
    fn fill(&mut self, value: &T) {
        for _ in 0..50 {
            self.kept.push(vec![value.clone(); 1000]);
        }
    }
}

/// What the stripped program does: it holds memory, and says where, in numbers.
fn write_profile(output: &Path) {
    heaplens_alloc::set_sample_interval(1);
    let mut hoard = Hoard { kept: Vec::new() };
    hoard.fill(&7_u8);
    let snapshot = heaplens_alloc::untracked(heaplens_alloc::snapshot);
    heaplens_alloc::set_sample_interval(0);
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let profile = Profile::new(&snapshot, &mappings, None);
    assert!(profile.functions.is_empty(), "{:?}", profile.functions);
    assert!(profile.mappings.iter().all(|of| !of.has_functions));
    let bytes = pprof::encode(&profile, DefaultType::InuseSpace);
    std::fs::write(output, bytes).expect("a file");
    assert_eq!(hoard.kept.len(), 50);
}

fn top(folder: &Path, binaries: &Path, profile: &Path) -> String {
    let program = std::env::var_os("HEAPLENS_GOOGLE_PPROF").expect(
        "HEAPLENS_GOOGLE_PPROF is not set: run scripts/test, which builds it, or set \
         HEAPLENS_GOOGLE_PPROF to a pprof program",
    );
    let output = Command::new(program)
        .args([
            "-symbolize=local:demangle=full",
            "-top",
            "-cum",
            "-lines",
            "-unit=B",
        ])
        .args(["-nodecount=100000", "-nodefraction=0"])
        .arg(profile)
        .env("PPROF_TMPDIR", folder)
        .env("HOME", folder)
        .env("PPROF_BINARY_PATH", binaries)
        .output()
        .expect("the program that HEAPLENS_GOOGLE_PPROF names runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn a_stripped_program_is_symbolized_from_a_tree_of_debug_files() {
    if let Some(output) = std::env::var_os(OUTPUT) {
        return write_profile(Path::new(&output));
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join("svc");
    let own = std::env::current_exe().expect("a path");
    std::fs::copy(own, &program).expect("a copy");
    let id = build_id(&program).expect("a build id");
    // The whole file as it was linked: of what `objcopy --only-keep-debug` leaves
    // pprof cannot tell where it was mapped, unless GNU's linker made it.
    std::fs::copy(&program, debug_file(folder.path(), &id)).expect("a copy");
    run(Command::new("strip").arg("--strip-all").arg(&program));
    let profile = folder.path().join("heap.pb.gz");
    run(Command::new(&program)
        .args(["--exact", NAME, "--nocapture"])
        .env(OUTPUT, &profile));

    // Without the tree there is nothing to find: a stripped program has no names.
    let nowhere = folder.path().join("nowhere");
    let without = top(folder.path(), &nowhere, &profile);
    assert!(!without.contains("write_profile"), "{without}");

    let tree = folder.path().join("tree/.build-id");
    let with = top(folder.path(), &tree, &profile);
    let line = |function: &str| {
        with.lines()
            .find(|line| line.contains(function))
            .unwrap_or_else(|| panic!("no {function} in\n{with}"))
    };
    for function in ["offline::write_profile", "offline::Hoard<"] {
        let line = line(function);
        let (_, number) = line.rsplit_once("offline.rs:").expect("a file");
        assert!(
            number.trim().parse::<u32>().is_ok_and(|of| of > 20),
            "{line}"
        );
    }
    // 50 vectors of 1000 bytes, each sampled for certain.
    let held: i64 = line("write_profile")
        .split_whitespace()
        .nth(3)
        .and_then(|of| of.trim_end_matches('B').parse().ok())
        .expect("bytes");
    assert!(held >= 50_000, "{with}");
}

/// Where the debug file of this build id belongs.
fn debug_file(folder: &Path, id: &str) -> PathBuf {
    let (first, rest) = id.split_at(2);
    let directory = folder.join("tree/.build-id").join(first);
    std::fs::create_dir_all(&directory).expect("a folder");
    directory.join(format!("{rest}.debug"))
}
