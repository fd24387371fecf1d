//! Whose a function is: the program's, or that of a library.

/// Whose function it is. Later ones say more about what holds the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Stands for what is not known, such as `[truncated]`.
    Pseudo,
    /// An allocator's.
    Allocator,
    /// The standard library's, of Rust or Go.
    Standard,
    /// Of a package from a registry.
    Package,
    Program,
}

/// How the names of functions begin that are the standard library's wherever they
/// stand; what is generic is compiled into the program.
const STANDARD: [&str; 10] = [
    "alloc::",
    "core::",
    "std::",
    "hashbrown::",
    "fn(",
    "__rust",
    "_Unwind",
    "runtime.",
    "__libc",
    "_dl_",
];

/// Where the C library runs a program and its threads.
const RUNNERS: [&str; 4] = ["start_thread", "clone", "clone3", "start"];

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

/// What comes before the type in `<&mut dyn for<'a> core::ops::FnMut(…)>::call`.
const BEFORE_TYPES: [&str; 6] = ["<", "&", "mut ", "dyn ", "for<'a> ", "["];

impl Origin {
    pub(crate) fn of(name: &str, file: &str) -> Self {
        let mut path = name;
        for before in BEFORE_TYPES {
            path = path.strip_prefix(before).unwrap_or(path);
        }
        let begins = |parts: &[&str]| parts.iter().any(|part| path.starts_with(part));
        let is_entry = matches!(name, "malloc" | "calloc" | "realloc" | "aligned_alloc");
        if name.starts_with('[') && name.ends_with(']') {
            Origin::Pseudo
        } else if begins(&ALLOCATOR) || is_entry || file.contains("/jemalloc/") {
            Origin::Allocator
        } else if is_runner(name)
            || is_builtin(path)
            || begins(&STANDARD)
            || begins(&["heaplens_maps::"])
            || is_standard(file)
        {
            Origin::Standard
        } else if is_package(file) && !name.starts_with("main.") {
            Origin::Package
        } else {
            Origin::Program
        }
    }
}

fn is_runner(name: &str) -> bool {
    let name = name.trim_start_matches("__GI_").trim_start_matches('_');
    RUNNERS.contains(&name)
}

/// Whether it is what the standard library does for a type of the language, or for
/// any type: `u64 as core::fmt::Display>::fmt`, `T as alloc::slice::…`.
fn is_builtin(path: &str) -> bool {
    let Some((of, what)) = path.split_once(" as ") else {
        return false;
    };
    let is_any = of.len() == 1 && of.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_number =
        |kind: char| of.starts_with(kind) && of.bytes().skip(1).all(|byte| byte.is_ascii_digit());
    let is_known = is_any || ['u', 'i', 'f'].into_iter().any(is_number) || of == "str";
    is_known
        && ["alloc::", "core::", "std::"]
            .iter()
            .any(|of| what.starts_with(of))
}

fn is_standard(file: &str) -> bool {
    let is_rust = file.starts_with("/rustc/") || file.contains("/rustlib/src/rust/");
    let first = file.split('/').next().unwrap_or_default();
    let is_go = file.contains("/go/src/")
        || file.contains("/lib/go-")
        || file.contains(".go") && OF_GO.contains(&first);
    is_rust && file.contains("/library/") || is_go
}

fn is_package(file: &str) -> bool {
    // Where Cargo and Go keep what they fetched.
    ["/registry/src/", "/git/checkouts/", "/pkg/mod/", "/vendor/"]
        .iter()
        .any(|folder| file.contains(folder))
        || file.contains("@v") && file.contains(".go")
}

/// A source file from its package or folder on: `serde_json-1.0.154/src/de.rs`,
/// `library/alloc/src/vec/mod.rs`, or the last three parts of its path.
pub(crate) fn short(file: &str) -> &str {
    for folder in ["/registry/src/", "/git/checkouts/", "/pkg/mod/"] {
        if let Some((_, rest)) = file.split_once(folder) {
            return rest.split_once('/').map_or(rest, |(_, package)| package);
        }
    }
    if let Some(at) = file.find("/library/").filter(|_| is_standard(file)) {
        return file.get(at + 1..).unwrap_or(file);
    }
    if !file.starts_with('/') {
        return file;
    }
    let parts = file.rmatch_indices('/').map(|(at, _)| at).nth(2);
    parts.and_then(|at| file.get(at + 1..)).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::Origin::{Allocator, Package, Program, Pseudo, Standard};
    use super::*;

    #[test]
    fn whose_functions() {
        let own = "/home/me/svc/src/main.rs";
        for (name, file, origin) in [
            ("svc::sessions::open", own, Program),
            ("<svc::Map as Trait>::call", own, Program),
            (
                "<alloc::vec::Vec<T> as core::clone::Clone>::clone",
                "",
                Standard,
            ),
            (
                "push<u8>",
                "/rustc/59807/library/alloc/src/vec/mod.rs",
                Standard,
            ),
            (
                "serde_json::de::from_str",
                "/c/registry/src/index-1/serde_json-1/src/de.rs",
                Package,
            ),
            ("_rjem_je_prof_backtrace", "", Allocator),
            ("imalloc_body", "/b/jemalloc/src/jemalloc.c", Allocator),
            ("[truncated]", "", Pseudo),
            ("start_thread", "./nptl/pthread_create.c", Standard),
            ("__GI___clone3", "./misc/clone3.S", Standard),
            ("<u64 as core::fmt::Display>::fmt", "", Standard),
            ("<T as alloc::slice::ConvertVec>::to_vec", "", Standard),
            ("<T as svc::Keep>::keep", "", Program),
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
            ("github.com/a/b.F", "github.com/a/b@v1.2.3/f.go", Package),
            ("main.main", "svc/main.go", Program),
            ("regexp.makeOnePass", "regexp/onepass.go", Standard),
            ("svc/log.Print", "svc/log/print.go", Program),
        ] {
            assert_eq!(Origin::of(name, file), origin, "{name}");
        }
    }

    #[test]
    fn files_are_shortened() {
        for (file, expected) in [
            (
                "/home/me/svc/src/cases/sessions.rs",
                "src/cases/sessions.rs",
            ),
            ("/main.rs", "/main.rs"),
            ("src/main.rs", "src/main.rs"),
            (
                "/c/registry/src/index-1/serde-1/src/de.rs",
                "serde-1/src/de.rs",
            ),
            (
                "/rustc/5/library/alloc/src/vec/mod.rs",
                "library/alloc/src/vec/mod.rs",
            ),
            ("", ""),
        ] {
            assert_eq!(short(file), expected);
        }
    }
}
