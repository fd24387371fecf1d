//! What a client may cost.

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::{PATIENCE, Response, answers, connect, get};
use heaplens::Agent;

/// Time-outs that none of these tests should meet.
const LONG: Duration = Duration::from_secs(600);
/// One that a test waits for.
const SHORT: Duration = Duration::from_millis(50);

fn agent(header: Duration, request: Duration, connections: usize) -> (Agent, SocketAddr) {
    let agent = Agent::builder()
        .listen("127.0.0.1:0")
        .limits(header, request, connections)
        .start()
        .unwrap();
    let address = agent.local_addr().unwrap();
    (agent, address)
}

/// Sends a request that leaves the connection open, and reads its answer.
fn converse(stream: &mut TcpStream, address: SocketAddr) -> Vec<u8> {
    let request = format!("GET /nosuch HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"404 page not found\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    bytes
}

fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 64]), Ok(0) | Err(_))
}

#[test]
fn one_connection_too_many_is_told_so() {
    let (agent, address) = agent(LONG, LONG, 32);
    let mut open: Vec<TcpStream> = (0..32).map(|_| connect(address)).collect();
    for stream in &mut open {
        converse(stream, address);
    }
    // Not even a request is needed to be told.
    for _ in 0..3 {
        let answer = Response::read(connect(address));
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("x-go-pprof"), Some("1"));
        assert_eq!(answer.header("retry-after"), Some("5"));
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert_eq!(answer.body.len(), length);
        assert!(answer.text().starts_with("too many connections"));
    }
    // The others go on, and a place that gets free is given away.
    converse(&mut open[0], address);
    drop(open.pop());
    let begun = Instant::now();
    while !answers(address, "/healthz", 200) {
        assert!(begun.elapsed() < PATIENCE);
    }
    drop(agent);
}

#[test]
fn a_silent_client_is_closed() {
    let (agent, address) = agent(SHORT, LONG, 32);
    let mut stream = connect(address);
    assert!(is_closed(&mut stream));
    drop(agent);
}

#[test]
fn a_header_that_does_not_end_is_closed() {
    let (agent, address) = agent(SHORT, LONG, 32);
    let mut stream = connect(address);
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: lo")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || Response::parse(&answer).status == 408);
    drop(agent);
}

#[test]
fn a_pause_between_requests_is_bounded() {
    let (agent, address) = agent(SHORT, LONG, 32);
    let mut stream = connect(address);
    converse(&mut stream, address);
    assert!(is_closed(&mut stream));
    drop(agent);
}

#[test]
fn http_2_is_not_spoken() {
    let (agent, address) = agent(SHORT, LONG, 32);
    let mut stream = connect(address);
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || Response::parse(&answer).status == 400);
    drop(agent);
}

#[test]
fn a_body_that_does_not_end_is_answered_and_closed() {
    let (agent, address) = agent(LONG, SHORT, 32);
    let mut stream = connect(address);
    let request = format!(
        "POST /debug/pprof/symbol HTTP/1.1\r\nHost: {address}\r\nContent-Length: 99\r\n\r\n0x1+"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let answer = Response::read(stream);
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("took longer than"));
    drop(agent);
}

#[test]
fn an_answer_that_is_not_taken_is_cut() {
    let (agent, address) = agent(LONG, Duration::from_millis(500), 32);
    // A pipeline of answers beyond what the sockets buffer, none of them read:
    // the agent stops taking requests, and gives up at the deadline.
    let mut stream = connect(address);
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let many = request.repeat(64);
    let begun = Instant::now();
    while stream.write_all(many.as_bytes()).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it takes requests for ever");
    }
    assert_eq!(get(address, "/healthz").status, 200);
    drop(agent);
}
