//! The workloads through Heaplens over jemalloc. Prints how many samples were taken.

use std::process::ExitCode;

#[global_allocator]
static ALLOC: heaplens_alloc::Alloc = heaplens_alloc::Alloc::new();

fn main() -> ExitCode {
    let code = heaplens_bench::main();
    println!("samples {}", heaplens_alloc::counters().samples);
    code
}
