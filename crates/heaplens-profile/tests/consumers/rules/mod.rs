//! The rules of the readers, as the library states them, in the words of tests.
#![allow(
    unused_imports,
    reason = "two test programs share this, each uses a part"
)]

pub(crate) use heaplens_profile::check::{Faults, alloy, format, parca, pyroscope, raw};

/// What tests want of a look at a profile.
pub(crate) trait Kept {
    /// Panics with all faults, if there are any.
    fn none(&self, what: &str);
}

impl Kept for Faults {
    fn none(&self, what: &str) {
        assert!(self.is_empty(), "{what}: {self:#?}");
    }
}
