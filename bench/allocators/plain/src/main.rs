//! The workloads under jemalloc, mimalloc or the system's allocator, by feature.

use heaplens_workloads::{Allocator, main as run};
use std::process::ExitCode;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOC: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    run(&Allocator {
        start: || {},
        state,
    })
}

#[cfg(not(feature = "jemalloc"))]
fn state() -> Vec<(&'static str, String)> {
    Vec::new()
}

#[cfg(feature = "jemalloc")]
fn state() -> Vec<(&'static str, String)> {
    use tikv_jemalloc_ctl::{Access, AsName};

    let read = |name: &'static str, key: &'static [u8]| {
        let value: Result<bool, _> = key.name().read();
        (
            name,
            value.map_or_else(|_| "absent".to_owned(), |value| value.to_string()),
        )
    };
    vec![
        read("config.prof", b"config.prof\0"),
        read("config.stats", b"config.stats\0"),
        read("opt.prof", b"opt.prof\0"),
        read("prof.active", b"prof.active\0"),
    ]
}
