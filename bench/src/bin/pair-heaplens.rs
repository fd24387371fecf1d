//! The workloads through Heaplens over jemalloc.

use std::process::ExitCode;

#[global_allocator]
static ALLOC: heaplens_alloc::Alloc = heaplens_alloc::Alloc::new();

fn main() -> ExitCode {
    heaplens_bench::main()
}
