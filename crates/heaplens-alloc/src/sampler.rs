//! The estimator: exponential gaps and weights. Pure arithmetic.
//!
//! Sampling points form a Poisson process of rate 1/R over the bytes that a
//! thread allocates; an allocation is sampled when at least one point falls
//! into it. So `p = 1 − e^(−size/R)`, decisions are independent of each other,
//! and nothing is carried over from one to the next.
//!
//! Logarithms and exponentials are those of the crate `libm`: the C library's
//! look values up in tables, whose pages would be resident for this alone.

/// Weight of one sample: what an allocation of this size, sampled at this
/// interval, stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weight {
    size: f64,
    p: f64,
}

impl Weight {
    /// The weight of a sample of `size` bytes drawn at mean interval
    /// `interval` bytes. An interval of 0 or 1 means that every allocation is
    /// sampled: the weight is exactly one object of `size` bytes.
    pub fn new(size: u64, interval: u64) -> Self {
        let p = if interval <= 1 {
            1.0
        } else {
            // expm1 keeps all digits where size ≪ interval.
            -libm::expm1(-(size as f64) / interval as f64)
        };
        Weight {
            size: size as f64,
            p,
        }
    }

    /// Estimated objects: `1/p`.
    pub fn objects(self) -> f64 {
        1.0 / self.p
    }

    /// Estimated bytes: `size/p`.
    pub fn bytes(self) -> f64 {
        self.size / self.p
    }

    /// [`Weight::bytes`], rounded: the same for the same size and interval.
    pub(crate) fn whole_bytes(self) -> u64 {
        (self.bytes() + 0.5) as u64
    }

    /// Unbiased contribution to the variance of the objects: `(1−p)/p²`.
    pub fn objects_variance(self) -> f64 {
        (1.0 - self.p) / (self.p * self.p)
    }

    /// Unbiased contribution to the variance of the bytes: `size²(1−p)/p²`.
    pub fn bytes_variance(self) -> f64 {
        self.size * self.size * self.objects_variance()
    }
}

/// A stream of pseudo-random numbers (`SplitMix64`): eight bytes of state, a
/// few instructions a number, and independent streams from any seeds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The stream number `index` of a family.
    pub(crate) fn stream(family: u64, index: u64) -> Self {
        // Two rounds of mixing: streams of neighbouring indices share nothing.
        let mut outer = Random(family ^ Random(index).next().rotate_left(32));
        Random(outer.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Draws the bytes up to the next sampling point: ⌊E⌋ with E exponential of
/// mean `interval`, so that the next allocation of `size` bytes is hit when
/// `size > gap`, with probability exactly `1 − e^(−size/interval)`. At most
/// 36.8 intervals. An interval of 1 or less gives 0: everything is sampled.
pub(crate) fn draw_gap(interval: u64, random: &mut Random) -> i64 {
    if interval <= 1 {
        return 0;
    }
    // Uniform over (0, 1] in steps of 2⁻⁵³.
    let uniform = ((random.next() >> 11) + 1) as f64 / (1u64 << 53) as f64;
    (-libm::log(uniform) * interval as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Anderson–Darling against the exponential distribution whose mean is
    /// known. The bounds are the statistic's quantiles for p = 1 − 10⁻⁴ and
    /// 10⁻⁴; with fixed seeds the outcome is the same in each run.
    #[test]
    fn gaps_are_exponential() {
        for draws in [10usize, 100, 1_000, 10_000] {
            for interval in [1_000u64, 524_288] {
                let mut random = Random::stream(7, draws as u64);
                let mut gaps: Vec<f64> = (0..draws)
                    .map(|_| (draw_gap(interval, &mut random) as f64 + 0.5) / interval as f64)
                    .collect();
                gaps.sort_by(f64::total_cmp);
                let n = draws as f64;
                let sum: f64 = (0..draws)
                    .map(|i| {
                        let low = -(-gaps[i]).exp_m1();
                        let high = -gaps[draws - 1 - i];
                        (2.0 * i as f64 + 1.0) * (low.ln() + high)
                    })
                    .sum();
                let statistic = -n - sum / n;
                assert!(
                    statistic > 0.15 && statistic < 9.0,
                    "A² = {statistic} for {draws} draws of mean {interval}"
                );
            }
        }
    }

    #[test]
    fn the_mean_gap_is_the_interval() {
        let mut random = Random::stream(1, 2);
        let draws = 200_000u32;
        let sum: i64 = (0..draws).map(|_| draw_gap(65_536, &mut random)).sum();
        let mean = sum as f64 / f64::from(draws);
        // σ of the mean is 65 536/√200 000 ≈ 147; six of them.
        assert!((mean - 65_535.5).abs() < 6.0 * 147.0, "mean gap {mean}");
    }

    #[test]
    fn golden_weights() {
        // Go's protomem_test: 4 × 1 KiB and 1 × 512 KiB at 512 KiB. Go truncates.
        let small = Weight::new(1024, 524_288);
        assert_eq!((4.0 * small.objects()) as u64, 2050);
        assert_eq!((4.0 * small.bytes()) as u64, 2_099_200);
        let large = Weight::new(524_288, 524_288);
        assert_eq!(large.bytes() as u64, 829_411);
    }

    #[test]
    fn interval_one_is_exact() {
        for interval in [0, 1] {
            let weight = Weight::new(13, interval);
            assert_eq!((weight.objects(), weight.bytes()), (1.0, 13.0));
            assert!(weight.bytes_variance() == 0.0, "no error at all");
            assert_eq!(draw_gap(interval, &mut Random(1)), 0);
        }
    }

    #[test]
    fn streams_do_not_repeat_each_other() {
        let mut firsts: Vec<u64> = (0..10_000).map(|i| Random::stream(9, i).next()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        assert_eq!(firsts.len(), 10_000);
    }
}
