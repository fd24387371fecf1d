//! The line of the program that a stack is about, as a person would name it: the first frame,
//! from the allocator outwards, that is neither the standard library's nor a dependency's.

use heaplens_profile::{Function, Profile, Sample, origin};

/// A function of the program, and where in it something is allocated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    /// With its module, without closures and generic arguments.
    pub(crate) function: String,
    /// Empty if it is not known.
    pub(crate) file: String,
    /// 0 if it is not known.
    pub(crate) line: u32,
}

impl Place {
    /// Of a symbolized sample. `None` if no frame of it has a name.
    pub(crate) fn of(profile: &Profile, sample: &Sample) -> Option<Self> {
        let locations = sample.locations.iter();
        let lines = locations
            .filter_map(|at| profile.locations.get(*at))
            .flat_map(|location| &location.lines);
        let frames: Vec<(&Function, u32)> = lines
            .filter_map(|line| {
                let function = profile.functions.get(line.function)?;
                let is_frame = !function.name.is_empty() && !function.name.starts_with('[');
                is_frame.then_some((&**function, line.line))
            })
            .collect();
        let own = frames.iter().find(|(function, _)| origin::is_own(function));
        let nearly = || frames.iter().find(|frame| !is_library(&frame.0.name));
        let (function, line) = own.or_else(nearly).or_else(|| frames.first())?;
        Some(Place {
            function: plain(&function.name),
            file: function.file.clone(),
            line: *line,
        })
    }

    /// The file from where its package begins; `None` if it is not known.
    pub(crate) fn file(&self) -> Option<&str> {
        (!self.file.is_empty()).then(|| in_package(&self.file))
    }

    /// The line; `None` if it is not known.
    pub(crate) fn line(&self) -> Option<u32> {
        (self.line > 0).then_some(self.line)
    }

    /// As in `create_session at src/cases/sessions.rs:41`.
    pub(crate) fn name(&self) -> String {
        let function = short(&self.function);
        match (&*self.file, self.line) {
            ("", _) => function.to_owned(),
            (file, 0) => format!("{function} at {}", in_package(file)),
            (file, line) => format!("{function} at {}:{line}", in_package(file)),
        }
    }
}

/// Crates between the program and its allocator that say nothing of who wants the memory,
/// where none of the program's own code is on the stack.
const LIBRARIES: [&str; 16] = [
    "alloc",
    "bytes",
    "core",
    "dashmap",
    "hashbrown",
    "heaplens",
    "heaplens_alloc",
    "heaplens_maps",
    "indexmap",
    "lru",
    "moka",
    "papaya",
    "quick_cache",
    "scc",
    "smallvec",
    "std",
];

fn is_library(name: &str) -> bool {
    LIBRARIES.contains(&crate_of(name))
}

/// `svc` of `<&mut svc::Table<u8> as core::fmt::Debug>::fmt`.
fn crate_of(name: &str) -> &str {
    let mut path = name;
    loop {
        let before = path;
        for mark in ["<", "&", "mut ", "dyn ", "*const ", "*mut ", "("] {
            path = path.strip_prefix(mark).unwrap_or(path);
        }
        if path == before {
            break;
        }
    }
    if path.starts_with('[') {
        return "core";
    }
    let end = path.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (first, rest) = path.split_at(end.unwrap_or(path.len()));
    // A type without a path is a primitive one; a function without one is C's.
    if name.starts_with('<') && !rest.starts_with("::") {
        return "core";
    }
    first
}

/// Without closures at its end, hashes and generic arguments.
fn plain(name: &str) -> String {
    let mut plain = without_arguments(name);
    loop {
        let end = plain.rfind("::").filter(|at| {
            let last = plain.get(at + 2..).unwrap_or_default();
            last.starts_with("{{") || last.starts_with("{closure") || last.is_empty()
        });
        match end {
            Some(end) => plain.truncate(end),
            None => return plain,
        }
    }
}

/// `svc::f::<u8>` and `svc::f<u8>` as `svc::f`; the type in front of `<svc::T as X>::f` stays,
/// without its brackets and what it implements.
fn without_arguments(name: &str) -> String {
    let (head, rest) = match name.strip_prefix('<').and_then(split_type) {
        Some((of_type, rest)) => {
            let of_type = of_type.split(" as ").next().unwrap_or(of_type);
            (without_arguments(of_type.trim_start_matches('&')), rest)
        }
        None => (String::new(), name),
    };
    let mut out = head;
    let (mut depth, mut before) = (0_usize, ' ');
    for character in rest.chars() {
        match character {
            '<' => depth += 1,
            // An arrow is no bracket.
            '>' if before != '-' => depth = depth.saturating_sub(1),
            other if depth == 0 => out.push(other),
            _ => {}
        }
        before = character;
    }
    out.replace("::::", "::")
}

/// What is before the bracket that closes the one just taken off, and what follows it.
fn split_type(text: &str) -> Option<(&str, &str)> {
    let (mut depth, mut before) = (1_usize, ' ');
    for (at, character) in text.char_indices() {
        match character {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((text.get(..at)?, text.get(at + 1..)?));
        }
        before = character;
    }
    None
}

/// The function, with the type that it belongs to.
fn short(function: &str) -> &str {
    let Some(last) = function.rfind("::") else {
        return function;
    };
    let path = function.get(..last).unwrap_or_default();
    let begin = path.rfind("::").map_or(0, |at| at + 2);
    let of_type = path.get(begin..).unwrap_or_default();
    let is_type = of_type.starts_with(|first: char| first.is_ascii_uppercase());
    let from = if is_type { begin } else { last + 2 };
    function.get(from..).unwrap_or(function)
}

/// The file from where its package begins: `src/cases/sessions.rs`.
fn in_package(file: &str) -> &str {
    const BEGINNINGS: [&str; 4] = ["/src/", "/tests/", "/examples/", "/benches/"];
    let begin = BEGINNINGS.iter().filter_map(|of| file.rfind(of)).max();
    begin.and_then(|at| file.get(at + 1..)).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_people_say_them() {
        for (name, expected) in [
            (
                "leaky_service::cases::sessions::create_session",
                "create_session",
            ),
            (
                "leaky_service::cases::sessions::create_session::{{closure}}::{{closure}}",
                "create_session",
            ),
            ("svc::run::{closure#0}", "run"),
            ("svc::Table<K,V>::grow", "Table::grow"),
            (
                "svc::Table<K, V>::grow::<alloc::alloc::Global>",
                "Table::grow",
            ),
            (
                "<svc::a::Table<fn() -> u8> as svc::Grow<u8>>::grow",
                "Table::grow",
            ),
            ("<&svc::a::Table as core::fmt::Debug>::fmt", "Table::fmt"),
            ("<svc::Table>::new::{{closure}}", "Table::new"),
            ("main", "main"),
            ("svc::main", "main"),
        ] {
            assert_eq!(short(&plain(name)), expected, "{name}");
        }
    }

    #[test]
    fn crates_of_functions() {
        for (name, expected) in [
            ("svc::main", "svc"),
            ("<svc::Table as core::clone::Clone>::clone", "svc"),
            (
                "<alloc::vec::Vec<svc::T> as core::clone::Clone>::clone",
                "alloc",
            ),
            ("<[u8]>::to_vec_in::<alloc::alloc::Global>", "core"),
            ("<&mut dyn svc::T as core::fmt::Write>::write_str", "svc"),
            ("<u8 as alloc::slice::ConvertVec>::to_vec", "alloc"),
            ("malloc", "malloc"),
            ("", ""),
        ] {
            let found = crate_of(name);
            let is_std = ["alloc", "core"].contains(&expected);
            assert!(
                found == expected || is_std && is_library(name),
                "{name}: {found}"
            );
        }
    }

    #[test]
    fn files_from_their_package_on() {
        for (file, expected) in [
            ("/home/me/src/svc/src/cases/a.rs", "src/cases/a.rs"),
            ("/svc/tests/it.rs", "tests/it.rs"),
            ("/svc/build.rs", "/svc/build.rs"),
            ("a.rs", "a.rs"),
        ] {
            assert_eq!(in_package(file), expected);
        }
        let place = |file: &str, line| Place {
            function: "svc::f".to_owned(),
            file: file.to_owned(),
            line,
        };
        assert_eq!(place("/s/src/a.rs", 7).name(), "f at src/a.rs:7");
        assert_eq!(place("/s/src/a.rs", 0).name(), "f at src/a.rs");
        assert_eq!(place("", 7).name(), "f");
    }
}
