//! Points in time as RFC 3339: written in UTC and whole seconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: u64 = 24 * 60 * 60;
/// A cycle of the Gregorian calendar.
const DAYS_IN_400_YEARS: u64 = 146_097;

/// For example `2026-11-22T20:29:00Z`. Times before 1970 become 1970.
pub fn format(time: SystemTime) -> String {
    let seconds = time
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (year, month, day) = date(seconds / DAY);
    let clock = seconds % DAY;
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Reads what RFC 3339 allows, from 1970 on: `2026-11-22T20:29:00Z`, with decimals of
/// seconds or without, and `+02:00` for `Z`. A space may stand for the `T`, and for the
/// `+`, which becomes one in a query. Decimals behind nanoseconds are ignored. `None`
/// for anything else, and for days and times that there are not.
pub fn parse(text: &str) -> Option<SystemTime> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<u64>().ok().filter(|_| all)
    };
    let marks = [(4, "-"), (7, "-"), (10, "Tt "), (13, ":"), (16, ":")];
    let is_there = |(at, allowed): &(usize, &str)| {
        let mark = text.as_bytes().get(*at);
        mark.is_some_and(|mark| allowed.as_bytes().contains(mark))
    };
    if !marks.iter().all(is_there) {
        return None;
    }
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (nanos, zone) = decimals(text.get(19..)?)?;
    let local = days * DAY + hour * 3600 + minute * 60 + second;
    let seconds = local.checked_add_signed(-offset(zone)?)?;
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanos))
}

/// Nanoseconds, and what follows them.
fn decimals(text: &str) -> Option<(u32, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|c: char| !c.is_ascii_digit())?;
    let (digits, zone) = rest.split_at_checked(end)?;
    let padded: String = digits.chars().chain("000000000".chars()).take(9).collect();
    (end > 0).then_some((padded.parse().ok()?, zone))
}

/// Seconds that local time is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let (sign, clock) = match zone.split_at_checked(1)? {
        ("+" | " ", clock) => (1, clock),
        ("-", clock) => (-1, clock),
        _ => return None,
    };
    let (hours, minutes) = clock.split_once(':')?;
    let two = |digits: &str| {
        let all = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|_| all)
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Days since 1970-01-01 of a date that there is, from then on.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let (years, months) = if month > 2 {
        (year, month.checked_sub(3)?)
    } else {
        (year.checked_sub(1)?, month + 9)
    };
    let in_year = (153 * months + 2) / 5 + day.checked_sub(1)?;
    let before = years * 365 + years / 4 - years / 100 + years / 400;
    let days = (before + in_year).checked_sub(719_468)?;
    (date(days) == (year, month, day)).then_some(days)
}

/// Year, month and day of the given day since 1970-01-01. Counts years from
/// March, so that the leap day is the last of its year.
fn date(days_since_epoch: u64) -> (u64, u64, u64) {
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    let days = days_since_epoch.saturating_add(719_468);
    let (cycle, in_cycle) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year_in_cycle = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / 146_096) / 365;
    let in_year = in_cycle - (365 * year_in_cycle + year_in_cycle / 4 - year_in_cycle / 100);
    let from_march = (5 * in_year + 2) / 153;
    let day = in_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = cycle * 400 + year_in_cycle + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_is_read_as_it_was_written() {
        for day in 0..200_000 {
            let time = UNIX_EPOCH + Duration::from_secs(day * DAY + day % DAY);
            let text = format(time);
            assert_eq!(parse(&text), Some(time), "{text}");
        }
    }

    #[test]
    fn decimals_and_zones() {
        for (text, millis) in [
            ("2026-11-22T20:29:00.5Z", 1_795_379_340_500),
            ("2026-11-22t20:29:00.1234567899z", 1_795_379_340_123),
            ("2026-11-22 22:29:00+02:00", 1_795_379_340_000),
            ("2026-11-22T22:29:00 02:00", 1_795_379_340_000),
            ("2026-11-22T14:59:00-05:30", 1_795_379_340_000),
            ("1970-01-01T00:30:00+00:30", 0),
        ] {
            let read = parse(text).map(|time| time.duration_since(UNIX_EPOCH).unwrap());
            assert_eq!(read.map(|since| since.as_millis()), Some(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        let letters = "\u{e9}".repeat(20);
        for text in [
            "",
            "2026",
            "2026-11-22",
            "2026-11-22T20:29:00",
            "2026-11-22T20:29Z",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-22T24:00:00Z",
            "2026-11-22T20:60:00Z",
            "2026-11-22T20:29:00.Z",
            "2026-11-22T20:29:00+2:00",
            "2026-11-22T20:29:00+02:60",
            "2026-11-22T20:29:00Zx",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "0000-01-01T00:00:00Z",
            "+026-11-22T20:29:00Z",
            "2026-11-22T20:29:00\u{e9}",
            &letters,
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn times_as_date_prints_them() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_379_340, "2026-11-22T20:29:00Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(format(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        assert_eq!(
            format(UNIX_EPOCH - Duration::from_secs(5)),
            "1970-01-01T00:00:00Z"
        );
    }
}
