//! Why nothing was measured.

use std::fmt;
use std::time::Duration;

use heaplens_alloc::retained::RetainedError;

/// Why there is no answer to what a group retains. Displayed with what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// There is no group of this name.
    Unknown {
        /// The name.
        name: String,
    },
    /// No map of the group has a table, and no container is probed: it retains nothing.
    Empty,
    /// Another inquiry of this process is under way.
    Busy,
    /// No map of the group was used within the time given, and those behind locks were
    /// locked.
    Unanswered {
        /// So many were asked.
        asked: u64,
        /// For so long.
        patience: Duration,
    },
    /// All containers of the group are shared handles, of which one alone retains
    /// nothing.
    Handles,
    /// The first that was tried failed, as did all others.
    Failed(RetainedError),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AskError::Unknown { name } => {
                let name: String = name.chars().take(128).collect();
                write!(f, "there is no group of maps named {name:?}")
            }
            AskError::Empty => f.write_str(
                "no map of this group has ever held an entry, or all of them are gone: there is \
                 nothing to measure",
            ),
            AskError::Busy => f.write_str(
                "what another group retains is being measured, and there is one at a time: try \
                 again when it is done",
            ),
            AskError::Unanswered { asked, patience } => write!(
                f,
                "none of the {asked} maps asked was read or inserted into within {patience:?}, or \
                 all were locked: a map is measured by the thread that has it, at its next \
                 operation. Use it, or wait for longer"
            ),
            AskError::Handles => f.write_str(
                "the containers of this group were given as handles (`probe_owned`), and others \
                 share what they hold, so that one of them retains nothing: measure where the \
                 program keeps it, by `heaplens_alloc::retained`, or give an `Arc` to `probe`",
            ),
            AskError::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for AskError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AskError::Failed(error) => Some(error),
            _ => None,
        }
    }
}
