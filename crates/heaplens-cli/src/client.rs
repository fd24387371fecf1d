//! One request to a service, and its whole answer within bounds of time and size.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::address::{Address, Endpoint};
use crate::fault::Fault;
use crate::text;

/// Most bytes of an answer.
const LONGEST: usize = 128 << 20;

/// How long a connection may take at the most.
const CONNECTING: Duration = Duration::from_secs(5);

/// A stream of bytes to the service.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Asks services. Does one thing at a time, on the thread that calls it.
pub(crate) struct Client {
    runtime: Runtime,
    token: Option<String>,
    patience: Duration,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// A whole answer of status 200.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) content_type: Option<String>,
    pub(crate) body: Bytes,
}

/// Why there is no such answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The service has no such page.
    NotFound(Fault),
    Other(Fault),
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotFound(fault) | Refusal::Other(fault) => fault,
        }
    }
}

impl Client {
    /// A client that shows `token` (unless an address has a password of its
    /// own) and waits for each answer at most so long.
    ///
    /// # Errors
    ///
    /// If the token cannot be sent, or the system has no file descriptor left.
    pub(crate) fn new(token: Option<String>, patience: Duration) -> Result<Self, Fault> {
        let is_sendable = |token: &String| token.bytes().all(|byte| byte.is_ascii_graphic());
        if token.as_ref().is_some_and(|token| !is_sendable(token)) {
            return Err(Fault::usage(
                "the token has characters other than visible ASCII, which no service takes",
            ));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Fault::unreachable(format!("cannot start: {error}")))?;
        Ok(Client {
            runtime,
            token: token.filter(|token| !token.is_empty()),
            patience,
        })
    }

    /// The runtime that requests run on, for whoever waits besides.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Asks for a page by its path and query; `waiting` is how long the service
    /// itself is told to wait before it answers.
    ///
    /// # Errors
    ///
    /// If there is no answer in time, or one of another status than 200.
    pub(crate) fn get(
        &self,
        address: &Address,
        path: &str,
        waiting: Duration,
    ) -> Result<Answer, Refusal> {
        self.runtime.block_on(self.fetch(address, path, waiting))
    }

    /// As [`get`](Client::get), for code that runs on the runtime already.
    pub(crate) async fn fetch(
        &self,
        address: &Address,
        path: &str,
        waiting: Duration,
    ) -> Result<Answer, Refusal> {
        let patience = self.patience.saturating_add(waiting);
        let asked = tokio::time::timeout(patience, self.ask(address, path));
        asked.await.unwrap_or_else(|_| {
            Err(unreachable(
                address,
                format_args!(
                    "no answer within {} s; --timeout gives it longer",
                    patience.as_secs()
                ),
            ))
        })
    }

    async fn ask(&self, address: &Address, path: &str) -> Result<Answer, Refusal> {
        let stream = tokio::time::timeout(CONNECTING, connect(address))
            .await
            .unwrap_or_else(|_| {
                let seconds = CONNECTING.as_secs();
                Err(unreachable(
                    address,
                    format_args!("no connection within {seconds} s"),
                ))
            })?;
        let failed = |error: hyper::Error| {
            // The reason is in the error's source.
            let source = std::error::Error::source(&error).map(ToString::to_string);
            let reason = source.unwrap_or_else(|| error.to_string());
            unreachable(
                address,
                format_args!("it does not speak HTTP as expected: {reason}"),
            )
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(failed)?;
        let driver = tokio::spawn(connection);
        let answered = async {
            let request = self.request(address, path)?;
            let response = sender.send_request(request).await.map_err(failed)?;
            answer(address, path, response).await
        };
        let answered = answered.await;
        driver.abort();
        answered
    }

    fn request(&self, address: &Address, path: &str) -> Result<Request<Empty<Bytes>>, Refusal> {
        let request = Request::get(path)
            .header(HOST, address.host())
            .header(USER_AGENT, concat!("heaplens/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "*/*");
        let request = match self.authorization(address) {
            Some(value) => request.header(AUTHORIZATION, value),
            None => request,
        };
        request.body(Empty::new()).map_err(|error| {
            Refusal::Other(Fault::usage(format!(
                "bad address: {path:?} cannot be asked for: {error}"
            )))
        })
    }

    /// What the address says goes before what holds for all.
    fn authorization(&self, address: &Address) -> Option<HeaderValue> {
        let value = match (address.credentials(), &self.token) {
            (Some((user, password)), _) => {
                format!("Basic {}", BASE64.encode(format!("{user}:{password}")))
            }
            (None, Some(token)) => format!("Bearer {token}"),
            (None, None) => return None,
        };
        let mut value = HeaderValue::try_from(value).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

fn unreachable(address: &Address, reason: impl fmt::Display) -> Refusal {
    Refusal::Other(Fault::unreachable(format!("{address}: {reason}")))
}

async fn connect(address: &Address) -> Result<Box<dyn Stream>, Refusal> {
    let refused = |error: io::Error| {
        let hint = match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                "; does the service run, and does its agent listen there?"
            }
            io::ErrorKind::NotFound => "; is the path right, and does the service run?",
            io::ErrorKind::PermissionDenied => {
                "; only the user that the service runs as may connect"
            }
            _ => "",
        };
        unreachable(address, format_args!("cannot connect: {error}{hint}"))
    };
    match address.endpoint() {
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).await.map_err(refused)?;
            Ok(Box::new(stream))
        }
        Endpoint::Tcp { tls: true, .. } => Err(Refusal::Other(Fault::usage(format!(
            "{address}: this build of heaplens speaks no TLS; use http:// or a tunnel to the service"
        )))),
        Endpoint::Tcp { host, port, .. } => {
            let addresses = resolve(host, *port).await.map_err(refused)?;
            let stream = TcpStream::connect(&*addresses).await.map_err(refused)?;
            Ok(Box::new(stream))
        }
    }
}

/// The addresses of a host. The system's own look-up cannot be given up; on a thread
/// of its own nobody has to wait for it at the end.
async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (sender, receiver) = oneshot::channel();
    let host = host.to_owned();
    thread::spawn(move || {
        let found = (host.as_str(), port).to_socket_addrs();
        // Who asked may have had enough.
        let _ = sender.send(found.map(Iterator::collect));
    });
    receiver.await.map_err(io::Error::other)?
}

async fn answer(
    address: &Address,
    path: &str,
    response: Response<Incoming>,
) -> Result<Answer, Refusal> {
    let status = response.status();
    let content_type = response.headers().get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|of| of.to_str().ok())
        .map(str::to_owned);
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    let body = body.map_err(|error| {
        if error.is::<LengthLimitError>() {
            let longest = LONGEST >> 20;
            return unreachable(
                address,
                format_args!("its answer has more than {longest} MiB"),
            );
        }
        unreachable(address, format_args!("its answer was cut short: {error}"))
    })?;
    let body = body.to_bytes();
    match status {
        StatusCode::OK => Ok(Answer { content_type, body }),
        status => Err(refusal(
            address,
            path,
            status,
            content_type.as_deref(),
            &body,
        )),
    }
}

/// A status other than 200, in words.
fn refusal(
    address: &Address,
    path: &str,
    status: StatusCode,
    content_type: Option<&str>,
    body: &[u8],
) -> Refusal {
    let said = content_type
        .filter(|of| of.starts_with("text/plain"))
        .and_then(|_| std::str::from_utf8(body).ok())
        .map(text::one_line)
        // As some servers begin their reasons.
        .map(|line| {
            line.trim_start_matches(status.as_str())
                .trim_start()
                .to_owned()
        })
        .filter(|line| !line.is_empty());
    let path = path.split('?').next().unwrap_or_default();
    let said = said.unwrap_or_else(|| {
        status
            .canonical_reason()
            .unwrap_or("no reason given")
            .to_owned()
    });
    let reason = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => format!(
            "{address}: not authorised ({}); give the service's token by --token or HEAPLENS_TOKEN",
            status.as_u16()
        ),
        _ => format!(
            "{address}{}: {} {said}",
            path_below(address, path),
            status.as_u16()
        ),
    };
    let fault = Fault::unreachable(reason);
    match status {
        StatusCode::NOT_FOUND => Refusal::NotFound(fault),
        _ => Refusal::Other(fault),
    }
}

/// The path without what the address shows already.
fn path_below<'a>(address: &Address, path: &'a str) -> &'a str {
    path.strip_prefix(address.route("").as_str())
        .unwrap_or(path)
}
