//! Figures as people read them, and as they write them.

use std::time::Duration;

/// Not known.
pub(crate) const UNKNOWN: &str = "-";

/// Bytes with three digits or more: `512 B`, `12.3 MiB`.
pub(crate) fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes.abs() < 1023.5 {
        return format!("{bytes:.0} B");
    }
    let mut scaled = bytes / 1024.0;
    let mut name = "KiB";
    // What would be shown as 1024.0 is shown as 1.0 of the next unit.
    for unit in UNITS.into_iter().skip(1) {
        if scaled.abs() < 1023.95 {
            break;
        }
        scaled /= 1024.0;
        name = unit;
    }
    format!("{scaled:.1} {name}")
}

/// A number with its thousands apart: `-1,234,567`.
pub(crate) fn count(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut grouped = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A value in its unit: bytes as bytes, other things as numbers.
pub(crate) fn value(value: i128, unit: &str) -> String {
    match unit {
        "bytes" => bytes(value as f64),
        "count" | "" => count(value),
        other => format!("{} {other}", count(value)),
    }
}

/// The same with a sign, as changes have.
pub(crate) fn change(change: i128, unit: &str) -> String {
    let sign = if change > 0 { "+" } else { "" };
    format!("{sign}{}", value(change, unit))
}

/// A part of a whole: `12.3 %`.
pub(crate) fn share(part: i128, whole: i128) -> String {
    if whole == 0 {
        return UNKNOWN.to_owned();
    }
    format!("{:.1} %", 100.0 * part as f64 / whole as f64)
}

/// A rate of few digits, with its sign: `+1,234`, `+12.5`, `-0.02`, `0`.
pub(crate) fn rate(rate: f64) -> String {
    let size = rate.abs();
    let decimals = match size {
        _ if size >= 1000.0 => return change(rate.round() as i128, "count"),
        _ if size >= 100.0 => 0,
        _ if size >= 1.0 => 1,
        _ if size >= 0.005 => 2,
        _ => return "0".to_owned(),
    };
    format!("{rate:+.decimals$}")
}

/// A time in its two largest units: `45s`, `12m30s`, `3h05m`, `2d04h`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return UNKNOWN.to_owned();
    }
    let seconds = seconds.round() as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if minutes == 0 => format!("{seconds}s"),
        () if hours == 0 => format!("{minutes}m{:02}s", seconds % 60),
        () if days == 0 => format!("{hours}h{:02}m", minutes % 60),
        () if days < 1000 => format!("{days}d{:02}h", hours % 24),
        () => format!("{days}d"),
    }
}

/// Reads a time: `30`, `30s`, `10m`, `1h30m`, `2d`; without a unit, seconds.
///
/// # Errors
///
/// A reason, if it is none or zero.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; write 30s, 10m, 1h30m or 2d");
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    for character in text.chars() {
        if character.is_ascii_digit() {
            digits.push(character);
            continue;
        }
        let unit: u64 = match character {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        digits.clear();
        let part = number.checked_mul(unit).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
    }
    if !digits.is_empty() {
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        seconds = seconds.checked_add(number).ok_or_else(wrong)?;
    }
    // A thousand years are longer than anybody waits, and still no overflow.
    if seconds == 0 || seconds > 366 * 86_400 * 1000 {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds))
}

/// Reads a size: `1048576`, `64KiB`, `100MiB`, `2GiB`, with `K`, `M`, `G` for the same.
///
/// # Errors
///
/// A reason, if it is none or zero.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no size; write 1048576, 64KiB, 100MiB or 2GiB");
    let end = text
        .find(|character: char| !character.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit: u64 = match unit.trim_start() {
        "" | "B" => 1,
        "K" | "KiB" => 1 << 10,
        "M" | "MiB" => 1 << 20,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(unit).ok_or_else(wrong)?;
    if bytes == 0 { Err(wrong()) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures() {
        for (value, text) in [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1023.6, "1.0 KiB"),
            (1_048_570.0, "1.0 MiB"),
            (12.3 * 1_048_576.0, "12.3 MiB"),
            (-2048.0, "-2.0 KiB"),
        ] {
            assert_eq!(bytes(value), text, "{value}");
        }
        assert_eq!(
            [0, 999, -1000, 1_234_567].map(count),
            ["0", "999", "-1,000", "1,234,567"]
        );
        assert_eq!(change(5, "bytes"), "+5 B");
        assert_eq!(change(-5000, "count"), "-5,000");
        assert_eq!(value(7, "nanoseconds"), "7 nanoseconds");
        assert_eq!((share(1, 3), share(1, 0)), ("33.3 %".into(), "-".into()));
        assert_eq!(
            [0.0, 0.02, -1.25, 1234.4].map(rate),
            ["0", "+0.02", "-1.2", "+1,234"]
        );
        let times = [0.0, 59.4, 61.0, 3600.0, 187_200.0, -1.0, f64::NAN, 1e12];
        assert_eq!(
            times.map(duration),
            [
                "0s",
                "59s",
                "1m01s",
                "1h00m",
                "2d04h",
                "-",
                "-",
                "11574074d"
            ]
        );
    }

    #[test]
    fn times_are_read() {
        for (text, seconds) in [
            ("30", 30),
            ("30s", 30),
            ("1h30m", 5400),
            ("2d", 172_800),
            ("1m30", 90),
        ] {
            assert_eq!(
                parse_duration(text).map(|of| of.as_secs()),
                Ok(seconds),
                "{text}"
            );
        }
        for text in [
            "",
            "0",
            "0s",
            "m",
            "-1",
            "1.5h",
            "1w",
            "99999999999999999999s",
            "9999999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read() {
        for (text, size) in [
            ("1", 1),
            ("64KiB", 65_536),
            ("2 MiB", 2 << 20),
            ("3G", 3 << 30),
        ] {
            assert_eq!(parse_bytes(text), Ok(size), "{text}");
        }
        for text in ["", "0", "MiB", "1XB", "-1", "99999999999T", "1.5G"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
