//! What the exit code says.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// All went well, and nothing was found.
    Fine,
    /// What was asked for was found: a leak, a broken rule, a profile that grew.
    Found,
    /// The command line makes no sense.
    Usage,
    /// The service cannot be reached, or does not answer as asked.
    Unreachable,
    /// A file or an answer cannot be read, or is not what it should be.
    Unreadable,
    /// The result cannot be written.
    Unwritable,
    /// A signal ended it.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Found => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
            Exit::Unreadable => 4,
            Exit::Unwritable => 5,
            // As shells have it: 128 and the number of SIGINT.
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}
