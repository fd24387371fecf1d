//! What came of each question, in words.

use crate::leaks::{Gate, Kind, Reading};
use crate::units::{bytes, signed};

/// One line without a full stop: what was found, and what would have been needed.
pub(super) fn says(reading: &Reading, kind: Kind) -> String {
    let Reading { value, needed, .. } = *reading;
    match reading.gate {
        Gate::Trend => format!(
            "its troughs {}: Mann-Kendall score {value:.1}, {needed} needed",
            if reading.passed {
                "rise"
            } else {
                "do not rise"
            },
        ),
        Gate::Entries => format!(
            "it gained {} entries, {} needed",
            signed(value),
            signed(needed)
        ),
        Gate::Share if value.is_infinite() => "it was empty at the beginning".to_owned(),
        Gate::Share => format!(
            "it gained {} of what it began with, {} needed",
            percent(value),
            percent(needed)
        ),
        Gate::Bytes => format!("it gained {}, {} needed", bytes(value), bytes(needed)),
        Gate::Alive if value.is_infinite() => "only its second half grew".to_owned(),
        Gate::Alive if value <= 0.0 => "its second half did not grow".to_owned(),
        Gate::Alive => format!(
            "its second half grew at {} of the rate of its first, {} needed",
            percent(value),
            percent(needed)
        ),
        Gate::NearTop => format!(
            "its last trough is at {} of the highest, {} needed",
            percent(value),
            percent(needed)
        ),
        Gate::Plateau if value.is_infinite() => "it does not level off".to_owned(),
        Gate::Plateau if reading.passed => format!(
            "it would level off at {} only, beyond the {} that do no harm",
            bytes(value),
            bytes(needed)
        ),
        Gate::Plateau => format!(
            "it levels off at {}, below the {} that would do harm",
            bytes(value),
            bytes(needed)
        ),
        Gate::Survivors => format!(
            "of its older half survive {} as many as of what came later, {} needed; {} old samples",
            percent(value),
            percent(needed),
            reading.samples.unwrap_or(0)
        ),
        Gate::Retention => format!(
            "{} of the {} that came, or of the old ones, stayed, {} needed",
            percent(value),
            match kind {
                Kind::Map => "entries",
                Kind::Site => "blocks",
            },
            percent(needed)
        ),
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(gate: Gate, value: f64, needed: f64) -> Reading {
        Reading {
            gate,
            passed: value >= needed,
            value,
            needed,
            samples: Some(34),
        }
    }

    #[test]
    fn every_question_in_words() {
        for (gate, value, needed, text) in [
            (
                Gate::Trend,
                6.82,
                3.09,
                "its troughs rise: Mann-Kendall score 6.8, 3.09 needed",
            ),
            (
                Gate::Trend,
                -1.0,
                3.09,
                "its troughs do not rise: Mann-Kendall score -1.0, 3.09 needed",
            ),
            (
                Gate::Entries,
                12_345.6,
                500.0,
                "it gained 12,346 entries, 500 needed",
            ),
            (
                Gate::Entries,
                -12.3,
                500.0,
                "it gained -12 entries, 500 needed",
            ),
            (
                Gate::Share,
                0.45,
                0.1,
                "it gained 45 % of what it began with, 10 % needed",
            ),
            (
                Gate::Share,
                f64::INFINITY,
                0.1,
                "it was empty at the beginning",
            ),
            (
                Gate::Bytes,
                2_097_152.0,
                1_048_576.0,
                "it gained 2.0 MiB, 1.0 MiB needed",
            ),
            (
                Gate::Alive,
                0.95,
                0.4,
                "its second half grew at 95 % of the rate of its first, 40 % needed",
            ),
            (Gate::Alive, f64::INFINITY, 0.4, "only its second half grew"),
            (Gate::Alive, 0.0, 0.4, "its second half did not grow"),
            (
                Gate::NearTop,
                0.98,
                0.9,
                "its last trough is at 98 % of the highest, 90 % needed",
            ),
            (Gate::Plateau, f64::INFINITY, 1e9, "it does not level off"),
            (
                Gate::Plateau,
                2e9,
                1e9,
                "it would level off at 1.9 GiB only, beyond the 953.7 MiB that do no harm",
            ),
            (
                Gate::Plateau,
                1e6,
                1e9,
                "it levels off at 976.6 KiB, below the 953.7 MiB that would do harm",
            ),
            (
                Gate::Survivors,
                0.97,
                0.6,
                "of its older half survive 97 % as many as of what came later, 60 % needed; 34 old samples",
            ),
            (
                Gate::Retention,
                0.61,
                0.5,
                "61 % of the entries that came, or of the old ones, stayed, 50 % needed",
            ),
        ] {
            assert_eq!(says(&reading(gate, value, needed), Kind::Map), text);
        }
    }
}
