//! The workloads under stoolap-jemalloc; `BENCH_PROFILE=on` turns its profiler on.

use heaplens_workloads::{Allocator, main as run};
use std::process::ExitCode;
use stoolap_jemalloc::{Jemalloc, prof};

#[global_allocator]
static ALLOC: Jemalloc = Jemalloc::new();

fn main() -> ExitCode {
    run(&Allocator { start, state })
}

fn start() {
    if std::env::var_os("BENCH_PROFILE").is_some_and(|value| value == "on") {
        prof::activate();
    }
}

fn state() -> Vec<(&'static str, String)> {
    vec![
        ("active", prof::is_active().to_string()),
        ("interval", prof::sample_interval().to_string()),
    ]
}
