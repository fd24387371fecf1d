//! The running service: server, timers and load, started and stopped together.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::cases::{CaseName, Mode};
use crate::load::{self, Load};
use crate::service::Service;
use crate::shutdown::{Shutdown, Trigger};

/// How long a client may hold up the end of its last request.
const GRACE: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Address of the business API; port 0 = any free one.
    pub address: SocketAddr,
    /// The cases.
    pub cases: Vec<CaseName>,
    /// As they were or as repaired.
    pub mode: Mode,
    /// Requests a second from the built-in load generator; 0 = none.
    pub rate: u32,
    /// Ends the load, but not the service, after so many requests.
    pub requests: Option<u64>,
}

impl Options {
    /// The timer that registers callbacks ticks as often as each case has
    /// requests, so that all cases grow alike; once a second if there are none.
    fn tick(&self) -> Duration {
        let cases = u32::try_from(self.cases.len()).unwrap_or(u32::MAX).max(1);
        Duration::from_secs(1) / (self.rate / cases).max(1)
    }
}

/// The service cannot listen.
#[derive(Debug)]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, source } = self;
        write!(
            f,
            "cannot listen on {address}: {source}; give another address with --service"
        )
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// All that runs.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    service: Arc<Service>,
    server: JoinHandle<io::Result<()>>,
    stop_server: Trigger,
    load: JoinHandle<load::Report>,
    stop_load: Trigger,
    background: JoinSet<()>,
}

impl App {
    /// Listens, and starts the server, the timers and the load.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn start(options: Options) -> Result<Self, ListenError> {
        let failed = |source| ListenError {
            address: options.address,
            source,
        };
        let listener = TcpListener::bind(options.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let service = Service::new(&options.cases, options.mode, options.tick());
        let background = service.background().into_iter().collect();
        let (stop_server, mut stopped) = Shutdown::channel();
        let serve = axum::serve(listener, service.router())
            .with_graceful_shutdown(async move { stopped.requested().await });
        let server = tokio::spawn(serve.into_future());
        let (stop_load, stopped) = Shutdown::channel();
        let load = Load {
            base: format!("http://{}", reachable(address)),
            cases: options.cases,
            rate: options.rate,
            limit: options.requests,
        };
        Ok(Self {
            address,
            service,
            server,
            stop_server,
            load: tokio::spawn(load::run(load, stopped)),
            stop_load,
            background,
        })
    }

    /// Where the business API listens, with its true port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The service, to look at.
    pub fn service(&self) -> &Arc<Service> {
        &self.service
    }

    /// Stops in order: the load with what it has under way, the server when
    /// its connections are done or after 5 s, the timers.
    pub async fn stop(mut self) -> load::Report {
        self.stop_load.stop();
        let report = join("load", self.load).await.unwrap_or_default();
        self.stop_server.stop();
        let abort = self.server.abort_handle();
        match tokio::time::timeout(GRACE, join("server", self.server)).await {
            Ok(Some(Err(error))) => eprintln!("leaky-service: server: {error}"),
            Ok(_) => {}
            Err(_) => {
                abort.abort();
                eprintln!("leaky-service: a connection was cut that did not end in {GRACE:?}");
            }
        }
        self.background.shutdown().await;
        report
    }
}

/// A task that has panicked is reported, since nobody else would tell.
async fn join<T>(what: &str, task: JoinHandle<T>) -> Option<T> {
    task.await
        .inspect_err(|error| eprintln!("leaky-service: {what}: {error}"))
        .ok()
}

/// A service that listens everywhere is called on loopback.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
