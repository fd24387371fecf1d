//! Figures as people read them.

use std::time::Duration;

/// A number of bytes with three digits or more: `512 B`, `12.3 MiB`.
pub(crate) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut scaled = bytes;
    let mut unit = 0;
    // What would be shown as 1024.0 is shown as 1.0 of the next unit.
    while scaled.abs() >= 1023.95 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).unwrap_or(&"");
    if unit == 0 {
        format!("{scaled:.0} {name}")
    } else {
        format!("{scaled:.1} {name}")
    }
}

/// Reads a number of bytes: `123`, `512K`, `512KiB`, `1M`, `1MiB`, `2G`, `2GiB`; case does not
/// matter.
pub(crate) fn parse_bytes(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// A count with its thousands apart: `1,234,567`.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number that may be negative, to the nearest whole one: `-12`, `1,234`.
pub(crate) fn signed(number: f64) -> String {
    let sign = if number <= -0.5 { "-" } else { "" };
    format!("{sign}{}", count(number.abs().round() as u64))
}

/// A count of things: `1 block`, `1,234 blocks`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// A rate of few digits, with its sign: `+12.5`, `-0.02`, `0`.
pub(crate) fn rate(rate: f64) -> String {
    let size = rate.abs();
    let decimals = match size {
        _ if size >= 100.0 => 0,
        _ if size >= 1.0 => 1,
        _ if size >= 0.005 => 2,
        _ => return "0".to_owned(),
    };
    format!("{rate:+.decimals$}")
}

/// A time in its two largest units: `45s`, `12m30s`, `3h05m`, `2d04h`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () => format!("{days}d{:02}h", hours % 24),
    }
}

/// Names are the program's own words; those of hostile programs move no cursor.
pub(crate) fn printable(name: &str) -> String {
    name.chars()
        .flat_map(|character| match character {
            plain if !plain.is_control() => vec![plain],
            control => control.escape_default().collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_the_unit_that_fits() {
        let cases = [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1024.0, "1.0 KiB"),
            (1_048_570.0, "1.0 MiB"),
            (12.25 * 1_048_576.0, "12.2 MiB"),
            (-2048.0, "-2.0 KiB"),
            (1e30, "888178419700125.2 PiB"),
        ];
        for (value, text) in cases {
            assert_eq!(bytes(value), text, "{value}");
        }
    }

    #[test]
    fn bytes_are_read_in_any_unit() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("123", Some(123)),
            ("512K", Some(512 << 10)),
            ("8MiB", Some(8 << 20)),
            ("8mib", Some(8 << 20)),
            ("1GiB", Some(1 << 30)),
            ("", None),
            ("MiB", None),
            ("-1", None),
            ("1.5MiB", None),
            ("8MB", None),
            ("8 MiB", None),
            ("17179869184GiB", None),
        ] {
            assert_eq!(parse_bytes(text), bytes, "{text}");
        }
    }

    #[test]
    fn counts_rates_and_times() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [0, 1, 1234].map(|number| counted(number, "block")),
            ["0 blocks", "1 block", "1,234 blocks"]
        );
        let rates = [0.0, -0.001, 0.02, -1.25, 99.96, 1234.5, -500.0];
        assert_eq!(
            rates.map(rate),
            ["0", "0", "+0.02", "-1.2", "+100.0", "+1234", "-500"]
        );
        assert_eq!(
            [0, 59, 60, 3599, 3600, 86_399, 86_400, 187_200]
                .map(|seconds| duration(Duration::from_secs(seconds))),
            [
                "0s", "59s", "1m00s", "59m59s", "1h00m", "23h59m", "1d00h", "2d04h"
            ]
        );
    }
}
