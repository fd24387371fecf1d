//! What is in the profiles that the agent serves.

mod common;

use std::hint::black_box;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::pprof::{comments, decode, has_negative, text, under};
use common::{Over, agent, answers, connect, get};

/// Samples at its interval however slow the machine is: large blocks are certain, and exact.
#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().max_overhead_ppm(0);

const HELD: usize = 64 << 20;

#[inline(never)]
fn hold_before() -> Vec<u8> {
    black_box(vec![1; HELD])
}

#[inline(never)]
fn hold_meanwhile() -> Vec<u8> {
    black_box(vec![2; 8 << 20])
}

#[test]
fn the_function_that_holds_the_memory_is_named_with_its_bytes() {
    let (agent, address) = agent();
    let held = hold_before();
    for path in ["/debug/pprof/heap", "/debug/pprof/allocs", "/debug/heap"] {
        let profile = decode(&get(address, path).body);
        let types: Vec<_> = profile
            .sample_type
            .iter()
            .map(|of| text(&profile, of.r#type))
            .collect();
        assert_eq!(
            types,
            [
                "alloc_objects",
                "alloc_space",
                "inuse_objects",
                "inuse_space"
            ]
        );
        let default = text(&profile, profile.default_sample_type);
        let expected = if path.ends_with("allocs") {
            "alloc_space"
        } else {
            ""
        };
        assert_eq!(default, expected, "{path}");
        // One block so much longer than the interval is sampled for certain,
        // and weighs what it is.
        let bytes = under(&profile, "hold_before", 3);
        assert_eq!(bytes, i64::try_from(HELD).unwrap(), "{path}");
        assert_eq!(profile.duration_nanos, 0, "{path}");
    }
    let shown = get(address, "/debug/heap?format=text");
    assert!(shown.text().contains("hold_before"), "{}", shown.text());
    drop((held, agent));
}

#[test]
fn a_delta_has_what_came_within_its_window_only() {
    let (agent, address) = agent();
    let held = hold_before();
    let done = AtomicBool::new(false);
    let profile = thread::scope(|scope| {
        scope.spawn(|| {
            // Each block is freed in its turn: the sum in use is one at most.
            while !done.load(Ordering::Relaxed) {
                drop(hold_meanwhile());
            }
        });
        let _over = Over(&done);
        decode(&get(address, "/debug/pprof/heap?seconds=1").body)
    });
    assert_eq!(under(&profile, "hold_before", 1), 0);
    assert!(under(&profile, "hold_meanwhile", 1) >= 8 << 20);
    assert!(profile.duration_nanos >= 1_000_000_000);
    drop((held, agent));
}

#[inline(never)]
fn hold_in_parallel() -> Vec<u8> {
    black_box(vec![4; HELD])
}

/// With `inuse=last` what is in use is there whether it changed or not, and nothing
/// is negative; as Go has it, only what changed is there.
#[test]
fn deltas_in_parallel_and_of_both_kinds() {
    let (agent, address) = agent();
    let held = hold_in_parallel();
    let kinds = [
        ("/debug/pprof/heap?seconds=1", false),
        ("/debug/pprof/heap?seconds=1&inuse=last", true),
        ("/debug/pprof/allocs?seconds=1&inuse=last", true),
        ("/debug/heap?seconds=2&inuse=last", true),
        ("/debug/heap?seconds=2&inuse=delta", false),
        ("/debug/pprof/allocs?seconds=2&inuse=nonsense", false),
    ];
    thread::scope(|scope| {
        for (target, is_last) in kinds {
            scope.spawn(move || {
                let answer = get(address, target);
                assert_eq!(answer.status, 200, "{target}: {answer:?}");
                let profile = decode(&answer.body);
                assert!(profile.duration_nanos >= 1_000_000_000, "{target}");
                assert_eq!(under(&profile, "hold_in_parallel", 1), 0, "{target}");
                let inuse = under(&profile, "hold_in_parallel", 3);
                let expected = if is_last { HELD } else { 0 };
                assert_eq!(inuse, i64::try_from(expected).unwrap(), "{target}");
                assert!(!is_last || !has_negative(&profile), "{target}");
                let said = comments(&profile);
                assert_eq!(said.contains("as they are at the end"), is_last, "{said}");
            });
        }
    });
    drop((held, agent));
}

#[test]
fn requests_for_the_same_thing_share_it_and_none_is_refused() {
    let (agent, address) = agent();
    thread::scope(|scope| {
        for path in ["heap", "allocs", "heap?debug=1"].iter().cycle().take(24) {
            scope.spawn(move || {
                let answer = get(address, &format!("/debug/pprof/{path}"));
                assert_eq!(answer.status, 200, "{path}: {answer:?}");
            });
        }
    });
    drop(agent);
}

#[test]
fn clients_that_leave_do_not_block_the_next() {
    use std::io::Write as _;
    let (agent, address) = agent();
    let targets = [
        "heap",
        "allocs?seconds=300",
        "heap?seconds=300",
        "heap?seconds=300&inuse=last",
        "delta_heap",
    ];
    for target in targets.iter().cycle().take(60) {
        let mut stream = connect(address);
        let request = format!("GET /debug/pprof/{target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
    }
    // Leaving is noticed by the delta that waits, and a profile in the making
    // is shared: the way is free as soon as the agent has seen it all.
    let begun = std::time::Instant::now();
    for target in ["/debug/pprof/heap", "/debug/pprof/heap?seconds=1"] {
        while !answers(address, target, 200) {
            assert!(begun.elapsed() < common::PATIENCE, "{target}");
        }
    }
    drop(agent);
}

#[test]
fn deltas_that_wait_are_bounded() {
    use std::io::Write as _;
    let (agent, address) = agent();
    let (answers, answered) = std::sync::mpsc::channel();
    let waiting: Vec<_> = (0..9)
        .map(|_| {
            let mut stream = connect(address);
            let target = "/debug/pprof/heap?seconds=300";
            let request = format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let answers = answers.clone();
            thread::spawn(move || {
                let mut first = [0; 12];
                if stream.read_exact(&mut first).is_ok() {
                    answers.send(first).unwrap();
                }
            })
        })
        .collect();
    // One of the nine is told at once that it is too much.
    assert_eq!(
        &answered.recv_timeout(common::PATIENCE).unwrap(),
        b"HTTP/1.1 429"
    );
    // Stopping does not wait for the other eight, and answers none of them.
    drop((agent, answers));
    for thread in waiting {
        thread.join().unwrap();
    }
    assert!(answered.recv().is_err());
}
