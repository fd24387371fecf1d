//! Heap assertions over all threads: one test, alone in its process, in which every
//! allocation is sampled.
//!
//! Without the harness of `#[test]`: that runs a test beside its main thread, which
//! allocates when it gets to it, and so within a watch on a busy machine.

mod common;

use std::process::ExitCode;
use std::sync::mpsc;

use common::panics::{assert_contains, message_of};
use heaplens::testing::{HeapWatch, Pressure, Transaction};
use libtest_mimic::{Arguments, Trial};

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new().sample_interval(1);

#[inline(never)]
fn kept_by_the_worker(list: &mut Vec<Vec<u8>>) {
    list.push(vec![0; 500]);
}

fn main() -> ExitCode {
    let arguments = Arguments {
        test_threads: Some(1),
        ..Arguments::from_args()
    };
    let trial = Trial::test("what_a_worker_keeps_is_found", || {
        what_a_worker_keeps_is_found();
        Ok(())
    });
    libtest_mimic::run(&arguments, vec![trial]).exit_code()
}

fn what_a_worker_keeps_is_found() {
    let (request, requests) = mpsc::channel::<bool>();
    let (answer, answers) = mpsc::channel();
    let worker = std::thread::spawn(move || {
        let mut list = Vec::with_capacity(10_000);
        for keep in requests {
            if keep {
                kept_by_the_worker(&mut list);
            }
            answer.send(vec![0u8; 100]).expect("waits");
        }
    });
    let call = |keep| {
        request.send(keep).expect("works");
        answers.recv().expect("answers").len()
    };
    // A channel allocates a block for every 31 messages, and frees it later.
    let all = |name| {
        Transaction::named(name)
            .all_threads()
            .warm_up(100)
            .runs(310)
            .allow_bytes(4096)
    };
    all("honest").run(|| call(false));
    // Unseen by the thread that asks.
    Transaction::named("seen from outside")
        .allow_bytes(4096)
        .run(|| call(true));
    let message = message_of(|| drop(all("leaky").run(|| call(true))));
    assert_contains(
        &message,
        &[
            "155,000 bytes in 310 blocks",
            "kept_by_the_worker",
            "500 bytes a run",
        ],
    );
    let report = Pressure::new()
        .all_threads()
        .until_heap_bytes(50_000)
        .run(|_| {
            call(true);
        });
    assert!((95..=101).contains(&report.operations), "{report}");

    let watch = HeapWatch::start_all_threads();
    drop(request);
    worker.join().expect("no panic");
    // What was there before the watch and is freed in it does not count.
    watch.assert_growth_below(1);
}
