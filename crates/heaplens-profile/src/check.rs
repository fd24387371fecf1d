//! What the readers of profiles insist on, written down from their documented
//! behaviour and not from our encoder.
//!
//! ```
//! use heaplens_profile::check::{self, Gravity};
//!
//! let report = check::file(b"no profile");
//! assert!(report.faults.iter().any(|fault| fault.gravity == Gravity::Broken));
//! ```

pub mod alloy;
pub mod format;
pub mod parca;
pub mod pyroscope;
pub mod raw;

use std::fmt::Debug;

use crate::pprof;
use raw::Raw;

/// Most characters that a detail has.
const MAX_DETAIL: usize = 300;

/// What it means that a rule is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Something is lost, or shown otherwise than it is meant.
    Noted,
    /// The reader refuses the file, or takes it for something else.
    Broken,
}

/// A rule that a profile breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What should be.
    pub rule: &'static str,
    /// What comes of it.
    pub gravity: Gravity,
    /// What is there in its place, at the first place where it is.
    pub detail: String,
    /// At how many places.
    pub count: usize,
}

impl Fault {
    pub(crate) fn broken(rule: &'static str, detail: impl Into<String>) -> Self {
        Fault {
            rule,
            gravity: Gravity::Broken,
            detail: detail.into(),
            count: 1,
        }
    }
}

/// All faults that one look at a profile finds: one for each rule that is broken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Notes that a rule is broken, unless it is `kept`.
    pub(crate) fn unless(&mut self, kept: bool, rule: &'static str, detail: impl Debug) {
        self.add(kept, rule, Gravity::Broken, detail);
    }

    /// The same of a rule without which something is only lost.
    pub(crate) fn note_unless(&mut self, kept: bool, rule: &'static str, detail: impl Debug) {
        self.add(kept, rule, Gravity::Noted, detail);
    }

    fn add(&mut self, kept: bool, rule: &'static str, gravity: Gravity, detail: impl Debug) {
        if kept {
            return;
        }
        if let Some(known) = self.0.iter_mut().find(|fault| fault.rule == rule) {
            known.count += 1;
            return;
        }
        let detail: String = format!("{detail:?}").chars().take(MAX_DETAIL).collect();
        self.0.push(Fault {
            rule,
            gravity,
            detail,
            count: 1,
        });
    }

    /// The faults, in the order in which they were found.
    pub fn iter(&self) -> std::slice::Iter<'_, Fault> {
        self.0.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rules that are broken.
    pub fn rules(&self) -> Vec<&'static str> {
        self.0.iter().map(|fault| fault.rule).collect()
    }

    fn push(&mut self, fault: Fault) {
        self.0.push(fault);
    }
}

impl<'a> IntoIterator for &'a Faults {
    type Item = &'a Fault;
    type IntoIter = std::slice::Iter<'a, Fault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// What a file is, and what is wrong with it whoever reads it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The message, if it is one. The rules of each reader judge it.
    pub raw: Option<Raw>,
    /// What breaks the format itself.
    pub faults: Faults,
}

/// Judges a file by the rules of the format, which all readers share. Memory is
/// bounded by [`pprof::MAX_MEMORY`], whatever the input.
pub fn file(bytes: &[u8]) -> Report {
    let mut faults = Faults::default();
    let is_packed = bytes.starts_with(raw::GZIP);
    let raw = if is_packed || bytes.is_empty() {
        Raw::decode(bytes)
    } else {
        Raw::decode_message(bytes)
    };
    let raw = match raw {
        Ok(raw) => raw,
        Err(fault) => {
            faults.push(fault);
            return Report { raw: None, faults };
        }
    };
    faults.note_unless(is_packed, "compressed with gzip", "a bare message");
    // What the message as such does not tell: ids, indices, numbers of values.
    if let Err(error) = pprof::decode(bytes) {
        faults.push(Fault::broken("a valid profile.proto", error.to_string()));
    }
    Report {
        raw: Some(raw),
        faults,
    }
}
