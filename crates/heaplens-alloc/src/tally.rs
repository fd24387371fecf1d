//! Estimates with their errors: sums of weighted samples.

use crate::sampler::Weight;

/// Estimates of one quantity of allocations, with what they are based on.
///
/// All estimates are Horvitz–Thompson: each sample counts `1/p` objects and
/// `size/p` bytes, where `p = 1 − e^(−size/R)` is the chance that this very
/// allocation had of being sampled at the interval `R` in force at the time.
/// They are unbiased; the variances are unbiased too
/// (`Σ (1−p)/p²` for objects, `Σ size²(1−p)/p²` for bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Tally {
    /// Samples behind the estimates: allocations really recorded.
    pub samples: u64,
    /// Requested bytes of those samples, not scaled up.
    pub sampled_bytes: u64,
    /// Estimated number of objects.
    pub objects: f64,
    /// Estimated number of requested bytes.
    pub bytes: f64,
    /// Estimated variance of `objects`.
    pub objects_variance: f64,
    /// Estimated variance of `bytes`, in bytes squared.
    pub bytes_variance: f64,
}

impl Tally {
    /// Adds one sample of `size` bytes drawn at mean interval `interval`.
    pub fn record(&mut self, size: u64, interval: u64) {
        let weight = Weight::new(size, interval);
        self.samples += 1;
        self.sampled_bytes = self.sampled_bytes.saturating_add(size);
        self.objects += weight.objects();
        self.bytes += weight.bytes();
        self.objects_variance += weight.objects_variance();
        self.bytes_variance += weight.bytes_variance();
    }

    /// Adds another tally: the samples of the two must be disjoint.
    pub fn add(&mut self, other: &Tally) {
        self.samples += other.samples;
        self.sampled_bytes = self.sampled_bytes.saturating_add(other.sampled_bytes);
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.objects_variance += other.objects_variance;
        self.bytes_variance += other.bytes_variance;
    }

    /// Standard error of `objects`, in objects.
    pub fn objects_error(&self) -> f64 {
        self.objects_variance.max(0.0).sqrt()
    }

    /// Standard error of `bytes`, in bytes. The truth lies within ±1.96 of
    /// these in 95 % of cases once some 20 samples stand behind the estimate.
    pub fn bytes_error(&self) -> f64 {
        self.bytes_variance.max(0.0).sqrt()
    }

    /// Sums of the same numbers in another order can differ in the last digit:
    /// makes sure that what was allocated is no less than what is in use.
    pub(crate) fn raise_to(&mut self, part: &Tally) {
        self.samples = self.samples.max(part.samples);
        self.sampled_bytes = self.sampled_bytes.max(part.sampled_bytes);
        self.objects = self.objects.max(part.objects);
        self.bytes = self.bytes.max(part.bytes);
        self.objects_variance = self.objects_variance.max(part.objects_variance);
        self.bytes_variance = self.bytes_variance.max(part.bytes_variance);
    }
}

/// Sums over all sites of a [`Snapshot`](crate::Snapshot).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Totals {
    /// Everything sampled since sampling began.
    pub alloc: Tally,
    /// What of it is not freed yet.
    pub inuse: Tally,
}
