//! Shares with their intervals.

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// Those that are.
    pub(crate) hits: usize,
    /// All.
    pub(crate) of: usize,
}

impl Share {
    /// Counts one more.
    pub(crate) fn add(&mut self, hit: bool) {
        self.hits += usize::from(hit);
        self.of += 1;
    }

    /// The share, 0 of nothing.
    pub(crate) fn value(self) -> f64 {
        if self.of == 0 {
            0.0
        } else {
            self.hits as f64 / self.of as f64
        }
    }

    /// The ends of Wilson's interval of 95 %.
    pub(crate) fn interval(self) -> (f64, f64) {
        let (z, n) = (1.959_964_f64, self.of as f64);
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let p = self.value();
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let spread = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        ((middle - spread).max(0.0), (middle + spread).min(1.0))
    }

    /// `93.8 % (90.0-96.2)`, `-` of nothing.
    pub(crate) fn percent(self) -> String {
        if self.of == 0 {
            return "-".to_owned();
        }
        let (low, high) = self.interval();
        let [share, low, high] = [self.value(), low, high].map(|share| 100.0 * share);
        format!("{share:.1} % ({low:.1}-{high:.1})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_in_the_books() {
        // Wilson's interval of 81 of 100, by hand.
        let (low, high) = Share { hits: 81, of: 100 }.interval();
        assert!(
            (low - 0.7222).abs() < 2e-4 && (high - 0.8749).abs() < 2e-4,
            "{low} {high}"
        );
        let (low, high) = Share { hits: 0, of: 10 }.interval();
        assert!(low.abs() < 1e-12 && (high - 0.2775).abs() < 2e-4);
        assert_eq!(Share::default().percent(), "-");
        assert_eq!(Share { hits: 1, of: 2 }.percent(), "50.0 % (9.5-90.5)");
    }
}
