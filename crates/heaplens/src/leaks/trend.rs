//! Is there a trend, and how steep is it? By ranks and medians, which a few wild values do not
//! move.

/// A slope and the interval that holds the true one in 95 of 100 cases, if what is beside the
/// trend is independent from one value to the next. Changes per step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Interval {
    /// The median of the slopes of all pairs.
    pub slope: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Of a normal distribution, so much lies within 95 % of all.
const TWO_SIDED_95: f64 = 1.959_964;

/// The test of Mann and Kendall for a trend, as a standard normal score: how many pairs rise
/// less how many fall, in units of its standard deviation where there is no trend. Corrected
/// for ties and continuity. 0 for fewer than two different values. Takes n²/2 comparisons.
///
/// ```
/// use heaplens::leaks::mann_kendall;
///
/// let rising: Vec<f64> = (0..24).map(f64::from).collect();
/// assert!((mann_kendall(&rising) - 6.82).abs() < 0.01);
/// assert_eq!(mann_kendall(&[5.0; 24]), 0.0);
/// ```
pub fn mann_kendall(values: &[f64]) -> f64 {
    let score = score(values);
    let deviation = variance(values).sqrt();
    if deviation > 0.0 {
        (score - score.signum() * f64::from(u8::from(score != 0.0))) / deviation
    } else {
        0.0
    }
}

/// The slope of Theil and Sen, by Sen's interval. `None` for fewer than two values, and where
/// one of them is not a number. Takes n²/2 slopes.
///
/// ```
/// use heaplens::leaks::theil_sen;
///
/// let line = theil_sen(&[1.0, 3.0, 5.0, 700.0, 9.0, 11.0]).unwrap();
/// assert_eq!(line.slope, 2.0);
/// ```
pub fn theil_sen(values: &[f64]) -> Option<Interval> {
    if values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut slopes = slopes(values);
    slopes.sort_unstable_by(f64::total_cmp);
    let slope = median(&slopes)?;
    let spread = TWO_SIDED_95 * variance(values).sqrt();
    let count = slopes.len() as f64;
    let rank = |rank: f64| {
        let place = rank.max(0.0) as usize;
        slopes
            .get(place.min(slopes.len().saturating_sub(1)))
            .copied()
    };
    Some(Interval {
        slope,
        low: rank(((count - spread) / 2.0).floor() - 1.0)?,
        high: rank(f64::midpoint(count, spread).ceil())?,
    })
}

/// The slope alone, per step, in a third of the time; 0 where there is none.
pub(super) fn slope_alone(values: &[f64]) -> f64 {
    if values.iter().any(|value| !value.is_finite()) {
        return 0.0;
    }
    let mut slopes = slopes(values);
    let half = slopes.len() / 2;
    if slopes.is_empty() {
        return 0.0;
    }
    let is_even = slopes.len().is_multiple_of(2);
    let (below, upper, _) = slopes.select_nth_unstable_by(half, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp);
    match lower {
        Some(lower) if is_even => f64::midpoint(lower, *upper),
        _ => *upper,
    }
}

/// The middle of sorted values; of two in the middle their mean.
pub(super) fn median(sorted: &[f64]) -> Option<f64> {
    let half = sorted.len() / 2;
    let upper = *sorted.get(half)?;
    if sorted.len().is_multiple_of(2) {
        Some(f64::midpoint(*sorted.get(half - 1)?, upper))
    } else {
        Some(upper)
    }
}

fn slopes(values: &[f64]) -> Vec<f64> {
    let pairs = values.len() * values.len().saturating_sub(1) / 2;
    let mut slopes = Vec::with_capacity(pairs);
    for (place, first) in values.iter().enumerate() {
        let later = values.iter().enumerate().skip(place + 1);
        slopes.extend(later.map(|(other, second)| (second - first) / (other - place) as f64));
    }
    slopes
}

fn score(values: &[f64]) -> f64 {
    let mut score = 0_i64;
    for (place, first) in values.iter().enumerate() {
        for second in values.iter().skip(place + 1) {
            score += i64::from(second > first) - i64::from(second < first);
        }
    }
    score as f64
}

/// Of the score where there is no trend.
fn variance(values: &[f64]) -> f64 {
    let term = |count: f64| count * (count - 1.0) * (2.0 * count + 5.0);
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let equals = sorted.chunk_by(|one, other| one.total_cmp(other).is_eq());
    let tied: f64 = equals.map(|group| term(group.len() as f64)).sum();
    ((term(values.len() as f64) - tied) / 18.0).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_worked_example() {
        // 10 < 15 > 14 < 20, counted by hand: 5 pairs rise, 1 falls.
        let values = [10.0, 15.0, 14.0, 20.0];
        assert!((score(&values) - 4.0).abs() < f64::EPSILON);
        // 4·3·13/18
        assert!((variance(&values) - 156.0 / 18.0).abs() < 1e-12);
        assert!((mann_kendall(&values) - 3.0 / (156.0_f64 / 18.0).sqrt()).abs() < 1e-12);
        // Slopes 5, 2, 10/3, −1, 2.5, 6: the middle two are 2.5 and 10/3.
        let line = theil_sen(&values).expect("a line");
        assert!((line.slope - f64::midpoint(2.5, 10.0 / 3.0)).abs() < 1e-12);
    }

    #[test]
    fn ties_take_from_the_variance() {
        // Two groups of 2 and of 3: (5·4·15 − 2·1·9 − 3·2·11)/18 = (300 − 18 − 66)/18
        let values = [1.0, 1.0, 2.0, 2.0, 2.0];
        assert!((variance(&values) - 216.0 / 18.0).abs() < 1e-12);
        assert!((score(&values) - 6.0).abs() < f64::EPSILON);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        for values in [&[][..], &[1.0], &[f64::NAN, 1.0]] {
            assert_eq!(theil_sen(values), None);
        }
        assert!(mann_kendall(&[]).abs() < f64::EPSILON);
        assert!(mann_kendall(&[3.0]).abs() < f64::EPSILON);
        let flat = theil_sen(&[7.0; 24]).expect("a line");
        assert_eq!((flat.slope, flat.low, flat.high), (0.0, 0.0, 0.0));
    }

    /// Straight from the definition: by the signs of all pairs, and counting the members of
    /// each tie one value at a time.
    fn naive_z(values: &[f64]) -> f64 {
        let count = values.len();
        let mut score = 0.0;
        for j in 0..count {
            for i in 0..j {
                if values[j] > values[i] {
                    score += 1.0;
                } else if values[j] < values[i] {
                    score -= 1.0;
                }
            }
        }
        let mut tied = 0.0;
        for value in values {
            // Each of t equal values adds (t−1)(2t+5).
            let equal = values
                .iter()
                .filter(|other| other.total_cmp(value).is_eq())
                .count() as f64;
            tied += (equal - 1.0) * (2.0 * equal + 5.0);
        }
        let n = count as f64;
        let variance = (n * (n - 1.0) * (2.0 * n + 5.0) - tied) / 18.0;
        if variance <= 0.0 {
            0.0
        } else if score > 0.0 {
            (score - 1.0) / variance.sqrt()
        } else if score < 0.0 {
            (score + 1.0) / variance.sqrt()
        } else {
            0.0
        }
    }

    fn values() -> impl Strategy<Value = Vec<f64>> {
        // Few different values, so that there are ties.
        prop::collection::vec((0..40_i32).prop_map(f64::from), 2..30)
    }

    proptest! {
        #[test]
        fn the_slope_alone_is_the_same(values in prop::collection::vec(-1e9_f64..1e9, 0..40)) {
            let line = theil_sen(&values).map_or(0.0, |line| line.slope);
            prop_assert_eq!(slope_alone(&values).to_bits(), line.to_bits());
        }

        #[test]
        fn as_the_definition_has_it(values in values()) {
            prop_assert!((mann_kendall(&values) - naive_z(&values)).abs() < 1e-9);
        }

        #[test]
        fn only_the_order_counts(values in values()) {
            let other: Vec<f64> = values.iter().map(|value| value.powi(3) + value).collect();
            prop_assert!((mann_kendall(&values) - mann_kendall(&other)).abs() < 1e-12);
            let falling: Vec<f64> = values.iter().rev().copied().collect();
            prop_assert!((mann_kendall(&values) + mann_kendall(&falling)).abs() < 1e-12);
        }

        #[test]
        fn half_of_all_slopes_are_below(values in values()) {
            let line = theil_sen(&values).expect("a line");
            prop_assert!(line.low <= line.slope && line.slope <= line.high);
            let all = slopes(&values);
            let below = all.iter().filter(|slope| **slope < line.slope - 1e-12).count();
            let above = all.iter().filter(|slope| **slope > line.slope + 1e-12).count();
            prop_assert!(2 * below <= all.len() && 2 * above <= all.len());
        }

        #[test]
        fn scale_and_tilt_do_as_they_should(
            values in values(),
            scale in 0.01..100.0_f64,
            tilt in -50.0..50.0_f64,
        ) {
            let line = theil_sen(&values).expect("a line");
            let other: Vec<f64> = values
                .iter()
                .enumerate()
                .map(|(place, value)| scale * value + tilt * place as f64)
                .collect();
            let tilted = theil_sen(&other).expect("a line");
            prop_assert!((tilted.slope - (scale * line.slope + tilt)).abs() < 1e-6);
        }
    }

    /// Of lines with independent noise about as many intervals hold the true slope as they
    /// should.
    #[test]
    fn the_interval_covers() {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut uniform = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        let mut covered = 0;
        for _ in 0..2000 {
            let values: Vec<f64> = (0..24)
                .map(|place| 3.0 * f64::from(place) + 40.0 * (uniform() + uniform() - 1.0))
                .collect();
            let line = theil_sen(&values).expect("a line");
            covered += u32::from(line.low <= 3.0 && 3.0 <= line.high);
        }
        // 1900 expected with a deviation of 10, and Sen's ranks are on the safe side.
        assert!((1850..=1960).contains(&covered), "{covered} of 2000");
    }
}
