//! The workloads under Heaplens over jemalloc, mimalloc or the system's allocator, by feature. It
//! is set by `HEAPLENS_SAMPLE_INTERVAL` and `HEAPLENS_MAX_OVERHEAD`.

use bench_heaplens::{Inner, alloc};
use heaplens_alloc::Alloc;
use heaplens_workloads::{Allocator, main as run};
use std::process::ExitCode;

#[global_allocator]
static ALLOC: Alloc<Inner> = alloc();

fn main() -> ExitCode {
    if let Err(error) = heaplens_alloc::check_environment() {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    run(&Allocator {
        start: || {},
        state,
    })
}

fn state() -> Vec<(&'static str, String)> {
    let counters = heaplens_alloc::counters();
    let drops: Vec<String> = counters
        .drops()
        .filter(|(_, times)| *times > 0)
        .map(|(reason, times)| format!("{times} {}", reason.name()))
        .collect();
    let mut state = vec![
        ("installed", counters.installed.to_string()),
        ("interval", counters.sample_interval.to_string()),
        ("max_overhead_ppm", counters.max_overhead_ppm.to_string()),
        ("walker", counters.walker.name().to_owned()),
        ("samples", counters.samples.to_string()),
        ("sample_intervals", counters.sample_intervals.to_string()),
        ("sampling_nanos", counters.sampling_nanos.to_string()),
        ("stacks", counters.stacks.to_string()),
        ("memory_used", counters.memory_used.to_string()),
        ("drops", drops.join(", ")),
    ];
    state.extend(jemalloc());
    state
}

#[cfg(not(feature = "jemalloc"))]
fn jemalloc() -> Vec<(&'static str, String)> {
    Vec::new()
}

#[cfg(feature = "jemalloc")]
fn jemalloc() -> Vec<(&'static str, String)> {
    use tikv_jemalloc_ctl::{Access, AsName};

    let read = |key: &'static [u8]| {
        let value: Result<bool, _> = key.name().read();
        value.map_or_else(|_| "absent".to_owned(), |value| value.to_string())
    };
    vec![
        ("config.prof", read(b"config.prof\0")),
        ("config.stats", read(b"config.stats\0")),
    ]
}
