//! The program itself: what it prints, and how it stops.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn start(arguments: &[&str]) -> (Child, BufReader<ChildStdout>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_leaky-service"))
        .args(["--listen", "127.0.0.1:0", "--service", "127.0.0.1:0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = child.stdout.take().expect("a pipe");
    (child, BufReader::new(stdout))
}

fn signal(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).expect("a process id");
    kill(Pid::from_raw(pid), signal).expect("the process is there");
}

/// The lines up to the one that says how to stop.
fn banner(stdout: &mut BufReader<ChildStdout>) -> String {
    let mut banner = String::new();
    while !banner.contains("Ctrl-C") {
        let read = stdout.read_line(&mut banner).expect("a line");
        assert!(read > 0, "the program has ended: {banner}");
    }
    banner
}

fn stops_cleanly_at(stop: Signal) {
    let (mut child, mut stdout) = start(&["--rate", "500"]);
    let banner = banner(&mut stdout);
    assert!(
        banner.contains("go tool pprof -top -cum -lines -show=^leaky_service:: http://127.0.0.1:"),
        "{banner}"
    );
    assert!(
        banner.contains("/debug/heap\n") && !banner.contains(":0/"),
        "{banner}"
    );
    signal(&child, stop);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).expect("the rest");
    assert!(
        rest.contains("stopped after") && rest.contains(", 0 failed"),
        "{rest}"
    );
    assert_eq!(child.wait().expect("an exit code").code(), Some(0));
}

#[test]
fn ctrl_c_stops_it_cleanly() {
    stops_cleanly_at(Signal::SIGINT);
}

#[test]
fn sigterm_stops_it_cleanly() {
    stops_cleanly_at(Signal::SIGTERM);
}

/// A program that has a request whose body never comes.
fn with_a_stuck_request() -> (Child, BufReader<ChildStdout>, TcpStream) {
    let (child, mut stdout) = start(&["--rate", "0", "--case", "sessions"]);
    let banner = banner(&mut stdout);
    let address = banner
        .split_whitespace()
        .find_map(|word| word.strip_prefix("http://")?.strip_suffix("/stats"))
        .expect("the address of the service");
    let mut stuck = TcpStream::connect(address).expect("a connection");
    let head = "POST /sessions HTTP/1.1\r\nHost: service\r\nContent-Length: 9\r\n\r\n";
    stuck.write_all(head.as_bytes()).expect("a head is sent");
    // It is under way as soon as it is counted.
    let mut answer = String::new();
    while !answer.contains("\"requests\":1") {
        let mut stats = TcpStream::connect(address).expect("a connection");
        let get = "GET /stats HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n";
        stats.write_all(get.as_bytes()).expect("a request is sent");
        answer.clear();
        stats.read_to_string(&mut answer).expect("an answer");
    }
    (child, stdout, stuck)
}

#[test]
fn a_request_that_does_not_end_is_cut() {
    let (child, _stdout, _stuck) = with_a_stuck_request();
    signal(&child, Signal::SIGINT);
    let output = child.wait_with_output().expect("an exit code");
    assert_eq!(output.status.code(), Some(0));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("a connection was cut"), "{stderr}");
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let (mut child, _stdout, _stuck) = with_a_stuck_request();
    let status = loop {
        // Signals that come too soon after another are merged into one.
        if let Some(status) = child.try_wait().expect("a process") {
            break status;
        }
        signal(&child, Signal::SIGINT);
        std::thread::yield_now();
    };
    assert_eq!(status.code(), Some(128 + 2));
}

#[test]
fn a_duration_stops_it_cleanly() {
    let (child, _stdout) = start(&["--fixed", "--duration", "1", "--case", "callbacks"]);
    let output = child.wait_with_output().expect("an exit code");
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn an_address_in_use_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    for option in ["--listen", "--service"] {
        let output = Command::new(env!("CARGO_BIN_EXE_leaky-service"))
            .args(["--listen", "127.0.0.1:0", "--service", "127.0.0.1:0"])
            .args([option, &address])
            .output()
            .expect("the program starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{option}: {stderr}");
        assert!(stderr.contains(&address), "{option}: {stderr}");
    }
}
