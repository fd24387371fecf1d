//! Which samples of a profile are kept.

use std::fmt;

use regex_lite::{Regex, RegexBuilder};

use crate::model::{Labels, Location, Profile, Sample};
use crate::site_id::{SiteId, SiteIds};

/// Longest regular expression, in bytes.
pub const MAX_PATTERN: usize = 1024;

/// Most bytes that a compiled regular expression may take. Matching costs time
/// in proportion to it.
const MAX_COMPILED: usize = 1 << 18;

/// Keeps the samples that pass all of its conditions; the empty one keeps all.
///
/// `focus` and `ignore` mean what `go tool pprof -focus` and `-ignore` mean: an
/// expression, in much the same syntax, that is looked for anywhere in the name
/// or the source file of a function, or in the file name of the object.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    focus: Option<Regex>,
    ignore: Option<Regex>,
    labels: Vec<(String, String)>,
    site: Option<SiteId>,
}

/// A regular expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PatternError {
    /// What is wrong, on one line.
    pub reason: String,
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for PatternError {}

impl Filter {
    /// Keeps everything.
    pub fn new() -> Self {
        Filter::default()
    }

    /// Keeps samples with a function on their stack that matches `pattern`.
    ///
    /// # Errors
    ///
    /// If `pattern` is no regular expression, or one too long or too large.
    pub fn focus(self, pattern: &str) -> Result<Self, PatternError> {
        let focus = Some(compile(pattern)?);
        Ok(Filter { focus, ..self })
    }

    /// Leaves out samples with a function on their stack that matches `pattern`.
    ///
    /// # Errors
    ///
    /// As [`focus`](Filter::focus).
    pub fn ignore(self, pattern: &str) -> Result<Self, PatternError> {
        let ignore = Some(compile(pattern)?);
        Ok(Filter { ignore, ..self })
    }

    /// Keeps samples that have the label `key` with exactly this value.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }

    /// Keeps samples of this stack.
    #[must_use]
    pub fn site(self, site: SiteId) -> Self {
        let site = Some(site);
        Filter { site, ..self }
    }

    /// Whether it keeps everything.
    pub fn is_empty(&self) -> bool {
        let by_name = self.focus.is_some() || self.ignore.is_some();
        !by_name && self.labels.is_empty() && self.site.is_none()
    }

    /// Leaves out of `profile` what this filter does not keep, and the locations
    /// and functions that only that referred to.
    ///
    /// Costs a match for each function and file, and some 5 ns a location of
    /// each sample.
    pub fn apply(&self, profile: &mut Profile) {
        if self.is_empty() {
            return;
        }
        let focus = self.focus.as_ref().map(|of| matching(of, profile));
        let ignore = self.ignore.as_ref().map(|of| matching(of, profile));
        let site = self.site.map(|site| (site, SiteIds::of(profile)));
        let on_stack = |sample: &Sample, matching: &[bool]| {
            let mut locations = sample.locations.iter();
            locations.any(|&at| matching.get(at) == Some(&true))
        };
        profile.samples.retain(|sample| {
            focus.as_ref().is_none_or(|of| on_stack(sample, of))
                && !ignore.as_ref().is_some_and(|of| on_stack(sample, of))
                && self.labels.iter().all(|of| has(&sample.labels, of))
                && site
                    .as_ref()
                    .is_none_or(|(site, of)| of.site(sample) == *site)
        });
        profile.compact();
    }
}

fn has(labels: &Labels, wanted: &(String, String)) -> bool {
    labels.iter().any(|label| label == wanted)
}

fn compile(pattern: &str) -> Result<Regex, PatternError> {
    if pattern.len() > MAX_PATTERN {
        return Err(PatternError {
            reason: format!(
                "the regular expression has {} bytes, at most {MAX_PATTERN} are taken",
                pattern.len()
            ),
        });
    }
    let built = RegexBuilder::new(pattern).size_limit(MAX_COMPILED).build();
    built.map_err(|error| PatternError {
        // It may quote the pattern.
        reason: error.to_string().replace(char::is_control, " "),
    })
}

/// Which locations match.
fn matching(pattern: &Regex, profile: &Profile) -> Vec<bool> {
    let functions: Vec<bool> = profile
        .functions
        .iter()
        .map(|of| pattern.is_match(&of.name) || pattern.is_match(&of.file))
        .collect();
    let objects: Vec<bool> = profile
        .mappings
        .iter()
        .map(|of| pattern.is_match(&of.mapping.path))
        .collect();
    let is_match = |location: &Location| {
        let mut lines = location.lines.iter();
        lines.any(|of| functions.get(of.function) == Some(&true))
            || location.mapping.and_then(|at| objects.get(at)) == Some(&true)
    };
    profile.locations.iter().map(is_match).collect()
}
