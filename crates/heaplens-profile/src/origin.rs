//! Which frames are the program's own code, so that a sample can be told by the
//! line in it and not by the line of the standard library that it called.

use std::path::Path;

use crate::model::{Function, Line, Profile, Sample};

/// Where toolchains and package managers keep other people's sources.
const FOREIGN: [&str; 7] = [
    "/rustc/",
    "/rustlib/",
    "/.cargo/",
    "/registry/src/",
    "/git/checkouts/",
    "/rust/deps/",
    "/vendor/",
];

/// Crates that are never what an allocation is for, wherever their sources are.
const LIBRARIES: [&str; 10] = [
    "alloc",
    "core",
    "hashbrown",
    "heaplens",
    "heaplens_alloc",
    "heaplens_maps",
    "proc_macro",
    "std",
    "test",
    "tokio",
];

/// Whether a function is the program's own: Rust code whose source file lies
/// neither with the toolchain nor with the packages it depends on. Where no file
/// is known the crate's name decides.
pub fn is_own(function: &Function) -> bool {
    let Some(krate) = crate_of(&function.name) else {
        return false;
    };
    if LIBRARIES.contains(&krate) {
        return false;
    }
    if function.file.is_empty() {
        return true;
    }
    let is_rust = Path::new(&function.file).extension() == Some("rs".as_ref());
    is_rust && !FOREIGN.iter().any(|of| function.file.contains(of))
}

/// `svc` of `svc::a::b`, `<svc::A as core::B>::c` and `<&mut svc::A>::c`; `None`
/// for names that are no paths of Rust.
fn crate_of(name: &str) -> Option<&str> {
    let mut rest = name.trim_start_matches(['<', '&', '(', '[', '*']);
    for word in ["dyn ", "mut ", "const "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let end = rest.find(|of: char| !of.is_alphanumeric() && of != '_')?;
    let (krate, rest) = rest.split_at(end);
    (!krate.is_empty() && rest.starts_with("::")).then_some(krate)
}

/// The function and line that a sample is told by: the innermost one of the
/// program's own code, or without any the innermost of all. `own` says of each
/// function whether it is.
pub(crate) fn of<'a>(profile: &'a Profile, own: &[bool], sample: &Sample) -> Option<&'a Line> {
    let lines = || {
        let locations = sample.locations.iter();
        let locations = locations.filter_map(|&at| profile.locations.get(at));
        locations.flat_map(|location| &location.lines)
    };
    lines()
        .find(|line| own.get(line.function) == Some(&true))
        .or_else(|| lines().next())
}

/// Of each function whether it is the program's own.
pub(crate) fn own(profile: &Profile) -> Vec<bool> {
    profile.functions.iter().map(|of| is_own(of)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_code_is_told_by_file_and_crate() {
        let cases = [
            ("svc::keep", "/svc/src/main.rs", true),
            (
                "<svc::A as core::clone::Clone>::clone",
                "/svc/src/a.rs",
                true,
            ),
            ("<&mut svc::A as B>::c", "", true),
            ("<dyn svc::A>::b", "", true),
            ("svc::keep", "", true),
            (
                "hyper::client::send",
                "/root/.cargo/registry/src/x/hyper-1/src/lib.rs",
                false,
            ),
            (
                "svc::inlined<u8>",
                "/rustc/4eb1/library/alloc/src/vec/mod.rs",
                false,
            ),
            ("std::rt::lang_start", "/svc/src/main.rs", false),
            ("<alloc::vec::Vec<T>>::push", "", false),
            (
                "heaplens_maps::hash_map::TrackedHashMap<K,V>::insert",
                "/svc/heaplens/a.rs",
                false,
            ),
            ("main", "", false),
            ("__libc_start_main", "./csu/../csu/libc-start.c", false),
            ("svc_sys::call", "/svc/src/call.c", false),
            ("", "", false),
            ("<", "", false),
        ];
        for (name, file, expected) in cases {
            let mut function = Function::default();
            (function.name, function.file) = (name.to_owned(), file.to_owned());
            assert_eq!(is_own(&function), expected, "{name} in {file}");
        }
    }
}
