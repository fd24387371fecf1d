//! Why there is no profile.

use crate::handlers::maps;
use crate::params::BadParameter;
use crate::respond::Reply;
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
}

impl Refusal {
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Refusal::Failed(failure) => failure.reply(),
            Refusal::Bad(fault) => fault.reply(),
            Refusal::NoMap(name) => maps::unknown(name),
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
