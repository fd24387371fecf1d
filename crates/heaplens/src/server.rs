//! The accept loop, and what is checked of every request.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::header::TRANSFER_ENCODING;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::auth::Token;
use crate::config::Limits;
use crate::deadline::Deadline;
use crate::host::{HostFault, Hosts};
use crate::respond::{self, Reply};
use crate::routes;
use crate::state::App;

/// Bytes of a request's header.
const HEADER_SIZE: usize = 16 * 1024;
/// Lines of a request's header; proxies add some to a browser's twenty.
const HEADER_LINES: usize = 64;
/// Connections that are being told that there are too many.
const REFUSALS: usize = 8;
/// How long telling them may take.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// First and longest pause after a failed accept.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Server {
    app: Arc<App>,
    token: Option<Token>,
    limits: Limits,
    connections: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

impl Server {
    pub(crate) fn new(app: Arc<App>, token: Option<Token>, limits: Limits) -> Self {
        Server {
            app,
            token,
            limits,
            connections: Arc::new(Semaphore::new(limits.connections)),
            refusals: Arc::new(Semaphore::new(REFUSALS)),
        }
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Accepts connections for ever. One too many is told so with 503: left
    /// in the queue it would look like an agent that hangs.
    pub(crate) async fn accept<L: Listener>(self: Arc<Self>, listener: L, hosts: Hosts) {
        let hosts = Arc::new(hosts);
        let mut pause = PAUSES.0;
        loop {
            let Ok((stream, peer)) = listener.next().await else {
                // Out of file descriptors or memory, mostly: that is the
                // program's to solve, ours is not to spin meanwhile.
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
                continue;
            };
            pause = PAUSES.0;
            if let Ok(slot) = Arc::clone(&self.connections).try_acquire_owned() {
                let (server, hosts) = (Arc::clone(&self), Arc::clone(&hosts));
                tokio::spawn(async move {
                    server.converse(stream, peer, hosts).await;
                    drop(slot);
                });
            } else if let Ok(slot) = Arc::clone(&self.refusals).try_acquire_owned() {
                tokio::spawn(async move {
                    let _ = tokio::time::timeout(REFUSAL_TIME, refuse(stream)).await;
                    drop(slot);
                });
            }
        }
    }

    /// Serves one connection to its end, or to its deadline.
    async fn converse<S>(self: Arc<Self>, stream: S, peer: Option<SocketAddr>, hosts: Arc<Hosts>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let limits = self.limits;
        let deadline = Deadline::after(limits.header + limits.request);
        let clock = deadline.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            if let Some(peer) = peer {
                request.extensions_mut().insert(ConnectInfo(peer));
            }
            let (server, hosts, clock) = (Arc::clone(&self), Arc::clone(&hosts), clock.clone());
            async move { Ok::<_, Infallible>(server.answer(request, &hosts, &clock).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header)
            .max_header_size(HEADER_SIZE)
            .max_headers(HEADER_LINES)
            .serve_connection(TokioIo::new(stream), service);
        deadline.enforce(connection).await;
    }

    /// Answers one request in time, and gives the client the same time again
    /// to take the answer.
    async fn answer(
        &self,
        request: Request<Incoming>,
        hosts: &Hosts,
        deadline: &Deadline,
    ) -> Reply {
        let limit = self.limits.request + routes::extra_time(request.uri());
        deadline.set(limit + self.limits.request);
        let answering = tokio::time::timeout(limit, self.checked(request, hosts));
        let reply = answering.await.unwrap_or_else(|_| {
            respond::and_close(respond::later(
                StatusCode::SERVICE_UNAVAILABLE,
                10,
                &format!("the answer took longer than {} s", limit.as_secs()),
            ))
        });
        deadline.set(self.limits.request);
        reply
    }

    async fn checked(&self, request: Request<Incoming>, hosts: &Hosts) -> Reply {
        let (parts, body) = request.into_parts();
        // Where Content-Length was there as well, hyper has taken it out: what
        // a proxy before us sees as the next request may be another then.
        let is_chunked = parts.headers.contains_key(TRANSFER_ENCODING);
        let reply = match self.check(&parts, hosts) {
            Ok(()) => routes::dispatch(&self.app, Request::from_parts(parts, body)).await,
            Err(reply) => *reply,
        };
        if is_chunked {
            respond::and_close(reply)
        } else {
            reply
        }
    }

    /// What every request has to pass, whatever its path.
    fn check(&self, parts: &Parts, hosts: &Hosts) -> Result<(), Box<Reply>> {
        match hosts.check(parts.version, &parts.uri, &parts.headers) {
            Ok(()) => {}
            Err(HostFault::NotOne) => {
                return Err(Box::new(respond::and_close(respond::error(
                    StatusCode::BAD_REQUEST,
                    "exactly one Host is needed",
                ))));
            }
            Err(HostFault::Foreign) => {
                return Err(Box::new(respond::error(
                    StatusCode::FORBIDDEN,
                    "this Host is not answered: use localhost, 127.0.0.1, [::1] or the \
                     configured address, or set a token",
                )));
            }
        }
        match &self.token {
            Some(token) if !token.opens(&parts.headers) => Err(Box::new(respond::unauthorized())),
            _ => Ok(()),
        }
    }
}

/// Says 503 without reading a request first, then waits for the client to
/// close: closing at once could discard what it has not read yet.
async fn refuse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        X-Content-Type-Options: nosniff\r\n\
        X-Go-Pprof: 1\r\n\
        Retry-After: 5\r\n\
        Connection: close\r\n\
        Content-Length: 47\r\n\r\n\
        too many connections are open; try again later\n";
    stream.write_all(ANSWER).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

type Accepted<S> = (S, Option<SocketAddr>);

/// A listening socket of either kind.
pub(crate) trait Listener: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// A connection, and where it comes from, if it has an address.
    fn next(&self) -> impl Future<Output = io::Result<Accepted<Self::Stream>>> + Send;
}

impl Listener for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<Accepted<TcpStream>> {
        let (stream, peer) = self.accept().await?;
        // An answer is written in few pieces; none should wait for another.
        let _ = stream.set_nodelay(true);
        Ok((stream, Some(peer)))
    }
}

impl Listener for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<Accepted<UnixStream>> {
        Ok((self.accept().await?.0, None))
    }
}
