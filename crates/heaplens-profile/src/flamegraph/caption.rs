//! What stands below the title.

use crate::model::Profile;
use crate::rfc3339;
use crate::stacks::NamedStacks;

/// The figures of a flame graph in words.
pub(super) struct Caption {
    kind: String,
    pub(super) unit: String,
    total: i128,
    error: Option<f64>,
    /// Sums of what has no width: base and value.
    not_drawn: (i128, i128),
    moment: String,
    /// Total and moment.
    base: Option<(i128, String)>,
}

impl Caption {
    pub(super) fn new(profile: &Profile, type_index: usize, stacks: &NamedStacks) -> Self {
        let (kind, unit) = match profile.types.get(type_index) {
            Some(of) => (of.kind.to_string(), of.unit.to_string()),
            None => Default::default(),
        };
        let narrow = stacks.stacks.iter().filter(|of| of.1.value <= 0);
        let not_drawn = narrow.fold((0, 0), |(base, value), of| {
            (base + of.1.base, value + of.1.value)
        });
        Caption {
            kind,
            unit,
            total: profile.total(type_index),
            error: profile.total_error(type_index),
            not_drawn,
            moment: moment(profile),
            base: None,
        }
    }

    pub(super) fn since(self, base: &Profile, type_index: usize) -> Self {
        let base = Some((base.total(type_index), moment(base)));
        Caption { base, ..self }
    }

    pub(super) fn text(&self, left_out: usize, note: &str) -> String {
        let amount = |value: i128| amount(value, &self.unit);
        let error = self.error.map_or_else(String::new, |error| {
            // The cast saturates.
            format!(" ± {} (standard error)", amount(error.round() as i128))
        });
        let (kind, total) = (&self.kind, amount(self.total));
        let mut parts = vec![format!("{kind}: {total}{error}, {}", self.moment)];
        let (gone, negative) = self.not_drawn;
        if let Some((base, moment)) = &self.base {
            let change = self.total - base;
            let way = if change < 0 { "less" } else { "more" };
            let change = amount(change.saturating_abs());
            parts.push(format!("{change} {way} than in the base, {moment}"));
            if gone > 0 {
                parts.push(format!("gone and not drawn: {}", amount(gone)));
            }
        }
        if negative < 0 {
            parts.push(format!("negative and not drawn: {}", amount(negative)));
        }
        if left_out > 0 {
            parts.push(format!("{left_out} narrow frames not drawn"));
        }
        if !note.is_empty() {
            parts.push(note.to_owned());
        }
        parts.join("; ")
    }
}

fn moment(profile: &Profile) -> String {
    let time = rfc3339::format(profile.time);
    match profile.duration {
        Some(of) => format!("{} s until {time}", of.as_secs()),
        None => time,
    }
}

/// For people: bytes in the largest binary unit that fits.
fn amount(value: i128, unit: &str) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if unit != "bytes" || value.unsigned_abs() < 1024 {
        return match unit {
            "count" | "" => value.to_string(),
            unit => format!("{value} {unit}"),
        };
    }
    let mut scaled = value as f64 / 1024.0;
    let mut units = UNITS.iter();
    let mut name = units.next();
    while scaled.abs() >= 1024.0
        && let Some(next) = units.next()
    {
        scaled /= 1024.0;
        name = Some(next);
    }
    format!("{scaled:.1} {}", name.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (value, unit, text) in [
            (0, "bytes", "0 bytes"),
            (1023, "bytes", "1023 bytes"),
            (1536, "bytes", "1.5 KiB"),
            (-1536, "bytes", "-1.5 KiB"),
            (3 << 30, "bytes", "3.0 GiB"),
            (i128::from(i64::MAX) * 4096, "bytes", "32768.0 EiB"),
            (70_000, "count", "70000"),
            (5, "nanoseconds", "5 nanoseconds"),
        ] {
            assert_eq!(amount(value, unit), text);
        }
    }
}
