//! What an agent was told: by the builder, by the environment, by default.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::auth::Token;
use crate::error::Error;
use crate::history::{self, DEFAULT_HISTORY_BYTES};
use crate::leaks::Windows;
use crate::units;

/// Where an agent listens if nobody says anything.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:6060";

/// The settings in force, from [`Agent::config`](crate::Agent::config).
#[derive(Clone, Debug)]
pub struct Config {
    pub(crate) tcp: Option<String>,
    pub(crate) unix: Option<PathBuf>,
    pub(crate) token: Option<Token>,
    pub(crate) expose_cmdline: bool,
    pub(crate) what_if_drop: bool,
    pub(crate) history: history::Settings,
    pub(crate) demo_windows: bool,
}

impl Config {
    /// The TCP address as it was configured, `host:port`.
    pub fn listen(&self) -> Option<&str> {
        self.tcp.as_deref()
    }

    /// The path of the unix socket.
    pub fn listen_unix(&self) -> Option<&Path> {
        self.unix.as_deref()
    }

    /// Whether requests have to show a token.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether `/debug/pprof/cmdline` shows the program's arguments.
    pub fn exposes_cmdline(&self) -> bool {
        self.expose_cmdline
    }

    /// Whether what a map retains may be measured by a child that drops it.
    pub fn allows_what_if_drop(&self) -> bool {
        self.what_if_drop
    }

    /// Bytes of memory for `/debug/history`; 0 = none is kept.
    pub fn history_bytes(&self) -> usize {
        self.history.bytes
    }

    /// Where the history is kept for the next run of the program.
    pub fn history_dir(&self) -> Option<&Path> {
        self.history.directory.as_deref()
    }

    /// Whether growth is judged within minutes, for demonstrations.
    pub fn has_demo_windows(&self) -> bool {
        self.demo_windows
    }

    pub(crate) fn windows(&self) -> Windows {
        windows(self.demo_windows)
    }
}

/// What the builder was told; `None` is left to the environment.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub(crate) tcp: Option<String>,
    pub(crate) unix: Option<PathBuf>,
    pub(crate) token: Option<String>,
    pub(crate) expose_cmdline: Option<bool>,
    pub(crate) what_if_drop: Option<bool>,
    pub(crate) history_bytes: Option<usize>,
    pub(crate) history_dir: Option<PathBuf>,
    pub(crate) history_beat: Option<[Duration; 2]>,
    pub(crate) demo_windows: Option<bool>,
}

impl Told {
    /// Fills in what was not told from the environment, then from the
    /// defaults. Whatever the program says wins: its own flags and files are
    /// nearer to the user than an inherited variable.
    pub(crate) fn resolve(
        self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Config, Error> {
        let (mut tcp, mut unix) = (self.tcp, self.unix);
        if tcp.is_none() && unix.is_none() {
            match variable(&environment, "HEAPLENS_LISTEN", LISTEN_EXPECTED)? {
                Some(value) => match value.strip_prefix("unix:") {
                    Some("") => return Err(unusable("HEAPLENS_LISTEN", value, LISTEN_EXPECTED)),
                    Some(path) => unix = Some(PathBuf::from(path)),
                    None => tcp = Some(value),
                },
                None => tcp = Some(DEFAULT_LISTEN.to_owned()),
            }
        }
        let token = match self.token {
            Some(secret) => Some(Token::new(&secret)?),
            None => token_from(&environment)?,
        };
        let expose_cmdline = match self.expose_cmdline {
            Some(told) => told,
            None => switch(&environment, "HEAPLENS_EXPOSE_CMDLINE")?.unwrap_or(false),
        };
        let what_if_drop = match self.what_if_drop {
            Some(told) => told,
            None => switch(&environment, "HEAPLENS_WHAT_IF_DROP")?.unwrap_or(false),
        };
        let bytes = match self.history_bytes {
            Some(told) => told,
            None => size(&environment, "HEAPLENS_HISTORY_BYTES")?.unwrap_or(DEFAULT_HISTORY_BYTES),
        };
        let demo_windows = match self.demo_windows {
            Some(told) => told,
            None => switch(&environment, "HEAPLENS_DEMO_WINDOWS")?.unwrap_or(false),
        };
        let mut history = history::Settings::new(bytes);
        history.directory = self.history_dir.or_else(|| {
            let path = environment("HEAPLENS_HISTORY_DIR").filter(|path| !path.is_empty());
            path.map(PathBuf::from)
        });
        history.tick = windows(demo_windows).tick();
        if let Some([tick, snapshot]) = self.history_beat {
            (history.tick, history.snapshot) = (tick, snapshot);
        }
        Ok(Config {
            tcp,
            unix,
            token,
            expose_cmdline,
            what_if_drop,
            history,
            demo_windows,
        })
    }
}

fn windows(demo: bool) -> Windows {
    if demo {
        Windows::demo()
    } else {
        Windows::standard()
    }
}

const LISTEN_EXPECTED: &str = "host:port, as in 127.0.0.1:6060, or unix:/path/of.sock";

/// A variable's text; an empty one counts as unset.
fn variable(
    environment: &impl Fn(&str) -> Option<OsString>,
    name: &'static str,
    expected: &'static str,
) -> Result<Option<String>, Error> {
    match environment(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) if value.is_empty() => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(raw)) => Err(unusable(name, raw.to_string_lossy().into_owned(), expected)),
    }
}

/// The token of the environment. An empty one is an error: whoever set the
/// variable wanted the agent closed.
fn token_from(environment: &impl Fn(&str) -> Option<OsString>) -> Result<Option<Token>, Error> {
    match environment("HEAPLENS_TOKEN").map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(secret)) => Token::new(&secret).map(Some),
        Some(Err(_)) => Err(Error::Token {
            reason: "HEAPLENS_TOKEN holds characters other than visible ASCII",
        }),
    }
}

fn switch(
    environment: &impl Fn(&str) -> Option<OsString>,
    name: &'static str,
) -> Result<Option<bool>, Error> {
    const EXPECTED: &str = "1, true, 0 or false";
    match variable(environment, name, EXPECTED)? {
        None => Ok(None),
        Some(value) if value == "1" || value == "true" => Ok(Some(true)),
        Some(value) if value == "0" || value == "false" => Ok(Some(false)),
        Some(value) => Err(unusable(name, value, EXPECTED)),
    }
}

/// A number of bytes, written as `HEAPLENS_MEMORY_BUDGET` is.
fn size(
    environment: &impl Fn(&str) -> Option<OsString>,
    name: &'static str,
) -> Result<Option<usize>, Error> {
    const EXPECTED: &str = "a number of bytes, such as 8388608, 8192KiB or 8MiB; 0 = none";
    let Some(value) = variable(environment, name, EXPECTED)? else {
        return Ok(None);
    };
    match units::parse_bytes(&value).and_then(|bytes| usize::try_from(bytes).ok()) {
        Some(bytes) => Ok(Some(bytes)),
        None => Err(unusable(name, value, EXPECTED)),
    }
}

fn unusable(name: &'static str, value: String, expected: &'static str) -> Error {
    Error::Environment {
        name,
        value,
        expected,
    }
}

/// Bounds on what clients may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// For a request's header, and for the pause between two requests on one
    /// connection.
    pub(crate) header: Duration,
    /// For working out an answer, and again for the client to take it.
    pub(crate) request: Duration,
    /// Connections served at a time.
    pub(crate) connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header: Duration::from_secs(5),
            request: Duration::from_secs(30),
            // A browser takes six for a page, and keeps them for a while.
            connections: 128,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn resolve(told: Told, variables: &[(&str, &str)]) -> Result<Config, Error> {
        told.resolve(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn defaults() {
        let config = resolve(Told::default(), &[]).unwrap();
        assert_eq!(config.listen(), Some(DEFAULT_LISTEN));
        assert_eq!(config.listen_unix(), None);
        assert!(!config.has_token());
        assert!(!config.exposes_cmdline() && !config.allows_what_if_drop());
        assert_eq!(config.history_bytes(), 8 << 20);
        assert!(!config.has_demo_windows());
        assert_eq!(config.history.tick, Duration::from_secs(15));
    }

    #[test]
    fn memory_for_the_history() {
        let bytes = |told, variable| {
            let told = Told {
                history_bytes: told,
                ..Told::default()
            };
            let variables = [("HEAPLENS_HISTORY_BYTES", variable)];
            resolve(told, &variables).map(|config| config.history_bytes())
        };
        for (told, variable, expected) in [
            (None, "", 8 << 20),
            (None, "2MiB", 2 << 20),
            (None, "0", 0),
            (None, "1", 64 << 10),
            (Some(3 << 20), "2MiB", 3 << 20),
            (Some(0), "2MiB", 0),
            (Some(usize::MAX), "", 1 << 30),
        ] {
            assert_eq!(bytes(told, variable).ok(), Some(expected), "{variable}");
        }
    }

    #[test]
    fn a_directory_for_the_history() {
        let directory = |told: Option<&str>, variable| {
            let told = Told {
                history_dir: told.map(PathBuf::from),
                ..Told::default()
            };
            let config = resolve(told, &[("HEAPLENS_HISTORY_DIR", variable)]).unwrap();
            config.history_dir().map(Path::to_path_buf)
        };
        assert_eq!(directory(None, ""), None);
        assert_eq!(directory(None, "/var/lib/a"), Some("/var/lib/a".into()));
        assert_eq!(directory(Some("b"), "/var/lib/a"), Some("b".into()));
    }

    #[test]
    fn the_environment_fills_what_the_builder_leaves_open() {
        let variables = [
            ("HEAPLENS_LISTEN", "127.0.0.1:7070"),
            ("HEAPLENS_TOKEN", SECRET),
            ("HEAPLENS_EXPOSE_CMDLINE", "1"),
            ("HEAPLENS_WHAT_IF_DROP", "true"),
            ("HEAPLENS_DEMO_WINDOWS", "1"),
        ];
        let config = resolve(Told::default(), &variables).unwrap();
        assert_eq!(config.listen(), Some("127.0.0.1:7070"));
        assert!(config.has_token() && config.exposes_cmdline() && config.allows_what_if_drop());
        assert!(config.has_demo_windows());
        assert_eq!(config.history.tick, Windows::demo().tick());

        let told = Told {
            tcp: Some("127.0.0.1:8080".to_owned()),
            expose_cmdline: Some(false),
            what_if_drop: Some(false),
            demo_windows: Some(false),
            ..Told::default()
        };
        let config = resolve(told, &variables).unwrap();
        assert!(!config.has_demo_windows());
        assert_eq!(config.listen(), Some("127.0.0.1:8080"));
        assert!(config.has_token() && !config.exposes_cmdline() && !config.allows_what_if_drop());
    }

    #[test]
    fn a_unix_socket_by_the_environment() {
        let config = resolve(
            Told::default(),
            &[("HEAPLENS_LISTEN", "unix:/run/app/heaplens.sock")],
        )
        .unwrap();
        assert_eq!(config.listen(), None);
        assert_eq!(
            config.listen_unix(),
            Some(Path::new("/run/app/heaplens.sock"))
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let cases = [
            (
                "HEAPLENS_EXPOSE_CMDLINE",
                "yes",
                "HEAPLENS_EXPOSE_CMDLINE=\"yes\"",
            ),
            (
                "HEAPLENS_WHAT_IF_DROP",
                "on",
                "HEAPLENS_WHAT_IF_DROP=\"on\"",
            ),
            (
                "HEAPLENS_DEMO_WINDOWS",
                "short",
                "HEAPLENS_DEMO_WINDOWS=\"short\"",
            ),
            ("HEAPLENS_LISTEN", "unix:", "HEAPLENS_LISTEN=\"unix:\""),
            ("HEAPLENS_HISTORY_BYTES", "some", "a number of bytes"),
            ("HEAPLENS_HISTORY_BYTES", "-1", "a number of bytes"),
            ("HEAPLENS_TOKEN", "", "the token is not usable"),
            ("HEAPLENS_TOKEN", "secret", "fewer than 32"),
        ];
        for (name, value, part) in cases {
            let error = resolve(Told::default(), &[(name, value)]).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(part), "{name}={value:?}: {text}");
            assert!(value != "secret" || !text.contains("secret"), "{text}");
        }
    }
}
