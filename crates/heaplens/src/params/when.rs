//! A moment that a snapshot was taken at: its number, a date, or how long ago.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heaplens_profile::rfc3339;

use super::duration::milliseconds;
use super::{BadParameter, quoted};

/// Whole numbers from here on are seconds since 1970; below, they are numbers of
/// snapshots: there is one a minute at the most.
const FIRST_SECOND: u64 = 1_000_000_000;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum When {
    Number(u64),
    At(SystemTime),
    Ago(Duration),
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            When::Number(id) => write!(f, "number {id}"),
            When::At(at) => f.write_str(&rfc3339::format(*at)),
            When::Ago(ago) => write!(f, "{} s ago", ago.as_secs_f64()),
        }
    }
}

/// Reads the value of a parameter of this name.
pub(crate) fn when(name: &str, value: &str) -> Result<When, BadParameter> {
    let found = match value.strip_prefix('-') {
        Some(ago) => milliseconds(ago).map(Duration::from_millis).map(When::Ago),
        None => number(value).or_else(|| moment(value).map(When::At)),
    };
    found.ok_or_else(|| {
        BadParameter::because(format!(
            "invalid value {} for \"{name}\" - must be the number of a snapshot or a moment such \
             as 2026-11-22T20:29:00Z, 1795379340 (seconds since 1970) or -10m",
            quoted(value)
        ))
    })
}

fn number(value: &str) -> Option<When> {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = value.parse().ok().filter(|_| is_number)?;
    (0 < number && number < FIRST_SECOND).then_some(When::Number(number))
}

/// A date, or seconds since 1970 with or without decimals.
fn moment(value: &str) -> Option<SystemTime> {
    let is_number = value
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_number || value.is_empty() {
        return rfc3339::parse(value);
    }
    let seconds: f64 = value.parse().ok()?;
    let since = Duration::try_from_secs_f64(seconds).ok()?;
    let is_moment = since.as_secs() >= FIRST_SECOND;
    UNIX_EPOCH.checked_add(since).filter(|_| is_moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_dates_and_ages() {
        let at = |millis| When::At(UNIX_EPOCH + Duration::from_millis(millis));
        for (value, expected) in [
            ("1", When::Number(1)),
            ("999999999", When::Number(999_999_999)),
            ("1000000000", at(1_000_000_000_000)),
            ("1795379340.5", at(1_795_379_340_500)),
            ("2026-11-22T20:29:00Z", at(1_795_379_340_000)),
            ("2026-11-22T21:29:00 01:00", at(1_795_379_340_000)),
            ("-10m", When::Ago(Duration::from_secs(600))),
            ("-1h30m", When::Ago(Duration::from_secs(5400))),
        ] {
            assert_eq!(when("at", value), Ok(expected), "{value}");
        }
        let said = [
            when("at", "7"),
            when("at", "-90s"),
            when("at", "1795379340"),
        ];
        let said = said.map(|when| when.unwrap().to_string());
        assert_eq!(said, ["number 7", "90 s ago", "2026-11-22T20:29:00Z"]);
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            "",
            "0",
            "-",
            "-5",
            "10m",
            "1e9",
            "+5",
            "now",
            ".",
            "1.2.3",
            "18446744073709551616",
            "99999999999999999999999999999999999999",
            "2026-11-22",
            "२",
        ] {
            let fault = when("base", value).unwrap_err().to_string();
            assert!(
                fault.contains("for \"base\" - must be the number"),
                "{fault}"
            );
        }
    }
}
