//! The workloads under pprof-alloc: its own profiler over the system's allocator, or, by feature,
//! jemalloc's profiler through it. `PPROF_ALLOC_SAMPLE_RATE` is the interval.

use heaplens_workloads::{Allocator, main as run};
use pprof_alloc::PprofAlloc;
use std::process::ExitCode;

#[cfg(not(feature = "native"))]
#[global_allocator]
static ALLOC: PprofAlloc =
    PprofAlloc::new().with_pprof_sample_rate_from_env(pprof_alloc::DEFAULT_PPROF_SAMPLE_RATE);

#[cfg(feature = "native")]
#[global_allocator]
static ALLOC: PprofAlloc = PprofAlloc::new()
    .with_default(pprof_alloc::Allocator::Jemalloc)
    .with_pprof_sample_rate_from_env(pprof_alloc::DEFAULT_PPROF_SAMPLE_RATE);

fn main() -> ExitCode {
    run(&Allocator { start, state })
}

#[cfg(not(feature = "native"))]
fn start() {}

#[cfg(not(feature = "native"))]
fn state() -> Vec<(&'static str, String)> {
    vec![("capture", format!("{:?}", pprof_alloc::capture_mode()))]
}

/// # Panics
/// When jemalloc was not started for profiling, by `_RJEM_MALLOC_CONF`.
#[cfg(feature = "native")]
fn start() {
    pprof_alloc::configure_with_default(pprof_alloc::Allocator::Jemalloc)
        .expect("pprof-alloc can be configured");
}

#[cfg(feature = "native")]
fn state() -> Vec<(&'static str, String)> {
    use tikv_jemalloc_ctl::{Access, AsName};

    let read = |key: &'static [u8]| {
        let value: Result<bool, _> = key.name().read();
        value.map_or_else(|_| "absent".to_owned(), |value| value.to_string())
    };
    vec![
        ("opt.prof", read(b"opt.prof\0")),
        ("prof.active", read(b"prof.active\0")),
    ]
}
