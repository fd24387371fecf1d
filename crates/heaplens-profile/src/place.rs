//! The line of the program that a stack is about, as a person would name it: the first frame,
//! from the allocator outwards, that is neither the standard library's nor a dependency's.

use std::ffi::OsStr;
use std::path::Path;

use crate::model::{Function, Profile, Sample};
use crate::origin::{self, Origin};

/// A function of the program, and where in it something is allocated.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// With its module, without closures and generic arguments.
    pub function: String,
    /// Empty if it is not known.
    pub file: String,
    /// 0 if it is not known.
    pub line: u32,
}

impl Place {
    /// Of a symbolized sample, by what [`origin::origins`] says of the profile's functions.
    /// `None` if no frame of it has a name.
    pub fn of(profile: &Profile, origins: &[Origin], sample: &Sample) -> Option<Self> {
        let line = origin::line(profile, origins, sample)?;
        let function = profile.functions.get(line.function)?;
        let is_known = origins.get(line.function) > Some(&Origin::Pseudo);
        let named = around(profile, sample, function).unwrap_or(function);
        is_known.then(|| Place {
            function: plain(&named.name),
            file: function.file.clone(),
            line: line.line,
        })
    }

    /// The file from where its package begins; `None` if it is not known.
    pub fn file(&self) -> Option<&str> {
        (!self.file.is_empty()).then(|| origin::short(&self.file))
    }

    /// The line; `None` if it is not known.
    pub fn line(&self) -> Option<u32> {
        (self.line > 0).then_some(self.line)
    }

    /// As in `create_session at src/cases/sessions.rs:41`.
    pub fn name(&self) -> String {
        let function = short(&self.function);
        match (&*self.file, self.line) {
            ("", _) => function.to_owned(),
            (file, 0) => format!("{function} at {}", origin::short(file)),
            (file, line) => format!("{function} at {}:{line}", origin::short(file)),
        }
    }
}

/// The function around a closure that was inlined, of which line tables alone know its
/// module: the next one further out in the stack, in the same file, that has a name of its
/// own. `None` for all other functions, and where there is none.
pub fn around<'a>(profile: &'a Profile, sample: &Sample, inner: &Function) -> Option<&'a Function> {
    is_unnamed(inner).then_some(())?;
    let locations = sample.locations.iter();
    let locations = locations.filter_map(|at| profile.locations.get(*at));
    let lines = locations.flat_map(|location| &location.lines);
    let mut outer = lines.filter_map(|line| profile.functions.get(line.function));
    let found = outer.find(|outer| outer.file == inner.file && !is_unnamed(outer));
    found.map(|found| &**found)
}

/// Whether it is a closure of which only the module is known: `svc::cases::sessions::{closure#0}`
/// in `…/cases/sessions.rs`.
fn is_unnamed(function: &Function) -> bool {
    // Asked of every sample.
    if !function.name.contains("::{") {
        return false;
    }
    let path = plain(&function.name);
    if path.len() == function.name.len() {
        return false;
    }
    let (parent, last) = path.rsplit_once("::").unwrap_or(("", &path));
    let file = Path::new(&function.file);
    let stem = file.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let folder = file
        .parent()
        .and_then(Path::file_name)
        .and_then(OsStr::to_str);
    match stem {
        "main" | "lib" => parent.is_empty(),
        "mod" => folder == Some(last),
        _ => stem == last,
    }
}

/// Without closures at its end, hashes and generic arguments.
fn plain(name: &str) -> String {
    let mut plain = without_arguments(name);
    loop {
        let end = plain.rfind("::").filter(|at| {
            let last = plain.get(at + 2..).unwrap_or_default();
            last.starts_with('{') || last.is_empty()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::folded;
    use crate::model::ValueType;

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
            ("svc::run::{async_block#0}::{closure#1}", "run"),
            ("svc::run::{async_fn#0}", "run"),
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
    fn places_as_people_say_them() {
        let place = |file: &str, line| Place {
            function: "svc::f".to_owned(),
            file: file.to_owned(),
            line,
        };
        assert_eq!(place("/s/src/a.rs", 7).name(), "f at src/a.rs:7");
        assert_eq!(place("/s/src/a.rs", 0).name(), "f at src/a.rs");
        assert_eq!(place("", 7).name(), "f");
    }

    #[test]
    fn closures_without_a_name_have_that_of_the_function_around_them() {
        let own = "/svc/src/cases/sessions.rs";
        let functions = [
            ("alloc::vec::push", "/rustc/5/library/alloc/src/vec/mod.rs"),
            ("svc::cases::sessions::{closure#1}", own),
            ("core::iter::map", "/rustc/5/library/core/src/iter/map.rs"),
            ("svc::cases::sessions::create_session", own),
            ("svc::main", "/svc/src/main.rs"),
        ];
        let place = |stack: &[usize]| {
            let names = stack.iter().rev().map(|at| functions[*at].0);
            let folded = format!("{} 1\n", names.collect::<Vec<_>>().join(";"));
            let mut profile = folded::read(&folded, ValueType::new("inuse_space", "bytes"))
                .expect("folded stacks");
            for function in &mut profile.functions {
                let (_, file) = functions.iter().find(|of| of.0 == function.name).unwrap();
                Arc::make_mut(function).file = (*file).to_owned();
            }
            for line in profile.locations.iter_mut().flat_map(|at| &mut at.lines) {
                let name = &profile.functions[line.function].name;
                line.line = 10 + functions.iter().position(|of| of.0 == name).unwrap() as u32;
            }
            let origins = origin::origins(&profile);
            Place::of(&profile, &origins, &profile.samples[0]).map(|place| place.name())
        };
        let at = |name: &str| Some(name.to_owned());
        assert_eq!(
            place(&[0, 1, 2, 3, 4]),
            at("create_session at src/cases/sessions.rs:11")
        );
        assert_eq!(
            place(&[0, 1, 2, 4]),
            at("sessions at src/cases/sessions.rs:11")
        );
        assert_eq!(
            place(&[0, 3, 4]),
            at("create_session at src/cases/sessions.rs:13")
        );
        assert_eq!(place(&[0]), at("push at library/alloc/src/vec/mod.rs:10"));
    }
}
