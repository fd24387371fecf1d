//! A stack as people read it.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use heaplens_alloc::{Counters, Site, Snapshot, Stack, Tally};
use heaplens_profile::origin::{self, Origin};
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
                if !trace.add(Part::of(function), || self.frame(function, line)) {
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
        origin::in_package(file).or_else(own).unwrap_or(file)
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
    fn add(&mut self, part: Part, frame: impl FnOnce() -> String) -> bool {
        match part {
            Part::Program => {
                self.frames.extend(self.library.take());
                self.frames.push(frame());
            }
            Part::Library if self.frames.is_empty() => self.library = Some(frame()),
            Part::Library | Part::Ours => {}
            Part::Harness if self.frames.is_empty() => {
                self.frames.push(self.library.take().unwrap_or_else(frame));
                return false;
            }
            Part::Harness => return false,
        }
        true
    }

    fn end(mut self) -> Vec<String> {
        self.frames.extend(self.library);
        self.frames
    }
}

/// What a function is to one who reads of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Program,
    /// Of some library.
    Library,
    /// This module's, which is in between when it runs the program's closures.
    Ours,
    /// What runs a test, or `main`: nothing further out is of interest.
    Harness,
}

impl Part {
    fn of(function: &Function) -> Self {
        match Origin::of(&function.name, &function.file) {
            Origin::Program => Part::Program,
            Origin::Runner => Part::Harness,
            Origin::Agent if is_of_tests(&function.name) => Part::Ours,
            _ => Part::Library,
        }
    }
}

fn is_of_tests(name: &str) -> bool {
    name.trim_start_matches(['<', '&'])
        .starts_with("heaplens::testing::")
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

#[cfg(test)]
mod tests {
    use super::Part::{Harness, Library, Ours, Program};
    use super::*;

    #[test]
    fn of_a_library_the_function_that_the_program_called_is_shown() {
        let shown = |parts: &[Part]| {
            let mut trace = Trace::default();
            for (number, &part) in parts.iter().enumerate() {
                if !trace.add(part, || number.to_string()) {
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
