//! A stack as people read it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use heaplens_alloc::{Counters, Site, Snapshot, Stack, Tally};
use heaplens_profile::{Function, Line, Mappings, Profile, Symbolizer};

/// Gives stacks their names.
pub(super) struct Names {
    /// `None` where the system does not tell what is mapped.
    mappings: Option<Mappings>,
    symbolizer: Symbolizer,
    /// Source files below this are shown without it.
    folder: Option<PathBuf>,
}

impl Names {
    pub(super) fn new() -> Self {
        Names {
            mappings: Mappings::of_current_process().ok(),
            symbolizer: Symbolizer::new(),
            folder: std::env::current_dir().ok(),
        }
    }

    /// The frames of a stack that are of interest, innermost first.
    pub(super) fn of(&mut self, stack: Stack) -> Vec<String> {
        let Some(mappings) = &self.mappings else {
            return stack.frames.iter().map(|at| format!("{at:#x}")).collect();
        };
        let snapshot = alone(stack);
        let profile = Profile::new(&snapshot, mappings, Some(&mut self.symbolizer));
        let locations = profile.samples.iter().flat_map(|of| &of.locations);
        let mut trace = Trace::default();
        for location in locations.filter_map(|&at| profile.locations.get(at)) {
            if location.lines.is_empty() {
                trace.frames.push(format!("{:#x}", location.address));
            }
            for line in &location.lines {
                let Some(function) = profile.functions.get(line.function) else {
                    continue;
                };
                let origin = Origin::of(&function.name, &function.file);
                if !trace.add(origin, || self.frame(function, line)) {
                    return trace.frames;
                }
            }
        }
        trace.end()
    }

    /// `function (file:line)`.
    fn frame(&self, function: &Function, line: &Line) -> String {
        let file = self.short(&function.file);
        match (file, line.line) {
            ("", _) => function.name.clone(),
            (_, 0) => format!("{} ({file})", function.name),
            (_, number) => format!("{} ({file}:{number})", function.name),
        }
    }

    /// A source file as seen from the folder in which tests run, or from its package.
    fn short<'a>(&self, file: &'a str) -> &'a str {
        let below = |folder| Path::new(file).strip_prefix(folder).ok()?.to_str();
        let own = || self.folder.as_deref().and_then(below);
        library_source(file).or_else(own).unwrap_or(file)
    }
}

/// The frames of a stack as they are shown.
#[derive(Default)]
struct Trace {
    frames: Vec<String>,
    /// The last function of the library that was passed over at the leaf end.
    library: Option<String>,
}

impl Trace {
    /// Adds a function further out, or passes over it. `false` if what follows is of no
    /// interest.
    fn add(&mut self, origin: Origin, frame: impl FnOnce() -> String) -> bool {
        match origin {
            Origin::Program => {
                self.frames.extend(self.library.take());
                self.frames.push(frame());
            }
            Origin::Library if self.frames.is_empty() => self.library = Some(frame()),
            Origin::Library | Origin::Ours => {}
            Origin::Harness if self.frames.is_empty() => {
                self.frames.push(self.library.take().unwrap_or_else(frame));
                return false;
            }
            Origin::Harness => return false,
        }
        true
    }

    fn end(mut self) -> Vec<String> {
        self.frames.extend(self.library);
        self.frames
    }
}

/// A snapshot of one block with this stack.
fn alone(stack: Stack) -> Snapshot {
    let now = SystemTime::now();
    let mut counters = Counters::default();
    counters.sample_interval = 1;
    let mut tally = Tally::default();
    tally.record(1, 1);
    let site = Site::new(0, 0, tally, tally);
    Snapshot::from_parts(now, now, counters, vec![stack], vec![site])
}

/// Whose function it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Program,
    /// The standard library's, or that of a package from a registry.
    Library,
    /// This module's, which is in between when it runs the program's closures.
    Ours,
    /// What runs a test, or `main`: nothing further out is of interest.
    Harness,
}

/// How the names of functions begin that are the library's wherever they stand.
const LIBRARY: [&str; 8] = [
    "alloc::",
    "core::",
    "std::",
    "hashbrown::",
    "heaplens_maps::",
    "fn(",
    "__rust",
    "_Unwind",
];

/// What comes before the type in `<&mut dyn for<'a> core::ops::FnMut(…)>::call`.
const BEFORE_TYPES: [&str; 6] = ["<", "&", "mut ", "dyn ", "for<'a> ", "["];

impl Origin {
    fn of(name: &str, file: &str) -> Self {
        let mut path = name;
        for before in BEFORE_TYPES {
            path = path.strip_prefix(before).unwrap_or(path);
        }
        let begins = |parts: &[&str]| parts.iter().any(|part| path.starts_with(part));
        if name.contains("__rust_begin_short_backtrace")
            || begins(&["test::", "std::rt::lang_start", "std::thread::"])
        {
            Origin::Harness
        } else if begins(&["heaplens::testing::"]) {
            Origin::Ours
        } else if begins(&LIBRARY) || library_source(file).is_some() {
            Origin::Library
        } else {
            Origin::Program
        }
    }
}

/// The source file of a library from its package on, as in
/// `serde_json-1.0.154/src/de.rs` or `library/alloc/src/vec/mod.rs`.
fn library_source(file: &str) -> Option<&str> {
    // Cargo keeps packages below a folder named for their registry or repository.
    for folder in ["/registry/src/", "/git/checkouts/"] {
        if let Some((_, rest)) = file.split_once(folder) {
            return rest.split_once('/').map(|(_, package)| package);
        }
    }
    let at = file.find("/library/")?;
    let is_rust = file.starts_with("/rustc/") || file.contains("/rustlib/src/rust/");
    file.get(at + 1..).filter(|_| is_rust)
}

#[cfg(test)]
mod tests {
    use super::Origin::{Harness, Library, Ours, Program};
    use super::*;

    const OWN: &str = "/home/me/service/src/main.rs";

    #[test]
    fn whose_functions() {
        for (name, origin) in [
            ("service::sessions::open", Origin::Program),
            ("<service::Map as Trait>::call", Origin::Program),
            (
                "<alloc::vec::Vec<T> as core::clone::Clone>::clone",
                Origin::Library,
            ),
            (
                "<fn() as core::ops::function::FnOnce<()>>::call_once",
                Origin::Library,
            ),
            (
                "<&mut dyn for<'a> core::ops::FnMut<(&'a u8,)>>::call_mut",
                Origin::Library,
            ),
            ("__rust_try", Origin::Library),
            (
                "hashbrown::raw::RawTable<T,A>::reserve_rehash",
                Origin::Library,
            ),
            (
                "heaplens::testing::transaction::Transaction::run",
                Origin::Ours,
            ),
            (
                "std::sys::backtrace::__rust_begin_short_backtrace",
                Origin::Harness,
            ),
            ("test::run_test", Origin::Harness),
        ] {
            assert_eq!(Origin::of(name, OWN), origin, "{name}");
        }
        let packaged = "/home/me/.cargo/registry/src/index.crates.io-1949/serde-1.0.1/src/de.rs";
        assert_eq!(Origin::of("serde::de::visit", packaged), Origin::Library);
        assert_eq!(Origin::of("serde::de::visit", ""), Origin::Program);
    }

    #[test]
    fn sources_of_libraries_begin_with_their_package() {
        for (file, short) in [
            (
                "/h/.cargo/registry/src/index.crates.io-1949/a-1.0.1/src/b.rs",
                "a-1.0.1/src/b.rs",
            ),
            (
                "/h/.cargo/git/checkouts/a-0f/1234567/src/b.rs",
                "1234567/src/b.rs",
            ),
            (
                "/rustc/59807616/library/alloc/src/fmt.rs",
                "library/alloc/src/fmt.rs",
            ),
            (
                "/h/lib/rustlib/src/rust/library/core/src/a.rs",
                "library/core/src/a.rs",
            ),
        ] {
            assert_eq!(library_source(file), Some(short));
        }
        for file in [OWN, "/home/me/library/src/a.rs", ""] {
            assert_eq!(library_source(file), None);
        }
    }

    #[test]
    fn of_a_library_the_function_that_the_program_called_is_shown() {
        let shown = |origins: &[Origin]| {
            let mut trace = Trace::default();
            for (number, &origin) in origins.iter().enumerate() {
                if !trace.add(origin, || number.to_string()) {
                    return trace.frames.concat();
                }
            }
            trace.end().concat()
        };
        assert_eq!(shown(&[Library, Library, Program, Library, Program]), "124");
        assert_eq!(shown(&[Program, Ours, Program, Harness, Program]), "02");
        assert_eq!(shown(&[Library, Library]), "1");
        assert_eq!(shown(&[Library, Harness, Program]), "0");
        assert_eq!(shown(&[Harness]), "0");
        assert_eq!(shown(&[]), "");
    }
}
