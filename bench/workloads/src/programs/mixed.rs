//! Blocks of mixed sizes, freed in the order of a stack or of a queue.

use super::random::Random;
use super::{Job, Work, on_each_thread};
use std::hint::black_box;

/// Blocks alive at once.
const BATCH: usize = 256;
/// Sizes drawn before the run.
const SIZES: usize = 64 * BATCH;

/// Batches of 256 blocks; the one allocated last is freed first.
pub(super) fn lifo(job: Job) -> Work {
    batches(job, |blocks| while blocks.pop().is_some() {})
}

/// Batches of 256 blocks; the one allocated first is freed first.
pub(super) fn fifo(job: Job) -> Work {
    batches(job, |blocks| drop(blocks.drain(..)))
}

fn batches(job: Job, free: fn(&mut Vec<Vec<u64>>)) -> Work {
    let words = words();
    Box::new(move |count| {
        on_each_thread(job.threads, |_| {
            let mut blocks = Vec::with_capacity(BATCH);
            for sizes in words.chunks(BATCH).cycle().zip(0..count).map(first) {
                for &size in sizes {
                    blocks.push(black_box(Vec::<u64>::with_capacity(size)));
                }
                free(&mut blocks);
            }
        })
    })
}

fn first<A, B>((a, _): (A, B)) -> A {
    a
}

/// Sizes in words: 8 to 4096 bytes, each doubling as likely as another; 660 bytes on average.
fn words() -> Vec<usize> {
    let mut random = Random::new(2);
    (0..SIZES).map(|_| size(random.fraction()) / 8).collect()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 8 and 4096"
)]
fn size(fraction: f64) -> usize {
    (8.0 * 512_f64.powf(fraction)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_log_uniform() {
        let words = words();
        assert!(words.iter().all(|words| (1..=512).contains(words)));
        let small = words.iter().filter(|words| **words * 8 < 181).count();
        assert!(
            small.abs_diff(SIZES / 2) < SIZES / 20,
            "{small} below the middle"
        );
    }
}
