//! The shipped configuration with every duration shortened by one factor, and
//! nothing else changed.

use std::time::Duration;

/// How many times shorter than shipped, unless `HEAPLENS_E2E_SCALE` says so: an
/// hour becomes ten seconds.
const DEFAULT: f64 = 360.0;

/// Scrapes and evaluations of rules are not closer together: so many seconds.
const CLOSEST: f64 = 0.25;

/// Keys whose value is how often something is done.
const PERIODS: [&str; 4] = [
    "scrape_interval:",
    "scrape_timeout:",
    "evaluation_interval:",
    "interval:",
];

/// Keys whose value is another duration.
const WAITS: [&str; 8] = [
    "for:",
    "keep_firing_for:",
    "query_offset:",
    "group_wait:",
    "group_interval:",
    "repeat_interval:",
    "resolve_timeout:",
    "timeout:",
];

/// A factor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale(f64);

impl Scale {
    pub(crate) fn from_environment() -> Self {
        let Ok(told) = std::env::var("HEAPLENS_E2E_SCALE") else {
            return Self(DEFAULT);
        };
        let factor = told.parse().ok();
        let factor = factor.filter(|factor: &f64| (1.0..=10_000.0).contains(factor));
        Self(factor.unwrap_or_else(|| panic!("HEAPLENS_E2E_SCALE={told} is not in 1..=10000")))
    }

    /// Whether windows are much shorter than shipped.
    pub(crate) fn shortens(self) -> bool {
        self.0 > 10.0
    }

    /// How much longer everything takes than with the default.
    pub(crate) fn slowness(self) -> f64 {
        (DEFAULT / self.0).max(1.0)
    }

    /// As shipped, so many times longer than `scaled`.
    pub(crate) fn seconds(self, shipped: Duration) -> f64 {
        shipped.as_secs_f64() / self.0
    }

    /// Any of the shipped files: rules, or configuration of a server.
    pub(crate) fn apply(self, text: &str) -> String {
        text.lines().map(|line| self.line(line) + "\n").collect()
    }

    fn line(self, line: &str) -> String {
        let entry = line.trim_start().trim_start_matches("- ");
        if entry.starts_with('#') {
            return line.to_owned();
        }
        let value = |keys: &[&str]| keys.iter().find_map(|key| entry.strip_prefix(key));
        let (told, least) = match (value(&PERIODS), value(&WAITS)) {
            (Some(told), _) => (told, CLOSEST),
            (None, Some(told)) => (told, 0.0),
            (None, None) => return self.expression(line),
        };
        let told = told.split('#').next().unwrap_or_default().trim();
        let (duration, rest) = leading(told).unwrap_or_else(|| panic!("no duration in {line:?}"));
        assert!(rest.is_empty(), "more than a duration in {line:?}");
        line.replacen(told, &self.written(duration, least), 1)
    }

    /// Durations in brackets and after `offset`.
    fn expression(self, line: &str) -> String {
        let mut out = String::new();
        let (mut rest, mut in_brackets) = (line, false);
        while let Some(next) = rest.chars().next() {
            let starts = out.ends_with('[')
                || (in_brackets && out.ends_with(':'))
                || out.ends_with("offset ")
                || out.ends_with("offset -");
            if let Some((duration, after)) = starts.then(|| leading(rest)).flatten() {
                out += &self.written(duration, 0.0);
                rest = after;
                continue;
            }
            in_brackets = next == '[' || (in_brackets && next != ']');
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
        out
    }

    /// In whole milliseconds, of which there is at least one unless it is zero.
    fn written(self, shipped: Duration, least: f64) -> String {
        let millis = self.seconds(shipped).max(least) * 1000.0;
        let least = if shipped.is_zero() { 0.0 } else { 1.0 };
        format!("{}ms", millis.round().max(least))
    }
}

/// A duration as Prometheus writes it at the start of a text, and what follows.
fn leading(text: &str) -> Option<(Duration, &str)> {
    let (mut total, mut rest) = (Duration::ZERO, text);
    loop {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let Ok(number) = rest[..digits].parse::<u32>() else {
            break;
        };
        let letters = &rest[digits..];
        let end = letters.find(|c: char| !c.is_ascii_lowercase());
        let end = end.unwrap_or(letters.len());
        let millis = match &letters[..end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            // Several units in a row, as in `1h30m`.
            more if more.len() > 1 => return None,
            _ => break,
        };
        total += Duration::from_millis(millis) * number;
        rest = &letters[end..];
    }
    (rest.len() < text.len()).then_some((total, rest))
}

/// The longest duration in a text, as shipped.
pub(crate) fn longest(text: &str) -> Duration {
    let pieces = text.split(|c: char| !c.is_ascii_alphanumeric());
    let durations = pieces.filter_map(leading);
    let whole = durations.filter(|(_, rest)| rest.is_empty());
    whole
        .map(|(duration, _)| duration)
        .max()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn durations_shrink_and_names_stay() {
        let rules = "\
groups:
  - name: heaplens-maps
    interval: 1m # each minute
    rules:
      - record: map:entries_low:1h
        expr: min_over_time(map_entries[1h])
      - alert: MapTroughGrowing
        # Not for: 2h
        expr: |
          map:entries_low:1h > 1.05 * map:entries_low:1h offset 1h30m
          and deriv(map:entries_low:1h[3h:2m]) * 86400 > 5
        for: 15m
        annotations:
          description: \"over 3h\"
";
        let scaled = "\
groups:
  - name: heaplens-maps
    interval: 600ms # each minute
    rules:
      - record: map:entries_low:1h
        expr: min_over_time(map_entries[36000ms])
      - alert: MapTroughGrowing
        # Not for: 2h
        expr: |
          map:entries_low:1h > 1.05 * map:entries_low:1h offset 54000ms
          and deriv(map:entries_low:1h[108000ms:1200ms]) * 86400 > 5
        for: 9000ms
        annotations:
          description: \"over 3h\"
";
        assert_eq!(Scale(100.0).apply(rules), scaled);
        assert_eq!(longest(rules), 3 * HOUR);
    }

    #[test]
    fn periods_do_not_become_too_short_and_waits_may() {
        let text = "scrape_interval: 15s\nfor: 15s\nfor: 0s\n";
        let scaled = "scrape_interval: 250ms\nfor: 2ms\nfor: 0ms\n";
        assert_eq!(Scale(10_000.0).apply(text), scaled);
        assert_eq!(Scale(1.0).apply("  for: 1d\n"), "  for: 86400000ms\n");
    }

    #[test]
    fn what_is_no_duration_is_not_taken_for_one() {
        assert_eq!(leading("5m]"), Some((Duration::from_secs(300), "]")));
        assert_eq!(leading("1h30m"), Some((HOUR * 3 / 2, "")));
        for text in ["", "m", "5", "[5m", "5x", "-5m"] {
            assert_eq!(leading(text), None, "{text}");
        }
    }
}
