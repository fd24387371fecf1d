//! What-if drops again and again, of values of all kinds: nothing is left behind. As many
//! as `HEAPLENS_SOAK_RUNS` says (`scripts/soak-retained`), otherwise a few hundred.

mod common;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use common::truth::{Truth, held};
use common::what_if::{ask, limits, sessions};
use common::{alone, drops};
use heaplens_alloc::retained::{Limits, RetainedError, start};
use heaplens_alloc::{Alloc, allow_what_if, counters};

#[global_allocator]
static ALLOC: Truth<Alloc> = Truth(Alloc::new().sample_interval(4096).max_overhead_ppm(0));

/// How many, unless the environment says.
const RUNS: usize = 240;

fn runs() -> usize {
    let asked = std::env::var("HEAPLENS_SOAK_RUNS").ok();
    asked.map_or(RUNS, |runs| runs.parse().expect("a number of runs"))
}

struct OnDrop(fn());

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

fn entries(of: &str) -> usize {
    fs::read_dir(of).expect("a directory").count()
}

/// Kilobytes of a line of the status file.
fn status(of: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("a status");
    let line = text.lines().find_map(|line| line.strip_prefix(of));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .expect("a number")
}

/// What there is of this process that must not grow.
fn inventory() -> (usize, usize, i64, u64, u64) {
    let live = counters().live_samples;
    (
        entries("/proc/self/fd"),
        entries("/proc/self/task"),
        held(),
        live,
        drops(),
    )
}

fn mixture(run: usize, map: &impl Sized) {
    let outcome = |f: fn(), limits: Limits| {
        let value = OnDrop(f);
        let outcome = start(&value, limits).and_then(heaplens_alloc::retained::Measurement::finish);
        std::mem::forget(value);
        outcome.map(|answer| answer.is_lower_bound)
    };
    let crashed = |signal| Err(RetainedError::Crashed { signal });
    let limit = Duration::from_millis(5);
    match run % 8 {
        0 => assert_eq!(outcome(|| panic!(), limits()), Ok(true)),
        1 => assert_eq!(
            outcome(|| std::process::abort(), limits()),
            crashed(libc::SIGABRT)
        ),
        2 => assert_eq!(
            outcome(|| std::process::exit(4), limits()),
            Err(RetainedError::Exited { status: 4 })
        ),
        3 => assert_eq!(
            outcome(
                || std::thread::sleep(Duration::MAX),
                limits().with_time(limit)
            ),
            Err(RetainedError::TimedOut { limit })
        ),
        4 => drop(start(map, limits()).expect("a child")),
        _ => assert!(ask(map).bytes > 100_000),
    }
}

#[test]
fn nothing_is_left_behind() {
    let _turn = alone();
    allow_what_if(true);
    let shared = Arc::new(vec![0u8; 1 << 20]);
    let map = sessions(300, &shared);
    (0..80).for_each(|run| mixture(run, &map));
    let before = (inventory(), status("VmRSS:"));
    let runs = runs();
    (0..runs).for_each(|run| mixture(run, &map));
    let after = (inventory(), status("VmRSS:"));
    assert_eq!(before.0, after.0);
    println!(
        "{runs} runs; {:?} before and after; resident {} kB before, {} kB after",
        before.0, before.1, after.1
    );
    assert!(
        after.1 < before.1 + 4096,
        "the allocator's own slack at the most"
    );
    // SAFETY: waits for nothing.
    let waited = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    assert_eq!(waited, -1, "a zombie");
}
