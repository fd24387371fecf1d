//! Blocks that another thread frees.

use super::random::Random;
use super::{Figures, Job, Work};
use crate::at_depth;
use std::hint::black_box;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Messages sent at once, so that it is not the waking of threads that is measured.
const BATCH: u64 = 64;
/// Batches under way.
const CAPACITY: usize = 16;

type Batch = Vec<Message>;

struct Message {
    number: u64,
    text: String,
}

/// A unit is a message of 16 to 271 bytes from one thread to another. There are half as many
/// pairs of threads as threads, and one at least.
pub(super) fn prepare(job: Job) -> Work {
    Box::new(move |count| {
        std::thread::scope(|scope| {
            for pair in 0..job.threads.div_ceil(2) {
                let (sender, receiver) = sync_channel(CAPACITY);
                scope.spawn(move || at_depth(|| produce(&sender, pair as u64, count)));
                scope.spawn(move || at_depth(|| consume(&receiver)));
            }
        });
        Figures::new()
    })
}

fn produce(sender: &SyncSender<Batch>, pair: u64, count: u64) {
    let mut random = Random::new(pair);
    for start in (0..count).step_by(64) {
        let batch = (start..count.min(start + BATCH))
            .map(|number| {
                let length = 16 + random.below(256);
                Message {
                    number,
                    text: "m".repeat(length),
                }
            })
            .collect();
        if sender.send(batch).is_err() {
            return;
        }
    }
}

fn consume(receiver: &Receiver<Batch>) {
    let mut bytes = 0;
    for message in receiver.iter().flatten() {
        bytes += message.number + message.text.len() as u64;
    }
    black_box(bytes);
}
