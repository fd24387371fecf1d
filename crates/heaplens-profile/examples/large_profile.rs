//! What a large profile takes: some 10,000 sites with 100,000 live samples,
//! drawn by the allocator itself, and what a snapshot costs the threads that
//! allocate meanwhile. `scripts/measure-profile` runs it, in release mode.

use std::alloc::System;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use heaplens_alloc::Alloc;
use heaplens_profile::{DefaultType, Mappings, Profile, Symbolizer, pprof};

#[global_allocator]
static ALLOC: Alloc<System> = Alloc::with(System).max_overhead_ppm(0);

const SITES: usize = 10_000;
const BLOCKS: usize = 100_000;
const ROUNDS: usize = 30;

type Blocks = Vec<Box<[u8; 48]>>;

/// Functions that call one another by the digits of a number: each number of
/// `depth` digits has a stack of its own.
macro_rules! functions {
    ($($name:ident)*) => {
        const FUNCTIONS: [fn(usize, usize, &mut Blocks); 10] = [$($name),*];
        $(
            #[inline(never)]
            fn $name(site: usize, depth: usize, blocks: &mut Blocks) {
                if depth == 0 {
                    blocks.push(black_box(Box::new([1; 48])));
                } else {
                    next(site, depth, blocks);
                }
                // After the call, so that it is no jump; its own, so that no two functions are one.
                black_box((&blocks, stringify!($name)));
            }
        )*
    };
}
functions!(parse route decode load merge index render cache store reply);

#[inline(always)]
#[expect(clippy::inline_always, reason = "inlined functions are part of stacks")]
fn next(site: usize, depth: usize, blocks: &mut Blocks) {
    FUNCTIONS[site % 10](site / 10, depth - 1, blocks);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    heaplens_alloc::set_sample_interval(1);
    let mut blocks: Blocks = Vec::with_capacity(BLOCKS);
    for index in 0..BLOCKS {
        // Sixteen frames, of which the last four tell the sites apart.
        next(index % SITES, 16, &mut blocks);
    }
    heaplens_alloc::set_sample_interval(512 << 10);
    let counters = heaplens_alloc::counters();
    println!("live samples: {}", counters.live_samples);

    heaplens_alloc::untracked(profiles)?;
    pauses();
    drop(blocks);
    Ok(())
}

/// The time of each step, the symbols being known already.
fn profiles() -> std::io::Result<()> {
    let mut symbolizer = Symbolizer::new();
    let mut times: [Vec<Duration>; 5] = std::array::from_fn(|_| Vec::new());
    let mut told = String::new();
    for round in 0..=ROUNDS {
        let (snapshot, taken) = timed(heaplens_alloc::snapshot);
        let (mappings, mapped) = timed(Mappings::of_current_process);
        let mappings = mappings?;
        let (profile, made) = timed(|| {
            let profile = Profile::new(&snapshot, &mappings, Some(&mut symbolizer));
            symbolizer.close_files();
            profile
        });
        let (bytes, encoded) = timed(|| pprof::encode(&profile, DefaultType::InuseSpace));
        let all = taken + mapped + made + encoded;
        let steps = [taken, mapped, made, encoded, all];
        if round == 0 {
            println!("cold: {:.1} ms", milliseconds(all));
            continue;
        }
        for (list, step) in times.iter_mut().zip(steps) {
            list.push(step);
        }
        told = format!(
            "samples: {}, stacks: {}, locations: {}, functions: {}, bytes: {}",
            profile.samples.len(),
            snapshot.stacks.len(),
            profile.locations.len(),
            profile.functions.len(),
            bytes.len()
        );
    }
    println!("{told}");
    for (name, mut list) in ["snapshot", "mappings", "profile", "encode", "all"]
        .into_iter()
        .zip(times)
    {
        list.sort_unstable();
        let (least, middle) = (list[0], list[list.len() / 2]);
        let (least, middle) = (milliseconds(least), milliseconds(middle));
        println!("warm, {name}: {least:.1} ms at least, {middle:.1} ms median");
    }
    Ok(())
}

fn timed<T>(step: impl FnOnce() -> T) -> (T, Duration) {
    let begun = Instant::now();
    let result = step();
    (result, begun.elapsed())
}

/// The times of single allocations, with snapshots back to back and without.
fn pauses() {
    for snapshots in [false, true] {
        let over = AtomicBool::new(false);
        let (mut times, taken) = std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                let mut taken = 0;
                while !over.load(Ordering::Relaxed) {
                    if snapshots {
                        black_box(heaplens_alloc::snapshot());
                        taken += 1;
                    } else {
                        // As busy, but not with snapshots.
                        black_box((0..10_000_u64).sum::<u64>());
                    }
                }
                taken
            });
            let times = allocate();
            over.store(true, Ordering::Relaxed);
            (times, other.join().unwrap_or(0))
        });
        times.sort_unstable();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_nanos();
        let name = if snapshots {
            "snapshots back to back"
        } else {
            "no snapshots"
        };
        println!(
            "{} sampled allocations, {name} ({taken}): median {} ns, 99.9 % {} ns, 99.99 % {} ns, longest {} ns",
            times.len(),
            at(0.5),
            at(0.999),
            at(0.9999),
            at(1.0)
        );
    }
}

/// Allocates and frees blocks that are all sampled.
fn allocate() -> Vec<Duration> {
    const COUNT: usize = 1_000_000;
    let mut times = Vec::with_capacity(COUNT);
    heaplens_alloc::set_sample_interval(1);
    for _ in 0..COUNT {
        let begun = Instant::now();
        let block = black_box(Box::new([2_u8; 48]));
        times.push(begun.elapsed());
        drop(block);
    }
    heaplens_alloc::set_sample_interval(512 << 10);
    times
}

fn milliseconds(of: Duration) -> f64 {
    of.as_secs_f64() * 1e3
}
