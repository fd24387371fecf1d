//! Stripped objects: their debug information lies in a file of its own.

mod common;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::library::{again_with, library, loaded_library, run};
use heaplens_profile::{Mapping, Mappings, Symbolizer};

/// Where the debug file goes, and how it is found.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    BuildId,
    Beside,
    DotDebug,
    UnderDirectory,
}

/// A library, stripped, with its debug file where `way` says.
fn stripped(folder: &Path, way: Way, options: &[&str]) -> PathBuf {
    let library = library(folder, "libfoo.so", &[&["-g"], options].concat());
    let debug = folder.join("libfoo.so.debug");
    objcopy(&["--only-keep-debug".as_ref(), &library, &debug]);
    run(Command::new("strip").arg("--strip-all").arg(&library));
    let place = match way {
        Way::BuildId => {
            let id = common::library::build_id(&library).expect("a build id");
            let (first, rest) = id.split_at(2);
            folder
                .join("tree/.build-id")
                .join(first)
                .join(format!("{rest}.debug"))
        }
        Way::Beside => debug.clone(),
        Way::DotDebug => folder.join(".debug/libfoo.so.debug"),
        Way::UnderDirectory => {
            let below = folder.strip_prefix("/").expect("an absolute path");
            folder.join("tree").join(below).join("libfoo.so.debug")
        }
    };
    if way != Way::BuildId {
        let link = format!("--add-gnu-debuglink={}", debug.display());
        objcopy(&[link.as_ref(), &library]);
    }
    std::fs::create_dir_all(place.parent().expect("a folder")).expect("a folder");
    if place != debug {
        std::fs::rename(&debug, &place).expect("a rename");
    }
    library
}

fn objcopy(arguments: &[&Path]) {
    run(Command::new("objcopy").args(arguments));
}

/// Stacks of functions, with their lines, at all addresses of the library.
fn stacks(library: &str) -> HashSet<Vec<(String, bool)>> {
    let mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let is_it = |of: &&Mapping| of.path == library;
    let mapping = mappings.iter().find(is_it).expect("it is loaded");
    let tree = Path::new(library).parent().expect("a folder").join("tree");
    let mut symbolizer = Symbolizer::with_debug_directories([tree]);
    (mapping.start..mapping.limit)
        .map(|address| symbolizer.frames(&mappings, address))
        .map(|frames| {
            frames
                .iter()
                .map(|of| {
                    let in_source = of.function.file.ends_with("/foo.c") && of.line > 0;
                    (of.function.name.clone(), in_source)
                })
                .collect::<Vec<_>>()
        })
        .filter(|stack| !stack.is_empty() && !stack[0].0.starts_with('_'))
        .collect()
}

/// Names and lines of all functions, the inlined one included.
fn all() -> HashSet<Vec<(String, bool)>> {
    let known = |names: &[&str]| names.iter().map(|of| ((*of).to_owned(), true)).collect();
    [
        known(&["within", "hidden"]),
        known(&["hidden"]),
        known(&["exported"]),
    ]
    .into()
}

fn has_all(library: &str) {
    let found = stacks(library);
    // What the compiler adds for itself may be there besides.
    let missing: Vec<_> = all().into_iter().filter(|of| !found.contains(of)).collect();
    assert_eq!(missing, Vec::<Vec<_>>::new(), "{found:#?}");
}

/// Nothing but the exported function is known, and no line.
fn has_exported_names_only(library: &str) {
    let found = stacks(library);
    assert_eq!(found, [vec![("exported".to_owned(), false)]].into());
}

fn check(name: &str, way: Way, options: &[&str], tamper: impl FnOnce(&Path), expect: fn(&str)) {
    if let Some(library) = loaded_library() {
        return expect(&library);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = stripped(folder.path(), way, options);
    tamper(folder.path());
    again_with(&library, name);
}

fn untouched(_: &Path) {}

#[test]
fn by_build_id() {
    check("by_build_id", Way::BuildId, &[], untouched, has_all);
}

#[test]
fn by_link_beside_the_object() {
    let name = "by_link_beside_the_object";
    check(name, Way::Beside, &[], untouched, has_all);
}

#[test]
fn by_link_in_a_folder_named_debug() {
    let name = "by_link_in_a_folder_named_debug";
    check(name, Way::DotDebug, &[], untouched, has_all);
}

#[test]
fn by_link_in_the_same_place_under_a_directory() {
    let name = "by_link_in_the_same_place_under_a_directory";
    check(name, Way::UnderDirectory, &[], untouched, has_all);
}

const NO_ID: &str = "-Wl,--build-id=none";

/// Without build ids the checksum proves that it is the right file.
#[test]
fn by_link_and_checksum() {
    let name = "by_link_and_checksum";
    check(name, Way::Beside, &[NO_ID], untouched, has_all);
}

#[test]
fn a_debug_file_with_another_checksum_is_not_taken() {
    let append = |folder: &Path| {
        let debug = folder.join("libfoo.so.debug");
        let mut bytes = std::fs::read(&debug).expect("the debug file");
        bytes.push(0);
        std::fs::write(&debug, bytes).expect("a changed file");
    };
    let name = "a_debug_file_with_another_checksum_is_not_taken";
    check(name, Way::Beside, &[NO_ID], append, has_exported_names_only);
}

#[test]
fn a_debug_file_of_another_build_is_not_taken() {
    let replace = |folder: &Path| {
        let elsewhere = folder.join("other");
        std::fs::create_dir(&elsewhere).expect("a folder");
        let other = library(&elsewhere, "libfoo.so", &["-g", "-O0"]);
        std::fs::rename(other, folder.join("libfoo.so.debug")).expect("a rename");
    };
    let name = "a_debug_file_of_another_build_is_not_taken";
    check(name, Way::Beside, &[], replace, has_exported_names_only);
}

#[test]
fn a_damaged_debug_file_does_no_harm() {
    let cut = |folder: &Path| {
        let debug = folder.join("libfoo.so.debug");
        let bytes = std::fs::read(&debug).expect("the debug file");
        std::fs::write(&debug, &bytes[..bytes.len() / 2]).expect("a cut file");
    };
    let name = "a_damaged_debug_file_does_no_harm";
    check(name, Way::Beside, &[], cut, has_exported_names_only);
}

#[test]
fn split_debug_information_beside_the_program() {
    // Lines are in the object itself, functions in a .dwo file named there.
    let name = "split_debug_information_beside_the_program";
    let Some(loaded) = loaded_library() else {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let built = library(folder.path(), "libfoo.so", &["-g", "-gsplit-dwarf"]);
        return again_with(&built, name);
    };
    has_all(&loaded);
}
