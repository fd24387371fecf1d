//! Why a command cannot go on, in one line.

use std::fmt;
use std::io;

use crate::exit::Exit;
use crate::text;

/// A reason to stop. Shows as one line without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    exit: Exit,
    reason: String,
    /// Nobody reads what is written any more.
    is_broken_pipe: bool,
}

impl Fault {
    fn new(exit: Exit, reason: impl fmt::Display) -> Self {
        Fault {
            exit,
            reason: text::one_line(&reason.to_string()),
            is_broken_pipe: false,
        }
    }

    pub(crate) fn usage(reason: impl fmt::Display) -> Self {
        Fault::new(Exit::Usage, reason)
    }

    pub(crate) fn unreachable(reason: impl fmt::Display) -> Self {
        Fault::new(Exit::Unreachable, reason)
    }

    pub(crate) fn unreadable(reason: impl fmt::Display) -> Self {
        Fault::new(Exit::Unreadable, reason)
    }

    pub(crate) fn unwritable(reason: impl fmt::Display) -> Self {
        Fault::new(Exit::Unwritable, reason)
    }

    /// Of writing to standard output or to the terminal.
    pub(crate) fn of_output(error: &io::Error) -> Self {
        Fault {
            is_broken_pipe: error.kind() == io::ErrorKind::BrokenPipe,
            ..Fault::unwritable(format!("cannot write the result: {error}"))
        }
    }

    /// How the command ends by it.
    pub(crate) fn exit(&self) -> Exit {
        if self.is_broken_pipe {
            Exit::Fine
        } else {
            self.exit
        }
    }

    /// Whether there is nothing to say: the reader went away, as `head` does.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_broken_pipe
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Fault {}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::of_output(&error)
    }
}
