//! The figures of a row as whole numbers, so that what changed between two
//! snapshots takes few bits: objects and bytes in sixteenths, variances by their
//! logarithm.

use heaplens_alloc::Tally;

/// Whole numbers in a row: six of what was allocated, six of what is in use.
pub(super) const FIELDS: usize = 12;

/// See the module. All zero is a row in which nothing was ever seen.
pub(super) type Figures = [u64; FIELDS];

/// Parts of an object, or of a byte.
const PARTS: f64 = 16.0;
/// Steps of a variance in each doubling: 1.1 % apart.
const STEPS: f64 = 64.0;

/// What was allocated is rounded up and what is in use down: so the sum of what
/// is in use stays within what was allocated, however it is divided into rows.
pub(super) fn pack(alloc: &Tally, inuse: &Tally) -> Figures {
    let (alloc, inuse) = (figures(alloc, f64::ceil), figures(inuse, f64::floor));
    let mut both = Figures::default();
    for (place, figure) in both.iter_mut().zip(alloc.into_iter().chain(inuse)) {
        *place = figure;
    }
    both
}

/// What was allocated, and what is in use. Objects and bytes are off by less than a
/// sixteenth, variances by less than 1.1 % of one more than they are: below 1 by a hundredth.
pub(super) fn unpack(figures: &Figures) -> (Tally, Tally) {
    let (alloc, inuse) = figures.split_at(FIELDS / 2);
    (tally(alloc), tally(inuse))
}

/// Estimated bytes in use.
pub(super) fn inuse_bytes(figures: &Figures) -> f64 {
    figures[9] as f64 / PARTS
}

fn figures(of: &Tally, round: fn(f64) -> f64) -> [u64; 6] {
    // A float beyond the range, or none, becomes the end of it, or 0.
    let fixed = |value: f64| round(value * PARTS) as u64;
    let steps = |variance: f64| (f64::max(variance, 0.0).ln_1p() / LN_STEP).round() as u64;
    [
        of.samples,
        of.sampled_bytes,
        fixed(of.objects),
        fixed(of.bytes),
        steps(of.objects_variance),
        steps(of.bytes_variance),
    ]
}

fn tally(figures: &[u64]) -> Tally {
    let [samples, sampled_bytes, objects, bytes, of_objects, of_bytes] = *figures else {
        return Tally::default();
    };
    let variance = |steps: u64| (steps as f64 * LN_STEP).exp_m1();
    let mut tally = Tally::default();
    (tally.samples, tally.sampled_bytes) = (samples, sampled_bytes);
    (tally.objects, tally.bytes) = (objects as f64 / PARTS, bytes as f64 / PARTS);
    tally.objects_variance = variance(of_objects);
    tally.bytes_variance = variance(of_bytes);
    tally
}

const LN_STEP: f64 = std::f64::consts::LN_2 / STEPS;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally_of(samples: &[(u64, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (size, interval) in samples {
            tally.record(*size, *interval);
        }
        tally
    }

    #[test]
    fn nothing_stays_nothing() {
        let nothing = Tally::default();
        assert_eq!(pack(&nothing, &nothing), Figures::default());
        assert_eq!(unpack(&Figures::default()), (nothing, nothing));
    }

    #[test]
    fn exact_samples_stay_exact() {
        let exact = tally_of(&[(100, 1), (7, 1), (1 << 40, 1)]);
        assert_eq!(unpack(&pack(&exact, &exact)), (exact, exact));
    }

    proptest! {
        #[test]
        fn figures_are_nearly_what_they_were(
            samples in proptest::collection::vec((1u64..1 << 34, 1u64..1 << 24), 0..40),
            freed in any::<prop::sample::Index>(),
        ) {
            let alloc = tally_of(&samples);
            let inuse = tally_of(samples.get(freed.index(samples.len() + 1)..).unwrap_or(&[]));
            let (seen, held) = unpack(&pack(&alloc, &inuse));
            for (now, was) in [(seen, alloc), (held, inuse)] {
                prop_assert_eq!((now.samples, now.sampled_bytes), (was.samples, was.sampled_bytes));
                prop_assert!((now.objects - was.objects).abs() <= 0.0626);
                prop_assert!((now.bytes - was.bytes).abs() <= 0.0626 + was.bytes * 1e-12);
                for (now, was) in [
                    (now.bytes_variance, was.bytes_variance),
                    (now.objects_variance, was.objects_variance),
                ] {
                    prop_assert!((now - was).abs() <= 0.011 * (was + 1.0), "{now} of {was}");
                }
            }
            prop_assert!(held.bytes <= seen.bytes && held.objects <= seen.objects);
        }
    }
}
