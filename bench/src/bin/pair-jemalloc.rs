//! The workloads through jemalloc alone, as its own crate offers it.

use std::process::ExitCode;

#[global_allocator]
static ALLOC: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    heaplens_bench::main()
}
