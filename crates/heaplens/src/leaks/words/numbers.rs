//! Numbers as people say them.

use crate::leaks::trend::Interval;
use crate::units;

/// `812 MiB`, `2 GiB`, `1.5 KiB`: three digits at the most.
pub(super) fn bytes(bytes: f64) -> String {
    let text = units::bytes(bytes.max(0.0));
    let Some((number, unit)) = text.split_once(' ') else {
        return text;
    };
    let number = match number.split_once('.') {
        Some((whole, tenths)) if whole.len() >= 3 || tenths == "0" => {
            // Rounded once more, from a tenth: 99.95 and more has a digit more by then.
            let up = whole.len() >= 3 && tenths >= "5";
            let whole: u64 = whole.parse().unwrap_or_default();
            (whole + u64::from(up)).to_string()
        }
        _ => number.to_owned(),
    };
    format!("{number} {unit}")
}

/// `1 entry`, `1,234 entries`.
pub(super) fn count(number: u64, (one, many): (&str, &str)) -> String {
    let noun = if number == 1 { one } else { many };
    format!("{} {noun}", units::count(number))
}

/// Of an estimate, in two digits: `12,000 entries`.
pub(super) fn about(number: f64, noun: (&str, &str)) -> String {
    count(rounded(number, 2), noun)
}

/// `81 %`, `0.4 %`.
pub(super) fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent < 9.95 {
        let text = format!("{percent:.1}");
        format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
    } else {
        // Nearly all is not all.
        let most = if share < 1.0 { 99.0 } else { percent };
        format!("{:.0} %", percent.round().min(most))
    }
}

/// A time in its two largest units, if the smaller one matters: `45 s`, `42 min`,
/// `3 h 20 min`, `5 days`.
pub(super) fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round();
    let minutes = (whole / 60.0).round() as u64;
    let hours = (whole / 3600.0).round() as u64;
    match whole as u64 {
        seconds @ 0..120 => format!("{seconds} s"),
        120..7170 => format!("{minutes} min"),
        7170..36_000 => match (minutes / 60, minutes % 60) {
            (hours, 0) => format!("{hours} h"),
            (hours, minutes) => format!("{hours} h {minutes} min"),
        },
        36_000..172_800 => format!("{hours} h"),
        _ => format!("{} days", units::count((whole / 86_400.0).round() as u64)),
    }
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Entries,
    Bytes,
}

/// Width of the interval from which on it is given, as a share of the rate.
const WIDE: f64 = 0.5;

/// A rate a minute, or an hour or a day where that would be less than one:
/// `1,240 entries/min`, `3 entries/h`, `900 to 1,500 entries/min`.
pub(super) fn rate_of(line: &Interval, unit: Unit) -> String {
    let least = if unit == Unit::Bytes { 1024.0 } else { 1.0 };
    let per = [("min", 60.0), ("h", 3600.0), ("day", 86_400.0)];
    let fits = per
        .iter()
        .find(|(_, seconds)| line.slope * seconds >= least);
    let (name, seconds) = fits.unwrap_or(&per[2]);
    let [low, middle, high] =
        [line.low, line.slope, line.high].map(|rate| (rate * seconds).max(0.0));
    let is_wide = middle > 0.0 && high - low > WIDE * middle;
    match unit {
        Unit::Bytes if is_wide => format!("{} to {}/{name}", bytes(low), bytes(high)),
        Unit::Bytes => format!("{}/{name}", bytes(middle)),
        Unit::Entries => {
            let [low, middle, high] = [low, middle, high].map(|rate| rounded(rate, 3));
            if is_wide && low != high {
                let entries = count(high, ("entry", "entries"));
                format!("{} to {entries}/{name}", units::count(low))
            } else {
                format!("{}/{name}", count(middle, ("entry", "entries")))
            }
        }
    }
}

/// To so many digits.
fn rounded(number: f64, digits: i32) -> u64 {
    let number = number.max(0.0);
    if number < 1.0 {
        return number.round() as u64;
    }
    let step = 10_f64.powi((number.log10().floor() as i32 + 1 - digits).max(0));
    ((number / step).round() * step) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1024.0 * 1024.0;

    #[test]
    fn three_digits_of_bytes() {
        let cases = [
            (0.0, "0 B"),
            (812.0 * MIB, "812 MiB"),
            (811.96 * MIB, "812 MiB"),
            (2048.0 * MIB, "2 GiB"),
            (1536.0, "1.5 KiB"),
            (12.3 * MIB, "12.3 MiB"),
            (-5.0, "0 B"),
        ];
        for (value, text) in cases {
            assert_eq!(bytes(value), text, "{value}");
        }
    }

    #[test]
    fn times_and_shares() {
        let cases = [
            (0.4, "0 s"),
            (119.0, "119 s"),
            (120.0, "2 min"),
            (2520.0, "42 min"),
            (7169.0, "119 min"),
            (7170.0, "2 h"),
            (12_000.0, "3 h 20 min"),
            (36_000.0, "10 h"),
            (86_400.0, "24 h"),
            (432_000.0, "5 days"),
        ];
        for (seconds, text) in cases {
            assert_eq!(span(seconds), text, "{seconds}");
        }
        let shares = [0.0, 0.004, 0.02, 0.0995, 0.81, 0.999, 1.0];
        assert_eq!(
            shares.map(percent),
            ["0 %", "0.4 %", "2 %", "10 %", "81 %", "99 %", "100 %"]
        );
    }

    #[test]
    fn rates_with_their_range() {
        let line = |low: f64, slope: f64, high: f64| Interval {
            slope: slope / 60.0,
            low: low / 60.0,
            high: high / 60.0,
        };
        let of = |low, slope, high| rate_of(&line(low, slope, high), Unit::Entries);
        assert_eq!(of(1238.0, 1240.4, 1242.0), "1,240 entries/min");
        assert_eq!(of(900.0, 1200.0, 1502.0), "900 to 1,500 entries/min");
        assert_eq!(of(1.0, 1.0, 1.0), "1 entry/min");
        assert_eq!(of(0.05, 0.05, 0.05), "3 entries/h");
        assert_eq!(of(0.0, 0.05, 0.1), "0 to 6 entries/h");
        assert_eq!(of(0.0, 0.0, 0.0), "0 entries/day");
        let bytes = rate_of(&line(3.0 * MIB, 3.2 * MIB, 3.3 * MIB), Unit::Bytes);
        assert_eq!(bytes, "3.2 MiB/min");
        let wide = rate_of(&line(-MIB, 3.0 * MIB, 5.0 * MIB), Unit::Bytes);
        assert_eq!(wide, "0 B to 5 MiB/min");
    }
}
