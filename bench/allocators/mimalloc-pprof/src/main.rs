//! The workloads under mimalloc-pprof; `BENCH_PROFILE=on` turns its profiler on, where it is
//! compiled in.

use heaplens_workloads::{Allocator, main as run};
use mimalloc_pprof::{MiMalloc, prof};
use std::process::ExitCode;

#[global_allocator]
static ALLOC: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    run(&Allocator { start, state })
}

fn start() {
    if std::env::var_os("BENCH_PROFILE").is_some_and(|value| value == "on") {
        prof::start(512 << 10);
    }
}

fn state() -> Vec<(&'static str, String)> {
    let stats = prof::stats();
    vec![
        ("active", prof::is_enabled().to_string()),
        ("interval", stats.sample_rate.to_string()),
        ("dropped", stats.dropped_samples.to_string()),
    ]
}
