//! The workloads under dhat, which records every block of the system's allocator.

use heaplens_workloads::{Allocator, main as run};
use std::process::ExitCode;

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

fn main() -> ExitCode {
    run(&Allocator { start, state })
}

// Never dropped: that would write a file.
fn start() {
    std::mem::forget(dhat::Profiler::new_heap());
}

fn state() -> Vec<(&'static str, String)> {
    vec![("blocks", dhat::HeapStats::get().total_blocks.to_string())]
}
