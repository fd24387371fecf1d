//! What the readers of profiles insist on, written down from their documented
//! behaviour and not from our encoder.
#![allow(dead_code, reason = "two test programs share this, each uses a part")]

pub(crate) mod alloy;
pub(crate) mod format;
pub(crate) mod parca;
pub(crate) mod pyroscope;
pub(crate) mod raw;

/// A rule that a profile breaks, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) rule: &'static str,
    pub(crate) detail: String,
}

/// All faults that one look at a profile finds.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault unless `kept`.
    pub(crate) fn unless(&mut self, kept: bool, rule: &'static str, detail: impl std::fmt::Debug) {
        if !kept {
            self.0.push(Fault {
                rule,
                detail: format!("{detail:?}"),
            });
        }
    }

    pub(crate) fn rules(&self) -> Vec<&'static str> {
        self.0.iter().map(|fault| fault.rule).collect()
    }

    /// Panics with all of them, if there are any.
    pub(crate) fn none(&self, what: &str) {
        assert!(self.0.is_empty(), "{what}: {:#?}", self.0);
    }
}
