//! Why an agent could not be started.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why [`Builder::start`](crate::Builder::start) refused.
///
/// The text of each says what was wrong, with which value, and what to do. The
/// program may well go on without its agent: nothing is left running and no
/// socket open.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The address is not `host:port`, or its host has no address.
    Address {
        /// What was asked for.
        address: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The address cannot be listened on: mostly because its port is taken.
    Bind {
        /// What was asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// An address that other machines reach was asked for without a token.
    NotLoopback {
        /// What was asked for.
        address: String,
    },
    /// The token cannot be used. Its value is never shown.
    Token {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A `HEAPLENS_*` environment variable cannot be used.
    Environment {
        /// Name of the variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What was expected instead.
        expected: &'static str,
    },
    /// The unix socket cannot be listened on.
    UnixSocket {
        /// Where it was to be.
        path: PathBuf,
        /// What stands in the way.
        source: io::Error,
    },
    /// The agent's thread or its event loop could not be started.
    Thread {
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Address { address, source } => write!(
                f,
                "cannot listen on {address:?}: {source}; give host:port, as in 127.0.0.1:6060"
            ),
            Error::Bind { address, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(
                    f,
                    "cannot listen on {address}: the port is in use; choose another by \
                     listen(..) or HEAPLENS_LISTEN, or port 0 for any free one"
                )
            }
            Error::Bind { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Error::NotLoopback { address } => write!(
                f,
                "refusing to listen on {address}, which other machines may reach, without a \
                 token: set one of at least 32 random characters by token(..) or \
                 HEAPLENS_TOKEN, or listen on 127.0.0.1"
            ),
            Error::Token { reason } => write!(
                f,
                "the token is not usable: {reason}; make one with `openssl rand -hex 32`"
            ),
            Error::Environment {
                name,
                value,
                expected,
            } => write!(f, "{name}={value:?} is not usable: expected {expected}"),
            Error::UnixSocket { path, source } => {
                write!(
                    f,
                    "cannot listen on unix socket {}: {source}",
                    path.display()
                )
            }
            Error::Thread { source } => {
                write!(f, "cannot start the agent's thread: {source}")
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Address { source, .. }
            | Error::Bind { source, .. }
            | Error::UnixSocket { source, .. }
            | Error::Thread { source } => Some(source),
            Error::NotLoopback { .. } | Error::Token { .. } | Error::Environment { .. } => None,
        }
    }
}

impl From<heaplens_alloc::EnvironmentError> for Error {
    fn from(fault: heaplens_alloc::EnvironmentError) -> Self {
        Error::Environment {
            name: fault.name,
            value: fault.value,
            expected: fault.expected,
        }
    }
}
