//! Names and lines of real code: of this test binary, of libc, and of a
//! library made for the purpose.

mod common;

use std::collections::HashSet;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use common::library::{
    again_with, dynamic_symbols, exported, library, load_address, loaded_library, run,
};
use heaplens_profile::{Frame, Mappings, Symbolizer};

fn mappings() -> Mappings {
    Mappings::of_current_process().expect("/proc/self/maps")
}

struct Holder<T> {
    kept: Vec<T>,
}

impl<T> Holder<T> {
    const BEFORE_INLINED: u32 = line!();

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the test needs an inlined frame")]
    fn inlined(&mut self, value: T) -> usize {
        black_box(&mut self.kept).push(value);
        self.kept.len() // The line after the call.
    }

    const BEHIND_INLINED: u32 = line!();

    #[inline(never)]
    fn physical(&mut self, value: T) -> usize {
        black_box(self.inlined(value)) + 1
    }
}

/// The frames at every address of the function at `start`.
fn frames_of_function(start: u64) -> Vec<Vec<Frame>> {
    let mappings = mappings();
    let mut symbolizer = Symbolizer::new();
    let symbol = symbolizer.symbol_name(&mappings, start).expect("a symbol");
    let mut all = Vec::new();
    for address in start..start + 4096 {
        if symbolizer.symbol_name(&mappings, address).as_ref() != Some(&symbol) {
            break;
        }
        all.push(symbolizer.frames(&mappings, address));
    }
    all
}

fn physical() -> u64 {
    let mut holder = Holder { kept: Vec::new() };
    assert_eq!(holder.physical(String::new()), 2);
    Holder::<String>::physical as fn(&mut Holder<String>, String) -> usize as *const () as u64
}

#[test]
fn a_function_of_this_binary() {
    let mappings = mappings();
    let mut symbolizer = Symbolizer::new();
    let address = a_function_of_this_binary as *const () as u64;
    let [frame] = &symbolizer.frames(&mappings, address)[..] else {
        panic!("one frame");
    };
    assert_eq!(frame.function.name, "symbols::a_function_of_this_binary");
    assert!(frame.function.file.ends_with("tests/symbols.rs"));
    assert_eq!(frame.offset, Some(0));
    assert!(frame.line > 0);

    let symbol = symbolizer
        .symbol_name(&mappings, address)
        .expect("a symbol");
    assert_eq!(symbol, frame.function.system_name);
    assert_ne!(symbol, frame.function.name);
    assert!(symbol.contains("a_function_of_this_binary"));
}

#[test]
fn inlined_functions_come_before_the_physical_one() {
    let all = frames_of_function(physical());
    let inlined = all
        .iter()
        .find(|frames| frames.len() > 1)
        .expect("some address has an inlined function");
    let (inner, outer) = (&inlined[0], &inlined[1]);
    assert!(inner.function.name.contains("inlined"), "{inner:?}");
    assert!(outer.function.name.contains("physical"), "{outer:?}");
    assert!(inner.function.file.ends_with("tests/symbols.rs"));
    let lines = Holder::<String>::BEFORE_INLINED..Holder::<String>::BEHIND_INLINED;
    assert!(lines.contains(&inner.line), "{inner:?}");
    assert!(outer.line > lines.end, "{outer:?}");
    assert!(inner.column > 0 && outer.column > 0);
    // Each in its crate, though the debug information here has bare names only.
    assert!(inner.function.name.starts_with("symbols::"), "{inner:?}");
    assert!(outer.function.name.starts_with("symbols::"), "{outer:?}");
}

#[test]
fn names_keep_their_generics() {
    for frames in frames_of_function(physical()) {
        let function = &frames.last().expect("a frame").function;
        assert!(
            function.name.starts_with("symbols::Holder<"),
            "{function:?}"
        );
        assert!(!function.name.contains("17h"), "no hash: {function:?}");
        assert_ne!(function.name, function.system_name);
    }
}

#[test]
fn frames_of_libc_are_libcs_and_not_the_programs() {
    let mappings = mappings();
    let libc = mappings
        .iter()
        .find(|of| of.path.contains("libc.so") || of.path.contains("libc-"))
        .expect("libc is mapped")
        .path
        .clone();
    let base = load_address(&libc);
    let mut symbolizer = Symbolizer::new();
    let mut checked = 0;
    for (address, names) in dynamic_symbols(&libc) {
        let address = base + address + 1;
        assert_eq!(mappings.find(address).map(|of| &of.path), Some(&libc));
        let symbol = symbolizer
            .symbol_name(&mappings, address)
            .expect("a symbol");
        assert!(names.contains(&symbol), "{symbol} is none of {names:?}");
        let frames = symbolizer.frames(&mappings, address);
        let function = &frames.last().expect("a frame").function;
        assert!(names.contains(&function.name), "{function:?}, {names:?}");
        checked += 1;
    }
    assert!(checked > 1000, "{checked}");
}

#[test]
fn addresses_outside_of_code_have_no_names() {
    let mappings = mappings();
    let mut symbolizer = Symbolizer::new();
    let on_the_stack = &raw const mappings as u64;
    for address in [0, 1, 0x1000, on_the_stack, u64::MAX] {
        assert_eq!(symbolizer.frames(&mappings, address), []);
        assert_eq!(symbolizer.symbol_name(&mappings, address), None);
    }
}

#[test]
fn a_symbolizer_may_move_to_another_thread() {
    fn send<T: Send>(_: &T) {}
    send(&Symbolizer::new());
}

#[test]
fn a_library_with_debug_information() {
    let Some(library) = loaded_library() else {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = common::library::library(folder.path(), "libfoo.so", &["-g"]);
        return again_with(&library, "a_library_with_debug_information");
    };
    let mappings = mappings();
    let mapping = mappings
        .iter()
        .find(|of| of.path == library)
        .expect("it is loaded");
    assert!(!mapping.main && mapping.build_id.is_some());
    let exported = exported(&library);
    let mut symbolizer = Symbolizer::new();
    let code = mapping.start..mapping.limit;
    let named: Vec<Vec<Frame>> = code
        .map(|address| symbolizer.frames(&mappings, address))
        .filter(|frames| !frames.is_empty())
        .collect();
    let in_source = |frame: &Frame| frame.function.file.ends_with("/foo.c");
    let name = |frame: &Frame| frame.function.name.clone();
    let stacks: HashSet<Vec<String>> = named
        .iter()
        .filter(|frames| frames.iter().all(in_source))
        .map(|frames| frames.iter().map(name).collect())
        .collect();
    let expected: HashSet<Vec<String>> = [
        vec!["within".to_owned(), "hidden".to_owned()],
        vec!["hidden".to_owned()],
        vec!["exported".to_owned()],
    ]
    .into();
    assert_eq!(stacks, expected);
    for frame in named.iter().flatten() {
        assert!(!frame.function.name.contains("symbols"), "{frame:?}");
        assert!(in_source(frame) || frame.line == 0, "{frame:?}");
    }
    let frames = symbolizer.frames(&mappings, exported);
    assert_eq!((frames[0].line, frames.len()), (4, 1));
}

#[test]
fn a_stripped_library_has_only_its_exported_names() {
    let Some(library) = loaded_library() else {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = common::library::library(folder.path(), "libfoo.so", &["-s"]);
        return again_with(&library, "a_stripped_library_has_only_its_exported_names");
    };
    let mappings = mappings();
    let mapping = mappings
        .iter()
        .find(|of| of.path == library)
        .expect("it is loaded");
    let mut symbolizer = Symbolizer::new();
    let names: HashSet<String> = (mapping.start..mapping.limit)
        .filter_map(|address| symbolizer.symbol_name(&mappings, address))
        .filter(|name| !name.starts_with('_'))
        .collect();
    assert_eq!(names, HashSet::from(["exported".to_owned()]));
}

#[test]
fn a_replaced_library_has_no_names_rather_than_wrong_ones() {
    let name = "a_replaced_library_has_no_names_rather_than_wrong_ones";
    let Some(library) = loaded_library() else {
        let folder = tempfile::tempdir().expect("a temporary folder");
        return again_with(&library(folder.path(), "libfoo.so", &["-g"]), name);
    };
    let before = mappings();
    let address = exported(&library);
    assert!(!Symbolizer::new().frames(&before, address).is_empty());

    let path = Path::new(&library);
    let other = common::library::library(path.parent().expect("a folder"), "libother.so", &["-O0"]);
    std::fs::rename(other, path).expect("a rename");
    let after = mappings();
    let mapping = after.find(address).expect("it is still mapped");
    assert!(mapping.deleted && mapping.build_id.is_none());
    assert_eq!(mapping.path, library);
    assert_eq!(Symbolizer::new().frames(&after, address), []);
    // The older list has the build id of the file that was there then.
    assert_eq!(Symbolizer::new().frames(&before, address), []);

    // What is known of the one that is mapped stays known.
    let mut merged = before.clone();
    merged.merge(after);
    let (old, now) = (before.find(address), merged.find(address));
    assert_eq!(
        old.map(|of| &of.build_id),
        now.map(|of| &of.build_id),
        "{now:?}"
    );
    assert!(now.is_some_and(|of| of.deleted && of.loaded && of.build_id.is_some()));
}

#[test]
fn a_program_whose_file_was_replaced_has_its_own_names() {
    let name = "a_program_whose_file_was_replaced_has_its_own_names";
    let exe = std::env::current_exe().expect("a path");
    if std::env::var_os(COPY).is_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let copy = folder.path().join("copy");
        std::fs::copy(exe, &copy).expect("a copy");
        return run(Command::new(copy)
            .args(["--exact", name, "--nocapture"])
            .env(COPY, "1"));
    }
    // As a deployment does: another file under the same name.
    std::fs::remove_file(&exe).expect("the copy is there to be removed");
    std::fs::write(&exe, "the next version").expect("a new file");
    let mappings = mappings();
    let main = mappings.iter().next().expect("a mapping");
    assert_eq!(main.path, exe.to_string_lossy(), "without the mark");
    assert!(
        main.main && main.deleted && main.build_id.is_some(),
        "{main:?}"
    );
    let address = physical();
    let frames = Symbolizer::new().frames(&mappings, address);
    let frame = frames.last().expect("a frame");
    assert!(frame.function.name.contains("physical") && frame.line > 0);
}

const COPY: &str = "HEAPLENS_TEST_RUNS_AS_COPY";
