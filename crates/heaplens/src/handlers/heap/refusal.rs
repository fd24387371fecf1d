//! Why there is no profile.

use hyper::StatusCode;

use crate::handlers::maps;
use crate::history::NoSnapshot;
use crate::params::BadParameter;
use crate::respond::{self, Reply};
use crate::work::Failure;

/// What is told in place of a profile.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// It is ours.
    Failed(Failure),
    /// It is the client's.
    Bad(BadParameter),
    /// There is no such group of maps.
    NoMap(String),
    /// There is no snapshot of that moment.
    NoSnapshot(NoSnapshot),
}

impl Refusal {
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Refusal::Failed(failure) => failure.reply(),
            Refusal::Bad(fault) => fault.reply(),
            Refusal::NoMap(name) => maps::unknown(name),
            Refusal::NoSnapshot(none) => respond::error(StatusCode::NOT_FOUND, &none.0),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Failed(failure)
    }
}

impl From<BadParameter> for Refusal {
    fn from(fault: BadParameter) -> Self {
        Refusal::Bad(fault)
    }
}

impl From<NoSnapshot> for Refusal {
    fn from(none: NoSnapshot) -> Self {
        Refusal::NoSnapshot(none)
    }
}
