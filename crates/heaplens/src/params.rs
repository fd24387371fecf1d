//! Query parameters: as Go reads them, and strictly.

mod duration;
mod escape;
mod go;
mod heap;
mod pairs;
mod seconds;
mod selection;
mod when;

use std::fmt;

use hyper::StatusCode;

use crate::respond::{self, Reply};

pub(crate) use duration::duration;
pub(crate) use escape::{escape, unescape_path};
#[cfg(feature = "cpu-profile")]
pub(crate) use go::cpu_seconds;
pub(crate) use go::{GoQuery, seconds_asked, without_seconds};
pub(crate) use heap::{Base, Format, HeapQuery};
pub(crate) use pairs::{none, strict_pairs};
pub(crate) use selection::Selection;
pub(crate) use when::{When, when as moment};

/// Why a request is 400: one line for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadParameter(String);

impl BadParameter {
    pub(crate) fn reply(&self) -> Reply {
        respond::error(StatusCode::BAD_REQUEST, &self.0)
    }

    pub(crate) fn because(reason: impl Into<String>) -> Self {
        BadParameter(reason.into())
    }
}

impl fmt::Display for BadParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client sent, harmless on one line and short.
pub(crate) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("{short:?}")
}
