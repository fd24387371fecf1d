//! Setting up an agent.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::agent::Agent;
use crate::config::{Limits, Told};
use crate::error::Error;
use crate::watch::{Clock, Hooks, VerdictChange};

/// Sets up an [`Agent`]; from [`Agent::builder`].
///
/// What is not set here comes from the environment, and from the defaults
/// otherwise: see the [configuration table](crate#configuration).
#[derive(Clone, Default)]
#[must_use = "nothing runs before `start()`"]
pub struct Builder {
    told: Told,
    limits: Limits,
    hooks: Hooks,
}

impl Builder {
    /// Listens on a TCP address, `host:port`; port 0 takes any free one
    /// ([`Agent::local_addr`] tells which). An address that is not loopback
    /// needs a [`token`](Builder::token).
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.told.tcp = Some(address.into());
        self
    }

    /// Listens on a unix socket of mode 0600, beside or in place of TCP. A
    /// socket that an ended program of the same user left there is replaced;
    /// one that still answers is an error.
    pub fn listen_unix(mut self, path: impl Into<PathBuf>) -> Self {
        self.told.unix = Some(path.into());
        self
    }

    /// Asks every request for this secret: 32 to 1024 visible ASCII characters.
    /// Clients send it as `Authorization: Bearer`, or as the password of basic
    /// authentication with any user name
    /// (`go tool pprof http://pprof:TOKEN@host:6060/debug/pprof/heap`).
    pub fn token(mut self, secret: impl Into<String>) -> Self {
        self.told.token = Some(secret.into());
        self
    }

    /// Whether `/debug/pprof/cmdline` shows the program's arguments, which may
    /// hold secrets. By default it names the program alone.
    pub fn expose_cmdline(mut self, expose: bool) -> Self {
        self.told.expose_cmdline = Some(expose);
        self
    }

    /// Whether what a map retains may be measured, by a POST to
    /// `/debug/maps/NAME/retained`: a child of this process, made by `fork` and closed in,
    /// drops its copy of the map while the allocator only counts. What is allowed with
    /// that, and what it costs, is said of [`retained`](mod@crate::retained). Off by
    /// default; on, it stays so for the life of the process.
    pub fn what_if_drop(mut self, allow: bool) -> Self {
        self.told.what_if_drop = Some(allow);
        self
    }

    /// Memory for `/debug/history`, in bytes: 8 MiB unless stated, 0 keeps none. What is
    /// long ago becomes sparse first where it does not suffice. Values other than 0 are
    /// brought into the range from 64 KiB to 1 GiB.
    pub fn history_bytes(mut self, bytes: usize) -> Self {
        self.told.history_bytes = Some(bytes);
        self
    }

    /// Keeps the history in this directory as well, so that the next run of the program
    /// begins with it; none unless stated. It is made if it is not there, with mode 0700. The
    /// file in it, named after the program, takes at most [`history_bytes`](Builder::history_bytes),
    /// and as much again while it is written: after each snapshot, 16 KiB a second on average
    /// at the most, and when the agent stops. What cannot be read is set aside; what cannot be
    /// written stays in memory. Both is said by `/debug/history` and on stderr, or with the
    /// feature `tracing` by an event of the target `heaplens::history`.
    pub fn history_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.told.history_dir = Some(path.into());
        self
    }

    /// Calls `listener` for each change of a verdict on a map, and of one on a call site from
    /// or to suspect and leak: see [`VerdictChange`]. It is called on a thread of its own, one
    /// change after the other; of those that come while 256 wait the listener is not told. A
    /// panic of it is caught and the next change told. What is under way when the agent is
    /// dropped is not waited for.
    ///
    /// ```
    /// let _agent = heaplens::Agent::builder()
    ///     .listen("127.0.0.1:0")
    ///     .on_verdict(|change| {
    ///         if change.to.is_flagged() {
    ///             eprintln!("{}: {}", change.to, change.sentence);
    ///         }
    ///     })
    ///     .start()?;
    /// # Ok::<(), heaplens::Error>(())
    /// ```
    pub fn on_verdict(mut self, listener: impl Fn(&VerdictChange) + Send + Sync + 'static) -> Self {
        self.hooks.listener = Some(Arc::new(listener));
        self
    }

    /// Judges growth within minutes in place of hours ([`Windows::demo`]), to see verdicts at
    /// work: a suspect takes 87 s at least, a leak 204 s. Not for production, where what is
    /// healthy takes longer than that to warm up or to be swept. Takes some 0.5 % of a core.
    ///
    /// [`Windows::demo`]: crate::leaks::Windows::demo
    pub fn demo_windows(mut self, short: bool) -> Self {
        self.told.demo_windows = Some(short);
        self
    }

    /// The time that verdicts are made by, of a moment, so that tests need not wait for it.
    #[doc(hidden)]
    pub fn verdict_clock(
        mut self,
        time: impl Fn(Instant) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.hooks.clock = Some(Clock::new(time));
        self
    }

    /// How often the history is added to, so that tests need not wait for it.
    #[doc(hidden)]
    pub fn history_beat(mut self, tick: Duration, snapshot: Duration) -> Self {
        self.told.history_beat = Some([tick, snapshot]);
        self
    }

    /// Narrows the limits, so that tests need not wait for them.
    #[doc(hidden)]
    pub fn limits(mut self, header: Duration, request: Duration, connections: usize) -> Self {
        self.limits = Limits {
            header,
            request,
            connections,
        };
        self
    }

    /// Starts the agent on a thread of its own, named `heaplens`.
    ///
    /// # Errors
    ///
    /// [`Error`] if a setting or a `HEAPLENS_*` variable cannot be used, if
    /// the address is refused, taken, or not to be had, or if no thread can be
    /// started. Nothing is left running then.
    pub fn start(self) -> Result<Agent, Error> {
        heaplens_alloc::check_environment()?;
        let config = self.told.resolve(|name| std::env::var_os(name))?;
        // The agent's own memory is not the program's.
        heaplens_alloc::untracked(|| Agent::run(config, self.limits, self.hooks))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("listen", &self.told.tcp)
            .field("listen_unix", &self.told.unix)
            .field("token", &self.told.token.as_ref().map(|_| "hidden"))
            .field("expose_cmdline", &self.told.expose_cmdline)
            .field("what_if_drop", &self.told.what_if_drop)
            .field("history_bytes", &self.told.history_bytes)
            .field("history_dir", &self.told.history_dir)
            .field("demo_windows", &self.told.demo_windows)
            .finish_non_exhaustive()
    }
}
