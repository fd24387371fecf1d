//! `/debug/pprof/profile` with the feature `cpu-profile`: rows 22 to 24 of Go's
//! behaviour, and what the profile says. Alone in its program: a CPU profile is of the
//! whole process, and one at a time.
#![cfg(feature = "cpu-profile")]

mod common;

use std::hint::black_box;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Instant;

use common::pprof::{decode, text, under};
use common::{Over, PATIENCE, Response, agent, connect, get};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();

const BUSY: &str = "Could not enable CPU profiling: cpu profiling already in use\n";

/// One at a time, also where the tests of a program share a process.
static TURN: Mutex<()> = Mutex::new(());

#[inline(never)]
fn spin_for_the_profile(until: &AtomicBool) -> u64 {
    let mut number = 1u64;
    while !until.load(Ordering::Relaxed) {
        for _ in 0..1000 {
            number = black_box(
                number
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1),
            );
        }
    }
    number
}

/// Allocates all the time: where a handler that allocated would meet a lock that is
/// held.
#[inline(never)]
fn allocate_for_the_profile(until: &AtomicBool) {
    let mut held = Vec::new();
    while !until.load(Ordering::Relaxed) {
        held.push(black_box(vec![0u8; 100 + held.len()]));
        if held.len() > 1000 {
            held.clear();
        }
    }
}

/// A profile of one second, while two threads are busy.
fn profile(address: SocketAddr) -> Response {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _over = Over(&done);
        scope.spawn(|| spin_for_the_profile(&done));
        scope.spawn(|| allocate_for_the_profile(&done));
        get(address, "/debug/pprof/profile?seconds=1")
    })
}

#[test]
fn row_22_what_is_busy_is_in_the_profile() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (agent, address) = agent();
    for _ in 0..2 {
        let answer = profile(address);
        assert_eq!(answer.status, 200, "{answer:?}");
        let header = |name| answer.header(name);
        assert_eq!(header("content-type"), Some("application/octet-stream"));
        let file = "attachment; filename=\"profile\"";
        assert_eq!(header("content-disposition"), Some(file));
        assert_eq!(header("x-content-type-options"), Some("nosniff"));
        assert_eq!(header("content-encoding"), None);
        let profile = decode(&answer.body);
        let types: Vec<_> = profile
            .sample_type
            .iter()
            .map(|of| (text(&profile, of.r#type), text(&profile, of.unit)))
            .collect();
        assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
        assert!(profile.duration_nanos >= 1_000_000_000);
        assert_eq!(profile.period, 10_000_000, "100 a second");
        for function in ["spin_for_the_profile", "allocate_for_the_profile"] {
            assert!(under(&profile, function, 0) > 0, "{function}");
        }
        // The agent's threads block the signal.
        assert_eq!(under(&profile, "heaplens::agent", 0), 0);
        shown_by_the_tool(&answer.body);
    }
    drop(agent);
}

/// The real tool, where there is one.
fn shown_by_the_tool(profile: &[u8]) {
    let Some(tool) = std::env::var_os("HEAPLENS_PPROF") else {
        return;
    };
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(profile).unwrap();
    let mut command = Command::new(tool);
    // All of them: unoptimised, its time is that of what it calls.
    command
        .args(["-top", "-cum", "-nodecount=100000"])
        .arg(file.path());
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(shown.contains("Type: cpu"), "{shown}");
    assert!(shown.contains("spin_for_the_profile"), "{shown}");
}

fn begin(address: SocketAddr, target: &str) -> std::net::TcpStream {
    let mut stream = connect(address);
    let head = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

/// Two requests at a time. Returns what one of them is told, while the other waits;
/// then both leave.
fn answer_to_one_of_two(address: SocketAddr, targets: [&str; 2]) -> Response {
    let (answers, answered) = mpsc::channel();
    thread::scope(|scope| {
        let streams = targets.map(|target| begin(address, target));
        for stream in &streams {
            let (mut stream, answers) = (stream.try_clone().unwrap(), answers.clone());
            scope.spawn(move || {
                let mut bytes = Vec::new();
                // The one that leaves reads nothing, and nobody listens any more.
                if stream.read_to_end(&mut bytes).is_ok() && !bytes.is_empty() {
                    let _ = answers.send(Response::parse(&bytes));
                }
            });
        }
        let answer = answered.recv_timeout(PATIENCE);
        for stream in &streams {
            let _ = stream.shutdown(Shutdown::Both);
        }
        answer.unwrap()
    })
}

/// What is no number counts as the default of 30 seconds; within them a second
/// profile is refused as Go refuses it, and a client that leaves ends it.
#[test]
fn row_23_and_row_24_one_at_a_time_and_a_client_that_leaves_ends_it() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (agent, address) = agent();
    for seconds in ["seconds=abc", "seconds=-1", "seconds=", "seconds=300"] {
        let target = format!("/debug/pprof/profile?{seconds}");
        let refused = answer_to_one_of_two(address, [&target, &target]);
        assert_eq!(refused.status, 500, "{target}: {refused:?}");
        assert_eq!(refused.header("x-go-pprof"), Some("1"));
        assert_eq!(refused.text(), BUSY);
        let begun = Instant::now();
        while get(address, "/debug/pprof/profile?seconds=1").status != 200 {
            assert!(begun.elapsed() < PATIENCE, "{target}");
        }
    }
    drop(agent);
}

/// A heap profile is taken meanwhile, as always.
#[test]
fn the_heap_is_served_during_a_cpu_profile() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let (agent, address) = agent();
    let waiting = begin(address, "/debug/pprof/profile?seconds=300");
    for _ in 0..3 {
        assert_eq!(get(address, "/debug/pprof/heap").status, 200);
    }
    drop((waiting, agent));
}
