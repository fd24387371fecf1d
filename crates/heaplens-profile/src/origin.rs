//! Whose a function is: the program's own, or that of something between it and its
//! allocator. So a sample can be told by the line of the program that wanted the memory,
//! and not by that of the library which it called for it.

use crate::model::{Line, Profile, Sample};

/// Whose a function is. Later ones say more about who wants the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// Stands for what is not known, such as `[truncated]`.
    Pseudo,
    /// An allocator's.
    Allocator,
    /// What runs `main`, threads and tests: further out is nothing of interest.
    Runner,
    /// The standard library's, of Rust, C or Go.
    Standard,
    /// Of Heaplens, whose maps and tests call the program's code.
    Agent,
    /// Of a package from a registry, or a C library's.
    Package,
    /// The program's own.
    Program,
}

impl Origin {
    /// By the function's name and source file, the latter empty where it is not known.
    /// Names of Rust are demangled ones. Some hundreds of nanoseconds.
    pub fn of(name: &str, file: &str) -> Self {
        let is_unknown = name.starts_with('[') && name.ends_with(']');
        let path = path(name);
        if is_unknown || path.is_empty() {
            Origin::Pseudo
        } else if is_allocator(path, file) {
            Origin::Allocator
        } else if is_runner(name, path) {
            Origin::Runner
        } else if begins(path, &["heaplens::", "heaplens_maps::"]) {
            Origin::Agent
        } else if begins(path, &STANDARD) || is_builtin(name, path) || is_standard(file) {
            Origin::Standard
        } else if is_package(name, path, file) {
            Origin::Package
        } else {
            Origin::Program
        }
    }
}

/// Of each function of a profile, in their order.
pub fn origins(profile: &Profile) -> Vec<Origin> {
    let functions = profile.functions.iter();
    functions.map(|of| Origin::of(&of.name, &of.file)).collect()
}

/// The function and line that a sample is told by: the innermost one of the program's own
/// code, or without any the innermost of those that say most. `origins` are the profile's.
/// `None` where no frame has a name.
pub fn line<'a>(profile: &'a Profile, origins: &[Origin], sample: &Sample) -> Option<&'a Line> {
    let locations = sample.locations.iter();
    let locations = locations.filter_map(|&at| profile.locations.get(at));
    let lines = locations.flat_map(|location| &location.lines);
    telling(lines.filter_map(|line| Some((*origins.get(line.function)?, line))))
}

/// Of the frames of a stack, innermost first, the one that it is told by: the first of the
/// program's own code, or else the first of those that say most.
pub fn telling<T>(frames: impl IntoIterator<Item = (Origin, T)>) -> Option<T> {
    let mut best: Option<(Origin, T)> = None;
    for (origin, frame) in frames {
        if best.as_ref().is_none_or(|best| origin > best.0) {
            best = Some((origin, frame));
        }
        if origin == Origin::Program {
            break;
        }
    }
    best.map(|best| best.1)
}

/// A source file as people call it: from its package on if that is known
/// (`serde_json-1.0.154/src/de.rs`, `library/alloc/src/vec/mod.rs`), from its source folder
/// on (`src/cases/sessions.rs`), or else the last three parts of its path.
pub fn short(file: &str) -> &str {
    const FOLDERS: [&str; 4] = ["/src/", "/tests/", "/examples/", "/benches/"];
    if let Some(path) = in_package(file) {
        return path;
    }
    if !file.starts_with('/') {
        return file;
    }
    let folder = FOLDERS.iter().filter_map(|of| file.rfind(of)).max();
    let third = || file.rmatch_indices('/').map(|(at, _)| at).nth(2);
    let begin = folder.or_else(third);
    begin.and_then(|at| file.get(at + 1..)).unwrap_or(file)
}

/// The source file of a library from its package on; `None` for other files.
pub fn in_package(file: &str) -> Option<&str> {
    // Below a folder named for the registry or repository.
    for folder in ["/registry/src/", "/git/checkouts/", "/pkg/mod/"] {
        if let Some((_, rest)) = file.split_once(folder) {
            return Some(rest.split_once('/').map_or(rest, |(_, package)| package));
        }
    }
    let at = file.find("/library/").filter(|_| is_standard(file))?;
    file.get(at + 1..)
}

/// How the names of functions begin that are the standard library's wherever they
/// stand; what is generic is compiled into the program.
const STANDARD: [&str; 10] = [
    "alloc::",
    "core::",
    "std::",
    "proc_macro::",
    "hashbrown::",
    "__rust",
    "_Unwind",
    "runtime.",
    "__libc",
    "_dl_",
];

/// How those begin that lead into an allocator.
const ALLOCATOR: [&str; 9] = [
    "_rjem_",
    "rjem_",
    "je_",
    "prof_alloc_prep",
    "prof_backtrace",
    "imalloc",
    "heaplens_alloc::",
    "tikv_jemallocator::",
    "do_rallocx",
];

/// Packages that want memory for others, by which they are known without their files.
const PACKAGES: [&str; 11] = [
    "bytes",
    "dashmap",
    "indexmap",
    "lru",
    "moka",
    "papaya",
    "quick_cache",
    "scc",
    "smallvec",
    "tokio",
    "triomphe",
];

/// Where the C library and Rust run a program and its threads.
const RUNNERS: [&str; 6] = [
    "start_thread",
    "clone",
    "clone3",
    "start",
    "main",
    "libc_start_main",
];

/// The packages of Go's library, as the first parts of their files' paths.
const OF_GO: [&str; 45] = [
    "archive",
    "arena",
    "bufio",
    "bytes",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "slices",
    "sort",
    "strconv",
    "strings",
    "sync",
    "syscall",
    "text",
    "time",
    "unicode",
];

/// What comes before the type in `<&mut dyn for<'a> core::ops::FnMut(…)>::call`.
const BEFORE_TYPES: [&str; 10] = [
    "<", "&", "mut ", "dyn ", "for<'a> ", "impl ", "[", "(", "*const ", "*mut ",
];

/// The name from where it says what it is of.
fn path(name: &str) -> &str {
    let mut path = name;
    loop {
        let before = path.len();
        for mark in BEFORE_TYPES {
            path = path.strip_prefix(mark).unwrap_or(path);
        }
        if path.len() == before {
            return path;
        }
    }
}

fn begins(path: &str, parts: &[&str]) -> bool {
    parts.iter().any(|part| path.starts_with(part))
}

/// What stands before the first `::`, if it is the name of a crate.
fn crate_of(path: &str) -> Option<&str> {
    let end = path.find(|of: char| !of.is_alphanumeric() && of != '_')?;
    let (of, rest) = path.split_at(end);
    (!of.is_empty() && rest.starts_with("::")).then_some(of)
}

fn is_allocator(path: &str, file: &str) -> bool {
    let is_entry = matches!(path, "malloc" | "calloc" | "realloc" | "aligned_alloc");
    is_entry || begins(path, &ALLOCATOR) || file.contains("/jemalloc/")
}

fn is_runner(name: &str, path: &str) -> bool {
    let of_c = name.trim_start_matches("__GI_").trim_start_matches('_');
    RUNNERS.contains(&of_c)
        || name.contains("__rust_begin_short_backtrace")
        || begins(path, &["test::", "std::rt::lang_start", "std::thread::"])
}

/// Whether it is what the standard library does for a type of the language, or for any
/// type: `<u64 as core::fmt::Display>::fmt`, `<T as alloc::slice::…`, `<[u8]>::to_vec`.
fn is_builtin(name: &str, path: &str) -> bool {
    if !name.starts_with('<') || crate_of(path).is_some() {
        return false;
    }
    path.split_once(" as ")
        .is_none_or(|(_, what)| begins(what, &["alloc::", "core::", "std::"]))
}

fn is_standard(file: &str) -> bool {
    let is_rust = file.starts_with("/rustc/") || file.contains("/rustlib/src/rust/");
    let first = file.split('/').next().unwrap_or_default();
    let is_go = file.contains("/go/src/")
        || file.contains("/lib/go-")
        || file.contains(".go") && OF_GO.contains(&first);
    // glibc's are relative to its own folder.
    let is_libc = first == "." && file.contains(".c");
    is_rust && file.contains("/library/") || is_go || is_libc
}

fn is_package(name: &str, path: &str, file: &str) -> bool {
    const FOLDERS: [&str; 6] = [
        "/.cargo/",
        "/registry/src/",
        "/git/checkouts/",
        "/pkg/mod/",
        "/rust/deps/",
        "/vendor/",
    ];
    // A program of Go has its own package, wherever it is.
    if name.starts_with("main.") {
        return false;
    }
    if file.is_empty() {
        let is_go = name.contains('.');
        return crate_of(path).map_or(!is_go && path == name, |of| PACKAGES.contains(&of));
    }
    FOLDERS.iter().any(|folder| file.contains(folder))
        || file.contains("@v") && file.contains(".go")
}

#[cfg(test)]
mod tests {
    use super::Origin::{Agent, Allocator, Package, Program, Pseudo, Runner, Standard};
    use super::*;

    const OWN: &str = "/home/me/svc/src/main.rs";
    const VEC: &str = "/rustc/59807/library/alloc/src/vec/mod.rs";
    const SERDE: &str = "/c/registry/src/index-1/serde_json-1/src/de.rs";

    #[test]
    fn functions_of_rust() {
        for (name, file, origin) in [
            ("svc::sessions::open", OWN, Program),
            ("svc::sessions::open", "", Program),
            ("<svc::Map as Trait>::call", OWN, Program),
            ("<&mut svc::A as B>::c", "", Program),
            ("<dyn svc::A>::b", "", Program),
            ("<&mut dyn for<'a> svc::A>::b", "", Program),
            ("<T as svc::Keep>::keep", "", Program),
            ("<[u8] as svc::Keep>::keep", "", Program),
            (
                "<alloc::vec::Vec<T> as core::clone::Clone>::clone",
                "",
                Standard,
            ),
            ("<alloc::vec::Vec<svc::T>>::push", OWN, Standard),
            ("push<u8>", VEC, Standard),
            ("<u64 as core::fmt::Display>::fmt", "", Standard),
            ("<T as alloc::slice::ConvertVec>::to_vec", "", Standard),
            ("<[u8]>::to_vec_in::<alloc::alloc::Global>", "", Standard),
            (
                "<fn() as core::ops::function::FnOnce<()>>::call_once",
                OWN,
                Standard,
            ),
            (
                "<&mut dyn for<'a> core::ops::FnMut<(&'a u8,)>>::call_mut",
                OWN,
                Standard,
            ),
            (
                "hashbrown::raw::RawTable<T,A>::reserve_rehash",
                OWN,
                Standard,
            ),
            ("__rust_try", OWN, Standard),
            ("serde_json::de::from_str", SERDE, Package),
            ("svc::own", "/root/.cargo/svc/src/a.rs", Package),
            ("dashmap::DashMap<K,V>::insert", "", Package),
            (
                "heaplens_maps::hash_map::TrackedHashMap<K,V>::insert",
                OWN,
                Agent,
            ),
            (
                "heaplens::testing::transaction::Transaction::run",
                OWN,
                Agent,
            ),
            (
                "std::sys::backtrace::__rust_begin_short_backtrace",
                OWN,
                Runner,
            ),
            ("std::rt::lang_start::{{closure}}", OWN, Runner),
            ("test::run_test", OWN, Runner),
        ] {
            assert_eq!(Origin::of(name, file), origin, "{name} in {file}");
        }
    }

    #[test]
    fn functions_of_c_and_go() {
        for (name, file, origin) in [
            ("main", "", Runner),
            ("_start", "", Runner),
            ("start_thread", "./nptl/pthread_create.c", Runner),
            ("__GI___clone3", "./misc/clone3.S", Runner),
            ("__libc_start_main", "./csu/../csu/libc-start.c", Runner),
            ("__libc_start_call_main", "", Standard),
            ("qsort_r", "./stdlib/qsort.c", Standard),
            ("sqlite3_open", "", Package),
            ("call", "/svc/src/call.c", Program),
            ("_rjem_je_prof_backtrace", "", Allocator),
            ("malloc", "", Allocator),
            ("imalloc_body", "/b/jemalloc/src/jemalloc.c", Allocator),
            ("[truncated]", "", Pseudo),
            ("", "", Pseudo),
            ("<", "", Pseudo),
            (
                "runtime.mallocgc",
                "/usr/local/go/src/runtime/malloc.go",
                Standard,
            ),
            (
                "bytes.growSlice",
                "/usr/lib/go-1.19/src/bytes/buffer.go",
                Standard,
            ),
            ("regexp.makeOnePass", "regexp/onepass.go", Standard),
            ("github.com/a/b.F", "github.com/a/b@v1.2.3/f.go", Package),
            ("github.com/a/b.F", "", Program),
            ("main.main", "svc/main.go", Program),
            ("svc/log.Print", "svc/log/print.go", Program),
        ] {
            assert_eq!(Origin::of(name, file), origin, "{name} in {file}");
        }
    }

    #[test]
    fn files_are_shortened() {
        for (file, expected) in [
            (
                "/home/me/svc/src/cases/sessions.rs",
                "src/cases/sessions.rs",
            ),
            ("/home/me/src/svc/src/a/b/c/d.rs", "src/a/b/c/d.rs"),
            ("/svc/tests/it.rs", "tests/it.rs"),
            ("/home/me/svc/build/out/gen.rs", "build/out/gen.rs"),
            ("/main.rs", "/main.rs"),
            ("src/main.rs", "src/main.rs"),
            (
                "/c/registry/src/index-1/serde-1/src/de.rs",
                "serde-1/src/de.rs",
            ),
            (
                "/h/.cargo/git/checkouts/a-0f/1234567/src/b.rs",
                "1234567/src/b.rs",
            ),
            (VEC, "library/alloc/src/vec/mod.rs"),
            (
                "/h/lib/rustlib/src/rust/library/core/src/a.rs",
                "library/core/src/a.rs",
            ),
            ("", ""),
        ] {
            assert_eq!(short(file), expected);
        }
        for file in [OWN, "/home/me/library/src/a.rs", ""] {
            assert_eq!(in_package(file), None);
        }
    }
}
