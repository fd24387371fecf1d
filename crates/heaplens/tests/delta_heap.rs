//! `/debug/pprof/delta_heap`: each client gets what came since its last fetch.

mod common;

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::pprof::{comments, decode, has_negative, under};
use common::{Over, agent, request};
use heaplens::profile::proto::Profile;

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

const HELD: i64 = 64 << 20;
const PASSING: i64 = 8 << 20;

// Each test has functions of its own: under `cargo test` they share a process.

#[inline(never)]
fn hold_for_each() -> Vec<u8> {
    black_box(vec![1; 64 << 20])
}

#[inline(never)]
fn hold_for_eight() -> Vec<u8> {
    black_box(vec![1; 64 << 20])
}

#[inline(never)]
fn pass_by() {
    drop(black_box(vec![2u8; 8 << 20]));
}

/// Blocks that are all but certain to be sampled weigh what they are, but for a
/// few bytes in ten million.
fn near(found: i64, expected: i64) -> bool {
    (found - expected).abs() <= expected / 1_000_000 + 1
}

fn fetch(address: SocketAddr, client: &str) -> Profile {
    let agent = format!("User-Agent: {client}\r\n");
    let answer = request(address, "GET", "/debug/pprof/delta_heap", &agent);
    assert_eq!(answer.status, 200, "{answer:?}");
    let profile = decode(&answer.body);
    assert!(!has_negative(&profile));
    profile
}

#[test]
fn each_client_has_its_own_windows() {
    let (agent, address) = agent();
    let held = hold_for_each();
    let first = fetch(address, "one");
    assert!(near(under(&first, "hold_for_each", 1), HELD));
    assert!(first.duration_nanos > 0, "since sampling began");
    assert!(
        comments(&first).contains("first fetch"),
        "{}",
        comments(&first)
    );
    pass_by();
    let agent_header = "User-Agent: one\r\n";
    let peeked = request(address, "HEAD", "/debug/pprof/delta_heap", agent_header);
    assert_eq!(peeked.status, 200);
    let second = fetch(address, "one");
    assert_eq!(under(&second, "hold_for_each", 1), 0, "allocated before");
    assert!(
        near(under(&second, "hold_for_each", 3), HELD),
        "in use all the same"
    );
    assert!(
        near(under(&second, "pass_by", 1), PASSING),
        "HEAD was no fetch"
    );
    assert_eq!(under(&second, "pass_by", 3), 0);
    assert!(comments(&second).contains("last fetch"));
    assert!(second.duration_nanos > 0);
    // Another client sees it all, and takes nothing from the first.
    let other = fetch(address, "another");
    assert!(near(under(&other, "hold_for_each", 1), HELD));
    assert!(under(&other, "pass_by", 1) >= PASSING);
    let third = fetch(address, "one");
    assert_eq!(under(&third, "pass_by", 1), 0);
    assert!(near(under(&third, "hold_for_each", 3), HELD));
    drop(held);
    let fourth = fetch(address, "one");
    assert_eq!(under(&fourth, "hold_for_each", 3), 0);
    let types: Vec<_> = fourth.sample_type.iter().map(|of| of.r#type).collect();
    assert_eq!(types.len(), 4, "also where little is left");
    drop(agent);
}

#[test]
fn eight_clients_are_remembered() {
    let (agent, address) = agent();
    let held = hold_for_eight();
    for number in 0..9 {
        fetch(address, &format!("client {number}"));
    }
    let known = fetch(address, "client 8");
    assert_eq!(under(&known, "hold_for_eight", 1), 0);
    let forgotten = fetch(address, "client 0");
    assert!(under(&forgotten, "hold_for_eight", 1) >= HELD - HELD / 1_000_000);
    assert!(comments(&forgotten).contains("first fetch"));
    drop((held, agent));
}

#[inline(never)]
fn churn_in_windows() {
    drop(black_box(vec![3u8; 4 << 20]));
}

/// Several requests of one client at a time: each byte is in one answer, as it is
/// in the total of all time.
#[test]
fn windows_of_requests_in_parallel_add_up() {
    let (agent, address) = agent();
    let client = "impatient";
    let base = under(&fetch(address, client), "churn_in_windows", 1);
    let done = AtomicBool::new(false);
    let sum: i64 = thread::scope(|scope| {
        let _over = Over(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                churn_in_windows();
            }
        });
        let fetching: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(move || {
                    (0..3)
                        .map(|_| under(&fetch(address, client), "churn_in_windows", 1))
                        .sum::<i64>()
                })
            })
            .collect();
        fetching.into_iter().map(|of| of.join().unwrap()).sum()
    });
    let rest = under(&fetch(address, client), "churn_in_windows", 1);
    let whole = under(&fetch(address, "late"), "churn_in_windows", 1);
    assert!(sum > 0);
    // Rows that make one sample are rounded one by one in a window.
    let off = (base + sum + rest - whole).abs();
    assert!(off <= 20, "{base} + {sum} + {rest} is not {whole}");
    drop(agent);
}
