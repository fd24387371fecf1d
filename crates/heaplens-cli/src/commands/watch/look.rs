//! What one look at a service finds.

use std::time::SystemTime;

use heaplens_profile::{Profile, rfc3339};
use serde_json::{Value, json};

use crate::leaks_page;
use crate::maps_page;

/// All that was asked for, or why there is nothing.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) at: SystemTime,
    /// The maps, and the answer as it came.
    pub(super) maps: Result<(maps_page::Page, Value), String>,
    /// `None` where the service has no verdicts.
    pub(super) leaks: Option<(leaks_page::Page, Value)>,
    /// If places were asked for.
    pub(super) heap: Option<Profile>,
}

impl Look {
    /// As JSON, on one line when shown by `{}`.
    pub(super) fn document(&self) -> Value {
        json!({
            "schema": "heaplens.watch/1",
            "at": rfc3339::format(self.at),
            "maps": self.maps.as_ref().ok().map(|(_, document)| document),
            "leaks": self.leaks.as_ref().map(|(_, document)| document),
            "error": self.maps.as_ref().err(),
        })
    }
}
