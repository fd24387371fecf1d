//! Which samples of a profile are asked for.

use heaplens_profile::{Filter, SiteId};

use super::{BadParameter, quoted};

/// The conditions that samples have to meet, as they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Selection {
    pub(crate) focus: Option<String>,
    pub(crate) ignore: Option<String>,
    /// Key and value.
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) site: Option<SiteId>,
}

impl Selection {
    /// The same, ready to be applied.
    pub(crate) fn filter(&self) -> Result<Filter, BadParameter> {
        let mut filter = Filter::new();
        if let Some(pattern) = &self.focus {
            filter = filter.focus(pattern).map_err(|error| {
                let value = quoted(pattern);
                BadParameter::because(format!("invalid value {value} for \"focus\" - {error}"))
            })?;
        }
        if let Some(pattern) = &self.ignore {
            filter = filter.ignore(pattern).map_err(|error| {
                let value = quoted(pattern);
                BadParameter::because(format!("invalid value {value} for \"ignore\" - {error}"))
            })?;
        }
        for (key, value) in &self.labels {
            filter = filter.label(key, value);
        }
        if let Some(site) = self.site {
            filter = filter.site(site);
        }
        Ok(filter)
    }

    /// Whether it needs the names of functions: those of the allocator are
    /// known by them, and are not part of a site.
    pub(crate) fn by_name(&self) -> bool {
        self.focus.is_some() || self.ignore.is_some() || self.site.is_some()
    }

    /// In words, for those who see the result.
    pub(crate) fn words(&self) -> Vec<String> {
        let focus = self.focus.iter().map(|of| format!("focus={of}"));
        let ignore = self.ignore.iter().map(|of| format!("ignore={of}"));
        let labels = self.labels.iter();
        let labels = labels.map(|(key, value)| format!("label={key}:{value}"));
        let site = self.site.iter().map(|of| format!("site={of}"));
        focus.chain(ignore).chain(labels).chain(site).collect()
    }
}

/// `site=ID`, an id from the JSON form.
pub(super) fn site(value: &str) -> Result<SiteId, BadParameter> {
    value.parse().map_err(|_| {
        BadParameter::because(format!(
            "invalid value {} for \"site\" - must be 16 hexadecimal digits, an id from format=json",
            quoted(value)
        ))
    })
}

/// `label=key:value`.
pub(super) fn label(value: &str) -> Result<(String, String), BadParameter> {
    match value.split_once(':') {
        Some((key, text)) if !key.is_empty() && !text.is_empty() => {
            Ok((key.to_owned(), text.to_owned()))
        }
        _ => Err(BadParameter::because(format!(
            "invalid value {} for \"label\" - must be KEY:VALUE",
            quoted(value)
        ))),
    }
}
