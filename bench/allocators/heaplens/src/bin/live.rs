//! What the profiler takes for itself while many blocks are alive.
//!
//! `live BLOCKS STACKS` allocates that many blocks of 64 bytes, from that many different stacks in
//! turn, and prints as JSON what the profiler says of itself while all are held, and the resident
//! set of the process before and then.

use bench_heaplens::{Inner, alloc, numbers};
use heaplens_alloc::{Alloc, counters};
use heaplens_workloads::status_bytes;
use std::hint::black_box;
use std::process::ExitCode;

#[global_allocator]
static ALLOC: Alloc<Inner> = alloc();

/// Bytes of a block.
const SIZE: usize = 64;

fn main() -> ExitCode {
    let &[blocks, stacks] = numbers().as_slice() else {
        eprintln!("usage: live BLOCKS STACKS");
        return ExitCode::from(2);
    };
    // Its own pages are touched before the first look at the resident set.
    let mut held: Vec<*mut u8> = vec![std::ptr::dangling_mut(); blocks];
    let before = status_bytes("VmRSS:");
    for (number, slot) in held.iter_mut().enumerate() {
        *slot = below(number % stacks, stacks);
    }
    let counters = counters();
    let lost: u64 = counters.drops().map(|(_, times)| times).sum();
    println!(
        "{{\"blocks\":{blocks},\"interval\":{},\"live_samples\":{},\"stacks\":{},\"memory_used\":{},\"memory_budget\":{},\"lost\":{lost},\"resident\":{},\"resident_before\":{before}}}",
        counters.sample_interval,
        counters.live_samples,
        counters.stacks,
        counters.memory_used,
        counters.memory_budget,
        status_bytes("VmRSS:"),
    );
    // They live until the process ends.
    black_box(held);
    ExitCode::SUCCESS
}

/// A block from a stack of its own for each `path` below `paths`: each bit is a frame of one of two
/// functions.
fn below(path: usize, paths: usize) -> *mut u8 {
    match (paths, path % 2) {
        (..=1, _) => block(),
        (_, 0) => left(path / 2, paths / 2),
        _ => right(path / 2, paths / 2),
    }
}

#[inline(never)]
fn left(path: usize, paths: usize) -> *mut u8 {
    black_box(below(path, paths))
}

#[inline(never)]
fn right(path: usize, paths: usize) -> *mut u8 {
    black_box(below(path, paths))
}

#[inline(never)]
fn block() -> *mut u8 {
    Box::leak(Box::new([1_u8; SIZE])).as_mut_ptr()
}
