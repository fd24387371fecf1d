//! What the profiler takes for itself while many blocks are alive.
//!
//! `live BLOCKS STACKS` allocates that many blocks of 64 bytes, from that many different stacks in
//! turn, and prints as JSON what the profiler says of itself while all are held, and the resident
//! set of the process before and then.

use bench_heaplens::{Inner, alloc};
use heaplens_alloc::{Alloc, counters};
use std::hint::black_box;
use std::process::ExitCode;

#[global_allocator]
static ALLOC: Alloc<Inner> = alloc();

/// Bytes of a block.
const SIZE: usize = 64;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Vec<usize> = arguments
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    let &[blocks, stacks] = numbers.as_slice() else {
        eprintln!("usage: live BLOCKS STACKS");
        return ExitCode::from(2);
    };
    // Its own pages are touched before the first look at the resident set.
    let mut held: Vec<*mut u8> = vec![std::ptr::dangling_mut(); blocks];
    let before = resident();
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
        resident(),
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

/// Bytes.
///
/// # Panics
/// When Linux's `/proc` does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc/self/status");
    let kib: Option<u64> = status.lines().find_map(|line| {
        let rest = line.strip_prefix("VmRSS:")?;
        rest.strip_suffix("kB")?.trim().parse().ok()
    });
    kib.expect("VmRSS in /proc/self/status") * 1024
}
