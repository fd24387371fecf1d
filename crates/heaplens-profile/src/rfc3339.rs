//! Points in time as RFC 3339, UTC, whole seconds.

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

/// Reads what [`format()`] writes, with or without a fraction of a second; `None` for
/// anything else, and for other zones than UTC.
pub fn parse(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(clock, ':')?;
    let is_plausible =
        (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24 && minute < 60;
    if !(is_plausible && second <= 60 && (1970..=9999).contains(&year)) {
        return None;
    }
    let days = days(year, month, day).checked_sub(719_468)?;
    let seconds = days * DAY + hour * 3600 + minute * 60 + second;
    let nanos: u64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))?
        .checked_add(Duration::from_nanos(nanos))
}

fn numbers(text: &str, separator: char) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut number = || {
        let part = parts.next()?;
        let is_plain = part.bytes().all(|byte| byte.is_ascii_digit()) && part.len() <= 4;
        part.parse().ok().filter(|_| is_plain)
    };
    let found = [number()?, number()?, number()?];
    parts.next().is_none().then_some(found)
}

/// Days since 0000-03-01: years begin in March here, so that the leap day is the
/// last of its year.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (cycle, in_cycle) = (year / 400, year % 400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let in_year = (153 * from_march + 2) / 5 + day - 1;
    cycle * DAYS_IN_400_YEARS + in_cycle * 365 + in_cycle / 4 - in_cycle / 100 + in_year
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
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            assert_eq!(format(time), text);
            assert_eq!(parse(text), Some(time), "{text}");
        }
        assert_eq!(
            format(UNIX_EPOCH - Duration::from_secs(5)),
            "1970-01-01T00:00:00Z"
        );
    }

    #[test]
    fn what_is_no_time() {
        let half = UNIX_EPOCH + Duration::from_millis(1500);
        assert_eq!(parse("1970-01-01T00:00:01.5Z"), Some(half));
        for text in [
            "",
            "now",
            "2026-11-22",
            "2026-11-22T20:29:00",
            "2026-11-22T20:29:00+01:00",
            "2026-13-22T20:29:00Z",
            "2026-11-22T24:29:00Z",
            "2026-11-22T20:29Z",
            "1969-11-22T20:29:00Z",
            "2026-11-22T20:29:00.xZ",
            "99999-11-22T20:29:00Z",
            "-026-11-22T20:29:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
