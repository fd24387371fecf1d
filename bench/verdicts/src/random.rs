//! Chance that comes out the same for the same seed, on every machine.

/// xoshiro256++, seeded by `SplitMix64`.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: [u64; 4],
}

impl Random {
    /// The sequence of this seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut mixed = seed;
        let state = std::array::from_fn(|_| {
            mixed = mixed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut word = mixed;
            word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            word ^ (word >> 31)
        });
        Random { state }
    }

    fn word(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }

    /// From 0 on, below 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Even between the two.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// `true` so often.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Exponential with this mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.unit()).ln()
    }

    /// Normal with mean 0 and deviation 1.
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Poisson with this mean; by a normal above 60, where the two do not differ by an event.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 60.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (floor, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > floor {
            product *= self.unit();
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments() {
        let mut random = Random::new(7);
        let count = 40_000;
        let mut mean = |draw: &mut dyn FnMut(&mut Random) -> f64| -> f64 {
            (0..count).map(|_| draw(&mut random)).sum::<f64>() / f64::from(count)
        };
        // Six deviations of each mean.
        assert!((mean(&mut |r| r.unit()) - 0.5).abs() < 0.009);
        assert!((mean(&mut |r| r.exponential(3.0)) - 3.0).abs() < 0.09);
        assert!(mean(&mut |r| r.normal()).abs() < 0.03);
        assert!((mean(&mut |r| r.normal().powi(2)) - 1.0).abs() < 0.05);
        for expected in [0.3, 20.0, 200.0_f64] {
            let seen = mean(&mut |r| r.poisson(expected) as f64);
            assert!((seen - expected).abs() < 6.0 * (expected / 40_000.0).sqrt());
        }
        assert_eq!(random.poisson(0.0), 0);
        assert_eq!(Random::new(3).word(), Random::new(3).word());
        assert_ne!(Random::new(3).word(), Random::new(4).word());
    }
}
