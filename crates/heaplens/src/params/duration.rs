//! Lengths of time, as in `10m` or `1h30m`.

use std::time::Duration;

use super::{BadParameter, quoted};

const UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Whole numbers with their units, one after another, of which the sum is taken.
pub(crate) fn duration(name: &str, value: &str) -> Result<Duration, BadParameter> {
    milliseconds(value)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            BadParameter::because(format!(
                "invalid value {} for \"{name}\" - must be a duration such as 90s, 10m or 1h30m \
                 (units ms, s, m, h, d)",
                quoted(value)
            ))
        })
}

pub(super) fn milliseconds(value: &str) -> Option<u64> {
    let mut rest = value;
    let mut sum = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| c.is_ascii_digit());
        let (unit, after) = after.split_at_checked(letters.unwrap_or(after.len()))?;
        let (_, factor) = UNITS.iter().find(|(known, _)| *known == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(*factor)?;
        sum = sum.checked_add(part)?;
        rest = after;
    }
    (!value.is_empty()).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        for (value, milliseconds) in [
            ("0s", 0),
            ("250ms", 250),
            ("90s", 90_000),
            ("10m", 600_000),
            ("1h30m", 5_400_000),
            ("2d", 172_800_000),
            ("1m0s500ms", 60_500),
        ] {
            let found = duration("older", value);
            assert_eq!(found, Ok(Duration::from_millis(milliseconds)), "{value}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            "",
            "10",
            "m",
            "-5m",
            "+5m",
            "1.5h",
            "10 m",
            "10M",
            "10mm",
            "5m3",
            "१m",
            "99999999999999999999s",
            "18446744073709551615d",
            "18446744073709551615ms1ms",
        ] {
            let fault = duration("older", value).unwrap_err().to_string();
            assert!(
                fault.contains("for \"older\" - must be a duration such as"),
                "{fault}"
            );
        }
    }
}
