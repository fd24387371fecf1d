//! `heaplens check`: whether a file is a valid heap profile, and which rule it breaks.

use heaplens_profile::check::alloy::Scraper;
use heaplens_profile::check::parca::{self, Kind};
use heaplens_profile::check::raw::Raw;
use heaplens_profile::check::{self, Faults, Gravity, format, pyroscope};
use serde_json::{Value, json};

use crate::cli::{Check, Reader};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::session::Session;
use crate::source::Source;
use crate::style::{Mark, Style};
use crate::text::{printable, shortened};

/// The name of the JSON.
const SCHEMA: &str = "heaplens.check/1";

/// Columns of what was found.
const DETAIL: usize = 100;

const ALL: [Reader; 4] = [
    Reader::Pprof,
    Reader::Parca,
    Reader::Alloy,
    Reader::Pyroscope,
];

pub(crate) fn run(asked: &Check, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let readers: Vec<Reader> = ALL
        .into_iter()
        .filter(|reader| asked.readers.is_empty() || asked.readers.contains(reader))
        .collect();
    // Between two files, as between two scrapes.
    let mut scraper = Scraper::default();
    let mut checked = Vec::new();
    for text in &asked.sources {
        let source = Source::file(text)?;
        let bytes = source.bytes()?;
        if !asked.series {
            scraper = Scraper::default();
        }
        checked.push(Checked::of(
            source.to_string(),
            &bytes,
            &readers,
            &mut scraper,
        ));
    }
    let is_bad = |of: &Checked| {
        of.worst()
            .is_some_and(|worst| asked.strict || worst == Gravity::Broken)
    };
    let found = checked.iter().any(is_bad);
    if session.json {
        let files: Vec<Value> = checked.iter().map(|of| of.document(!is_bad(of))).collect();
        session.print_json(&json!({ "schema": SCHEMA, "valid": !found, "files": files }))?;
    } else {
        let style = session.console.style();
        for of in &checked {
            session.print_lines(&of.lines(is_bad(of), style))?;
        }
    }
    Ok(if found { Exit::Found } else { Exit::Fine })
}

/// What was found in a file.
struct Checked {
    name: String,
    raw: Option<Raw>,
    /// By who insists on the rules.
    faults: Vec<(&'static str, Faults)>,
}

impl Checked {
    fn of(name: String, bytes: &[u8], readers: &[Reader], scraper: &mut Scraper) -> Self {
        let report = check::file(bytes);
        let mut faults = vec![("format", report.faults)];
        for reader in readers {
            let Some(raw) = &report.raw else {
                continue;
            };
            faults.push(match reader {
                Reader::Pprof => ("pprof", format::check(raw)),
                Reader::Parca => ("Parca", parca::check(raw, kind(raw))),
                // What is within a window is not held against what was before.
                Reader::Alloy if raw.duration == 0 => ("Alloy", scraper.scrape(raw).1),
                Reader::Alloy => ("Alloy", Scraper::default().scrape(raw).1),
                Reader::Pyroscope => ("Pyroscope", pyroscope::check(raw)),
            });
        }
        Checked {
            name,
            raw: report.raw,
            faults,
        }
    }

    fn worst(&self) -> Option<Gravity> {
        let faults = self.faults.iter().flat_map(|(_, faults)| faults);
        faults.map(|fault| fault.gravity).max()
    }

    fn lines(&self, is_bad: bool, style: Style) -> Vec<String> {
        let name = printable(&self.name);
        let verdict = match (is_bad, self.worst()) {
            (true, _) => style.paint(Mark::Red, "not valid"),
            (false, Some(_)) => style.paint(Mark::Yellow, "valid, with remarks"),
            (false, None) => style.paint(Mark::Green, "valid"),
        };
        let mut lines = vec![format!("{name}: {verdict}{}", self.size())];
        for (reader, faults) in &self.faults {
            for fault in faults {
                let (word, mark) = match fault.gravity {
                    Gravity::Broken => ("broken", Mark::Red),
                    Gravity::Noted => ("remark", Mark::Yellow),
                };
                let times = match fault.count {
                    1 => String::new(),
                    times => format!(", {times} times"),
                };
                lines.push(format!(
                    "  {} {reader}: {}{times}: {}",
                    style.paint(mark, word),
                    fault.rule,
                    shortened(&printable(&fault.detail), DETAIL)
                ));
            }
        }
        lines
    }

    fn size(&self) -> String {
        self.raw.as_ref().map_or_else(String::new, |raw| {
            let types: Vec<&str> = raw.type_names().iter().map(|(kind, _)| *kind).collect();
            format!(
                ", {} samples, {} locations, {}",
                raw.samples.len(),
                raw.locations.len(),
                printable(&types.join(" "))
            )
        })
    }

    fn document(&self, is_valid: bool) -> Value {
        let faults: Vec<Value> = self
            .faults
            .iter()
            .flat_map(|(reader, faults)| faults.iter().map(move |fault| (reader, fault)))
            .map(|(reader, fault)| {
                json!({
                    "reader": reader,
                    "rule": fault.rule,
                    "gravity": match fault.gravity {
                        Gravity::Broken => "broken",
                        Gravity::Noted => "remark",
                    },
                    "detail": fault.detail,
                    "count": fault.count,
                })
            })
            .collect();
        json!({
            "file": self.name,
            "valid": is_valid,
            "samples_count": self.raw.as_ref().map(|raw| raw.samples.len()),
            "faults": faults,
        })
    }
}

/// As which of the two Parca takes it.
fn kind(raw: &Raw) -> Kind {
    if raw.duration == 0 {
        Kind::Absolute
    } else {
        Kind::Delta
    }
}
