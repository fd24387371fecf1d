//! The agent: its thread, and the handle that stops it.

use std::fmt;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::path::Path;
use std::process;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow};
use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{self, Runtime};
use tokio::sync::oneshot;
use tokio::time;

use crate::builder::Builder;
use crate::config::{Config, Limits};
use crate::error::Error;
use crate::history::keep;
use crate::history::record::{self, Setup};
use crate::host::Hosts;
use crate::listen::{self, UnixSocket};
use crate::peak;
use crate::pulse;
use crate::server::Server;
use crate::state::App;
use crate::watch::Hooks;

/// Threads for work that takes milliseconds and more: one for profiles, one
/// for figures, so that a scrape does not wait for symbols, one that waits for what maps
/// retain, and one that waits for the disk. Each is started when it is needed.
const BLOCKING_THREADS: usize = 4;
/// How long such a thread waits for more: longer than the pause between two
/// reports on maps, so that none is started for each of them.
const BLOCKING_KEPT: Duration = Duration::from_secs(60);
/// How long stopping waits for such work.
const LONGEST_STOP: Duration = Duration::from_secs(5);

/// A running agent. Dropped, it stops: sockets are closed, connections cut, its
/// threads joined. Work that has begun is waited for, 5 s at the most.
///
/// In a forked child there is no agent thread: dropping the handle there does
/// nothing.
#[must_use = "the agent stops as soon as this is dropped"]
pub struct Agent {
    config: Config,
    address: Option<SocketAddr>,
    pid: u32,
    running: Option<Running>,
}

/// What has to be taken down.
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
    socket: Option<UnixSocket>,
}

impl Agent {
    /// Starts setting up an agent.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The TCP address listened on, with the port that was really taken.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The path of the unix socket listened on.
    pub fn local_path(&self) -> Option<&Path> {
        self.config.listen_unix()
    }

    /// The settings in force.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn run(config: Config, limits: Limits, hooks: Hooks) -> Result<Self, Error> {
        let (sockets, address, socket) = Sockets::open(&config)?;
        let server = Arc::new(Server::new(
            App::new(config.expose_cmdline),
            config.token.clone(),
            limits,
        ));
        if config.what_if_drop {
            heaplens_alloc::allow_what_if(true);
        }
        let (stop, stopped) = oneshot::channel();
        let (ready, readiness) = mpsc::channel();
        let setup = Setup {
            settings: config.history.clone(),
            windows: config.windows(),
            hooks,
        };
        let signals = Blocked::all().map_err(thread_fault)?;
        let thread = thread::Builder::new()
            .name("heaplens".to_owned())
            .spawn(move || {
                heaplens_alloc::untracked(|| serve(sockets, &server, setup, stopped, &ready));
            })
            .map_err(thread_fault)?;
        drop(signals);
        let running = Running {
            stop,
            thread,
            socket,
        };
        let agent = Agent {
            config,
            address,
            pid: process::id(),
            running: Some(running),
        };
        match readiness.recv() {
            Ok(Ok(())) => Ok(agent),
            Ok(Err(source)) => Err(thread_fault(source)),
            Err(mpsc::RecvError) => Err(thread_fault(io::Error::other("it ended at once"))),
        }
    }
}

fn thread_fault(source: io::Error) -> Error {
    Error::Thread { source }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("config", &self.config)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        if process::id() != self.pid {
            // After a fork the thread is not here, what it held may be locked
            // for good, and the socket's file is the parent's.
            mem::forget(running);
            return;
        }
        drop(running.stop);
        // A panic of that thread has been reported by the panic hook.
        let _ = running.thread.join();
        drop(running.socket);
    }
}

/// The listening sockets, with the names that are answered on TCP.
struct Sockets {
    tcp: Option<(std::net::TcpListener, Hosts)>,
    unix: Option<std::os::unix::net::UnixListener>,
}

type Opened = (Sockets, Option<SocketAddr>, Option<UnixSocket>);

impl Sockets {
    fn open(config: &Config) -> Result<Opened, Error> {
        let (mut tcp, mut unix, mut address, mut socket) = (None, None, None, None);
        if let Some(wanted) = &config.tcp {
            let (listener, bound) = listen::tcp(wanted, config.has_token())?;
            address = Some(bound);
            tcp = Some((listener, hosts(config, wanted, bound)));
        }
        if let Some(path) = &config.unix {
            let (listener, file) = listen::unix(path)?;
            socket = Some(file);
            unix = Some(listener);
        }
        Ok((Sockets { tcp, unix }, address, socket))
    }

    /// Starts accepting, in the context of the agent's runtime.
    fn accept(self, server: &Arc<Server>) -> io::Result<()> {
        if let Some((listener, hosts)) = self.tcp {
            let listener = TcpListener::from_std(listener)?;
            tokio::spawn(Arc::clone(server).accept(listener, hosts));
        }
        if let Some(listener) = self.unix {
            let listener = UnixListener::from_std(listener)?;
            tokio::spawn(Arc::clone(server).accept(listener, Hosts::any()));
        }
        Ok(())
    }
}

fn hosts(config: &Config, wanted: &str, bound: SocketAddr) -> Hosts {
    if config.has_token() {
        Hosts::any()
    } else {
        Hosts::loopback(&[wanted.to_owned(), bound.to_string()])
    }
}

/// The agent's thread. The runtime is built and dropped here: the caller of
/// `start()` may be on a runtime of its own, where neither is allowed.
fn serve(
    sockets: Sockets,
    server: &Arc<Server>,
    setup: Setup,
    stopped: oneshot::Receiver<()>,
    ready: &mpsc::Sender<io::Result<()>>,
) {
    let runtime = match event_loop() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        let accepting = sockets.accept(server);
        let started = accepting.is_ok();
        if started {
            // Here already, so that maps date all that comes after `start()`.
            heaplens_maps::tick();
            tokio::spawn(pulse::beat(Arc::clone(server.app())));
            tokio::spawn(peak::watch(Arc::clone(server.app())));
            tokio::spawn(record::run(Arc::clone(server.app()), setup));
        }
        // `start()` waits for this; nobody else holds the other end.
        let _ = ready.send(accepting);
        if started {
            // Resolves, with an error, when the handle drops its end.
            let _ = stopped.await;
        }
    });
    let begun = Instant::now();
    let app = Arc::clone(server.app());
    runtime.block_on(async {
        let job = move || heaplens_alloc::untracked(|| keep::finish(&app));
        // A disk that does not answer is not waited for.
        let _ = time::timeout(LONGEST_STOP, tokio::task::spawn_blocking(job)).await;
    });
    runtime.shutdown_timeout(LONGEST_STOP.saturating_sub(begun.elapsed()));
}

fn event_loop() -> io::Result<Runtime> {
    runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(BLOCKING_THREADS)
        .thread_keep_alive(BLOCKING_KEPT)
        .thread_name("heaplens-work")
        .build()
}

/// All signals blocked on this thread, and on those that it starts, until this
/// is dropped. The agent's threads keep it so for life: a handler of the
/// host's never runs there, and a write that fails gives an error, not SIGPIPE
/// or SIGXFSZ.
struct Blocked(SigSet);

impl Blocked {
    fn all() -> io::Result<Self> {
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
        Ok(Blocked(before))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // Fails for a mask that is none; this one came from the kernel.
        let _ = self.0.thread_set_mask();
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_forked_child_leaves_the_agent_alone() {
        let mut agent = Agent::builder().listen("127.0.0.1:0").start().unwrap();
        let address = agent.local_addr().unwrap();
        agent.pid = agent.pid.wrapping_add(1);
        drop(agent);
        assert!(TcpStream::connect(address).is_ok(), "it still listens");
    }

    #[test]
    fn the_callers_signal_mask_is_as_before() {
        let before = SigSet::thread_get_mask().unwrap();
        let agent = Agent::builder().listen("127.0.0.1:0").start().unwrap();
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
        drop(agent);
    }
}
