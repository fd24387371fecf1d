//! A library that is loaded while the program runs, and unloaded again.

mod common;

use std::alloc::System;
use std::ffi::{CString, c_char, c_int, c_void};
use std::hint::black_box;
use std::path::Path;

use common::library::library_of;
use heaplens_alloc::Alloc;
use heaplens_profile::{Mappings, Profile, Symbolizer};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System);

const SOURCE: &str = "\
static int depth;
__attribute__((noinline)) void loaded_later(void (*callback)(void)) { callback(); depth++; }
";
const NOW: c_int = 2;

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlclose(library: *mut c_void) -> c_int;
}

#[inline(never)]
extern "C" fn allocate() {
    std::mem::forget(black_box(vec![1_u8; 5000]));
}

/// Loads the library, has `allocate` called by its function, and unloads it
/// after `meanwhile`.
fn through(library: &Path, meanwhile: impl FnOnce()) {
    let path = CString::new(library.to_str().expect("UTF-8")).expect("no zero");
    // SAFETY: the path is a string; the library has no constructors of its own.
    let handle = unsafe { dlopen(path.as_ptr(), NOW) };
    assert!(!handle.is_null());
    // SAFETY: the handle was given by `dlopen`, and the name is a string.
    let function = unsafe { dlsym(handle, c"loaded_later".as_ptr()) };
    assert!(!function.is_null());
    // Stacks through the library can be walked from here on.
    black_box(heaplens_alloc::snapshot());
    // SAFETY: the source above declares it so.
    let function: extern "C" fn(extern "C" fn()) = unsafe { std::mem::transmute(function) };
    heaplens_alloc::set_sample_interval(1);
    function(allocate);
    heaplens_alloc::set_sample_interval(0);
    meanwhile();
    // SAFETY: none of its functions runs, and none is called any more.
    assert_eq!(unsafe { dlclose(handle) }, 0);
}

/// File and line of the library's function in the stack of what was allocated.
fn found(profile: &Profile) -> Option<(String, u32)> {
    let lines = profile.locations.iter().flat_map(|of| &of.lines);
    lines
        .map(|line| (&profile.functions[line.function], line.line))
        .find(|(function, _)| function.name == "loaded_later")
        .map(|(function, line)| (function.file.clone(), line))
}

#[test]
fn a_library_loaded_later_has_names_and_keeps_its_mapping() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = library_of(SOURCE, folder.path(), "liblater.so", &["-g"]);
    let mut mappings = Mappings::of_current_process().expect("/proc/self/maps");
    let named = |of: &Mappings| of.iter().any(|of| Path::new(&of.path) == library);
    assert!(!named(&mappings));

    let mut symbolizer = Symbolizer::new();
    through(&library, || {
        mappings.merge(Mappings::of_current_process().expect("/proc/self/maps"));
        assert!(named(&mappings));
        let snapshot = heaplens_alloc::untracked(heaplens_alloc::snapshot);
        let profile = Profile::new(&snapshot, &mappings, Some(&mut symbolizer));
        symbolizer.close_files();
        let (file, line) = found(&profile).expect("the function is in a stack");
        assert!(file.ends_with("/foo.c") && line == 2, "{file}:{line}");
    });

    // The block is still there, and the code that allocated it is not.
    mappings.merge(Mappings::of_current_process().expect("/proc/self/maps"));
    let gone = mappings.iter().find(|of| Path::new(&of.path) == library);
    assert!(gone.is_some_and(|of| !of.loaded), "{gone:?}");
    let snapshot = heaplens_alloc::untracked(heaplens_alloc::snapshot);
    let profile = Profile::new(&snapshot, &mappings, Some(&mut symbolizer));
    assert!(found(&profile).is_some(), "names that were found are kept");
}
