//! The workloads under rpprof's allocator over the system's; `BENCH_PROFILE=on` turns it on.

use heaplens_workloads::{Allocator, main as run};
use rpprof::alloc::{self, AllocProfiler};
use std::process::ExitCode;

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() -> ExitCode {
    run(&Allocator { start, state })
}

fn start() {
    if std::env::var_os("BENCH_PROFILE").is_some_and(|value| value == "on") {
        alloc::start();
    }
}

// Its report is not asked for: it deadlocks when one of its own allocations is sampled.
fn state() -> Vec<(&'static str, String)> {
    vec![
        ("active", alloc::is_active().to_string()),
        ("interval", alloc::sample_rate().to_string()),
    ]
}
