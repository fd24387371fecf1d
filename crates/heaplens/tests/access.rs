//! Who is let in: addresses, hosts, tokens, the unix socket.

mod common;

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use common::{Response, agent, get, request, send};
use heaplens::{Agent, Error};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// `pprof:` and the token, in base64.
const BASIC: &str = "cHByb2Y6MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn refused(builder: heaplens::Builder) -> Error {
    match builder.start() {
        Ok(agent) => panic!("it started: {agent:?}"),
        Err(error) => error,
    }
}

#[test]
fn a_busy_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let error = refused(Agent::builder().listen(&address));
    assert!(matches!(error, Error::Bind { .. }), "{error:?}");
    assert!(error.to_string().contains(&address), "{error}");
}

#[test]
fn other_machines_need_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
        let error = refused(Agent::builder().listen(address));
        assert!(matches!(error, Error::NotLoopback { .. }), "{error:?}");
        assert!(error.to_string().contains(address), "{error}");
    }
    let agent = Agent::builder().listen("0.0.0.0:0").token(TOKEN).start();
    drop(agent.unwrap());
}

#[test]
fn a_token_that_can_be_guessed_is_refused_and_not_shown() {
    for token in ["", "hunter2hunter2", &"ab".repeat(40)] {
        let error = refused(Agent::builder().listen("127.0.0.1:0").token(token));
        assert!(matches!(error, Error::Token { .. }), "{error:?}");
        let shown = format!("{error} {error:?}");
        assert!(token.is_empty() || !shown.contains(token), "{shown}");
    }
    let builder = Agent::builder().listen("127.0.0.1:0").token(TOKEN);
    assert!(!format!("{builder:?}").contains(TOKEN));
    let agent = builder.start().unwrap();
    assert!(!format!("{agent:?}").contains(TOKEN));
}

#[test]
fn an_address_that_is_none_is_refused() {
    for address in [
        "",
        "6060",
        ":6060",
        "127.0.0.1",
        "127.0.0.1:65536",
        "127.0.0.1:x",
    ] {
        let error = refused(Agent::builder().listen(address));
        assert!(
            matches!(error, Error::Address { .. }),
            "{address}: {error:?}"
        );
    }
}

#[test]
fn with_a_token_nothing_answers_without_it() {
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .token(TOKEN)
        .start()
        .unwrap();
    let address = agent.local_addr().unwrap();
    let open = [
        format!("Authorization: Bearer {TOKEN}\r\n"),
        format!("authorization: bearer {TOKEN}\r\n"),
        format!("Authorization: Basic {BASIC}\r\n"),
    ];
    let closed = [
        String::new(),
        format!("Authorization: Bearer {TOKEN}0\r\n"),
        format!("Authorization: Bearer {}\r\n", &TOKEN[1..]),
        format!("Authorization: Bearer {}\r\n", TOKEN.to_uppercase()),
        "Authorization: Bearer\r\n".to_owned(),
        format!("Authorization: {TOKEN}\r\n"),
        format!("Authorization: Basic {TOKEN}\r\n"),
        format!("Authorization: Bearer {TOKEN}\r\nAuthorization: Bearer {TOKEN}\r\n"),
        format!("Proxy-Authorization: Bearer {TOKEN}\r\n"),
        format!("Cookie: token={TOKEN}\r\n"),
    ];
    let paths = [
        "/",
        "/healthz",
        "/metrics",
        "/debug/pprof/",
        "/debug/pprof/cmdline",
        "/nosuch",
        "/debug/pprof/nosuch",
        "//debug/pprof/",
        "/metrics/../debug/pprof/",
        "/debug/pprof%2fheap",
        "/HEALTHZ",
        "/healthz;x",
        "/healthz?token=1",
    ];
    for path in paths {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            for headers in &closed {
                let answer = request(address, method, path, headers);
                assert_eq!(answer.status, 401, "{method} {path} {headers}");
                let challenge = answer.header("www-authenticate");
                assert_eq!(challenge, Some("Basic realm=\"heaplens\""));
                assert_eq!(answer.header("x-go-pprof"), Some("1"));
            }
            for headers in &open {
                let answer = request(address, method, path, headers);
                assert_ne!(answer.status, 401, "{method} {path} {headers}");
            }
        }
    }
    // With a token any name will do: it is behind some proxy or other.
    let raw = format!(
        "GET /healthz HTTP/1.1\r\nHost: profiles.example\r\nConnection: close\r\n{}\r\n",
        open[0]
    );
    assert_eq!(send(address, raw.as_bytes()).status, 200);
}

#[test]
fn a_header_of_100_kilobytes_is_not_read() {
    let (agent, address) = agent();
    let mut stream = common::connect(address);
    let head = format!(
        "GET /healthz HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
        "a".repeat(100_000)
    );
    // The agent may close before all of it is sent.
    let _ = stream.write_all(head.as_bytes());
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut bytes);
    assert!(bytes.is_empty() || Response::parse(&bytes).status == 431);
    drop(agent);
}

fn with_host(address: SocketAddr, target: &str, hosts: &str) -> u16 {
    let raw = format!("GET {target} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
    send(address, raw.as_bytes()).status
}

#[test]
fn only_own_names_are_answered() {
    let agent = Agent::builder().listen("localhost:0").start().unwrap();
    let address = agent.local_addr().unwrap();
    let port = address.port();
    let cases = [
        (format!("Host: localhost:{port}\r\n"), 200),
        (format!("Host: LOCALHOST:{port}\r\n"), 200),
        (format!("Host: 127.0.0.1:{port}\r\n"), 200),
        (format!("Host: [::1]:{port}\r\n"), 200),
        ("Host: localhost\r\n".to_owned(), 200),
        ("Host: localhost:8080\r\n".to_owned(), 200),
        (format!("Host: localhost.evil.com:{port}\r\n"), 403),
        (format!("Host: 127.0.0.1.evil.com:{port}\r\n"), 403),
        (format!("Host: evil.com:{port}\r\n"), 403),
        ("Host: localhost:80@evil.com\r\n".to_owned(), 403),
        ("Host: 127.1\r\n".to_owned(), 403),
        ("Host: 0\r\n".to_owned(), 403),
        ("Host: 0x7f.1\r\n".to_owned(), 403),
        ("Host: [::ffff:127.0.0.1]\r\n".to_owned(), 403),
        ("Host: localhost.\r\n".to_owned(), 403),
        ("Host:\r\n".to_owned(), 403),
        (String::new(), 400),
        ("Host: localhost\r\nHost: localhost\r\n".to_owned(), 400),
        ("Host: localhost\r\nHost: evil.com\r\n".to_owned(), 400),
        ("Host : localhost\r\n".to_owned(), 400),
        ("Host: local\0host\r\n".to_owned(), 400),
    ];
    for (hosts, status) in cases {
        assert_eq!(with_host(address, "/healthz", &hosts), status, "{hosts:?}");
    }
    let local = "Host: localhost\r\n";
    assert_eq!(with_host(address, "http://localhost/healthz", local), 200);
    assert_eq!(with_host(address, "http://evil.com/healthz", local), 403);
    let answer = with_host(
        address,
        "/healthz",
        "Host: evil.com\r\nX-Forwarded-Host: localhost\r\n",
    );
    assert_eq!(answer, 403);
}

#[test]
fn contradictory_lengths_are_refused() {
    let (agent, address) = agent();
    for lengths in [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1x\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ] {
        let raw = format!(
            "POST /debug/pprof/symbol HTTP/1.1\r\nHost: {address}\r\n{lengths}\
             Connection: close\r\n\r\n0\r\n\r\n"
        );
        let status = send(address, raw.as_bytes()).status;
        assert_eq!(status, 400, "{lengths:?}");
    }
    drop(agent);
}

#[test]
fn nothing_is_smuggled_behind_a_chunked_body() {
    let (agent, address) = agent();
    let head = format!("POST /debug/pprof/symbol HTTP/1.1\r\nHost: {address}\r\n");
    let hidden = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
    for lengths in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let raw = format!("{head}{lengths}\r\n0\r\n\r\n{hidden}");
        let answer = send(address, raw.as_bytes());
        // The connection was closed behind the first answer.
        assert_eq!(answer.text(), "num_symbols: 1\n", "{lengths:?}");
    }
    drop(agent);
}

fn get_unix(path: &Path, target: &str) -> Response {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    let raw = format!("GET {target} HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n");
    stream.write_all(raw.as_bytes()).unwrap();
    Response::read(stream)
}

#[test]
fn a_unix_socket_is_private_and_goes_with_the_agent() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("heaplens.sock");
    let agent = Agent::builder().listen_unix(&path).start().unwrap();
    assert_eq!(
        agent.local_addr(),
        None,
        "no TCP beside it unless asked for"
    );
    assert_eq!(agent.local_path(), Some(path.as_path()));
    let file = fs::metadata(&path).unwrap();
    assert!(file.file_type().is_socket());
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(get_unix(&path, "/healthz").status, 200);
    drop(agent);
    assert!(!path.exists());
}

#[test]
fn both_kinds_of_socket_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("heaplens.sock");
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .listen_unix(&path)
        .start()
        .unwrap();
    assert_eq!(get(agent.local_addr().unwrap(), "/healthz").status, 200);
    assert_eq!(get_unix(&path, "/healthz").status, 200);
}

#[test]
fn a_stale_unix_socket_is_replaced_and_a_live_one_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("heaplens.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "as a killed program leaves it");
    let first = Agent::builder().listen_unix(&path).start().unwrap();

    let error = refused(Agent::builder().listen_unix(&path));
    assert!(matches!(error, Error::UnixSocket { .. }), "{error:?}");
    let text = error.to_string();
    assert!(
        text.contains("heaplens.sock") && text.contains("is listening"),
        "{text}"
    );
    assert_eq!(
        get_unix(&path, "/healthz").status,
        200,
        "the first is unharmed"
    );
    drop(first);

    fs::write(&path, "a file of somebody's").unwrap();
    let error = refused(Agent::builder().listen_unix(&path));
    assert!(error.to_string().contains("not a socket"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"a file of somebody's");
}

#[test]
fn a_socket_put_there_by_another_is_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("heaplens.sock");
    let agent = Agent::builder().listen_unix(&path).start().unwrap();
    fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(agent);
    assert!(path.exists());
    drop(other);
}

#[test]
fn a_path_that_is_too_long_is_an_error() {
    let path = format!("/tmp/{}", "x".repeat(200));
    let error = refused(Agent::builder().listen_unix(path));
    assert!(matches!(error, Error::UnixSocket { .. }), "{error:?}");
}
