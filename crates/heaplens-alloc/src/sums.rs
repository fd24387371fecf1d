//! Sums of weighted samples that threads add to without locks.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sampler::Weight;
use crate::tally::Tally;

/// A [`Tally`] in memory that threads share. All bytes zero are an empty one. What
/// is added is never negative, so no figure of it ever falls.
#[repr(C)]
pub(crate) struct Sums {
    samples: AtomicU64,
    sampled_bytes: AtomicU64,
    objects: Sum,
    bytes: Sum,
    objects_variance: Sum,
    bytes_variance: Sum,
}

/// A sum of floating-point numbers.
struct Sum(AtomicU64);

impl Sum {
    fn add(&self, value: f64) {
        let mut bits = self.0.load(Ordering::Relaxed);
        loop {
            let sum = (f64::from_bits(bits) + value).to_bits();
            match self
                .0
                .compare_exchange_weak(bits, sum, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => bits = now,
            }
        }
    }

    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }
}

impl Sums {
    /// Adds one sample of `size` bytes, and this weight.
    pub(crate) fn record(&self, size: u64, weight: Weight) {
        self.samples.fetch_add(1, Ordering::Relaxed);
        self.sampled_bytes.fetch_add(size, Ordering::Relaxed);
        self.objects.add(weight.objects());
        self.bytes.add(weight.bytes());
        self.objects_variance.add(weight.objects_variance());
        self.bytes_variance.add(weight.bytes_variance());
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally {
            samples: self.samples.load(Ordering::Relaxed),
            sampled_bytes: self.sampled_bytes.load(Ordering::Relaxed),
            objects: self.objects.get(),
            bytes: self.bytes.get(),
            objects_variance: self.objects_variance.get(),
            bytes_variance: self.bytes_variance.get(),
        }
    }
}
