//! How far the estimate of the bytes held is from the truth.
//!
//! `held BYTES TRIALS` allocates blocks of 64 to 4096 bytes until that many are held, compares the
//! estimate with their sum, frees them, and does so again. It prints, as JSON, the root of the mean
//! square of the relative errors, their mean, and what the profiler stated as its relative standard
//! error, on average.

use bench_heaplens::{Inner, alloc, numbers};
use heaplens_alloc::{Alloc, Tally, snapshot};
use std::process::ExitCode;

#[global_allocator]
static ALLOC: Alloc<Inner> = alloc();

/// Sizes that come in turn. Odd steps, so that a period of the sizes is not one of the sampling.
const SIZES: [usize; 7] = [64, 131, 263, 521, 1_031, 2_053, 4_093];

fn main() -> ExitCode {
    let &[bytes, trials] = numbers().as_slice() else {
        eprintln!("usage: held BYTES TRIALS");
        return ExitCode::from(2);
    };
    let trials: Vec<Trial> = (0..trials).map(|_| Trial::run(bytes)).collect();
    let mean = |figure: fn(&Trial) -> f64| {
        #[expect(clippy::cast_precision_loss, reason = "few trials")]
        let count = trials.len().max(1) as f64;
        trials.iter().map(figure).sum::<f64>() / count
    };
    println!(
        "{{\"bytes\":{bytes},\"trials\":{},\"interval\":{},\"rms\":{:.6},\"mean\":{:.6},\"stated\":{:.6},\"drops\":{}}}",
        trials.len(),
        heaplens_alloc::sample_interval(),
        mean(|trial| trial.error * trial.error).sqrt(),
        mean(|trial| trial.error),
        mean(|trial| trial.stated),
        heaplens_alloc::counters()
            .drops()
            .map(|(_, times)| times)
            .sum::<u64>(),
    );
    ExitCode::SUCCESS
}

/// Errors as shares of the bytes held.
struct Trial {
    error: f64,
    stated: f64,
}

impl Trial {
    #[expect(clippy::cast_precision_loss, reason = "below 2^53 bytes")]
    fn run(bytes: u64) -> Trial {
        let period: usize = SIZES.iter().sum();
        let periods = usize::try_from(bytes).unwrap_or_default() / period + 1;
        // Made before the first look, so that it is not among what is estimated.
        let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(periods * SIZES.len());
        let before = inuse();
        let mut held = 0;
        for size in SIZES.into_iter().cycle() {
            if held >= bytes {
                break;
            }
            blocks.push(Vec::with_capacity(size));
            held += size as u64;
        }
        let after = inuse();
        drop(std::hint::black_box(blocks));
        let estimate = after.bytes - before.bytes;
        Trial {
            error: estimate / held as f64 - 1.0,
            stated: (after.bytes_variance - before.bytes_variance)
                .max(0.0)
                .sqrt()
                / held as f64,
        }
    }
}

fn inuse() -> Tally {
    snapshot().totals().inuse
}
