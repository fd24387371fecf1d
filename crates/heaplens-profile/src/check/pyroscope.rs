//! Pyroscope's server: what is left of a profile after it was taken in.

use std::collections::BTreeMap;

use super::Faults;
use super::raw::{Index, Raw};

/// A stack by its functions and addresses, and its labels of text.
type Row = (Vec<Place>, Vec<(String, String)>);

/// A location as it is stored: no address where the mapping has functions.
type Place = (u64, Vec<String>);

/// A profile as it is stored.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Values by stack and labels.
    pub rows: BTreeMap<Row, Vec<i64>>,
    /// Samples that were not taken in because of a negative value.
    pub negative: usize,
    /// Locations that were left out of stacks: neither address nor line.
    pub empty_locations: usize,
    /// Labels with a number, which are left out.
    pub numeric_labels: usize,
}

impl Stored {
    /// What the server keeps of `raw`.
    pub fn of(raw: &Raw) -> Stored {
        let mut stored = Stored::default();
        let index = raw.index();
        for sample in &raw.samples {
            if sample.values.iter().any(|&value| value < 0) {
                stored.negative += 1;
                continue;
            }
            if sample.values.iter().all(|&value| value == 0) {
                continue;
            }
            let mut places = Vec::new();
            for &id in &sample.locations {
                match place(raw, &index, id) {
                    (0, lines) if lines.is_empty() => stored.empty_locations += 1,
                    place => places.push(place),
                }
            }
            let mut labels = Vec::new();
            for label in &sample.labels {
                if label.text == 0 {
                    stored.numeric_labels += 1;
                } else {
                    labels.push((raw.text(label.key).into(), raw.text(label.text).into()));
                }
            }
            labels.sort();
            let row = stored.rows.entry((places, labels)).or_default();
            row.resize(sample.values.len(), 0);
            for (sum, value) in row.iter_mut().zip(&sample.values) {
                *sum = sum.saturating_add(*value);
            }
        }
        stored
    }

    /// Sum of each value.
    pub fn totals(&self, types: usize) -> Vec<i64> {
        let mut totals = vec![0_i64; types];
        for values in self.rows.values() {
            for (total, value) in totals.iter_mut().zip(values) {
                *total = total.saturating_add(*value);
            }
        }
        totals
    }
}

fn place(raw: &Raw, index: &Index<'_>, id: u64) -> Place {
    let Some(location) = index.location(id) else {
        return (0, Vec::new());
    };
    let named = index
        .mapping(location.mapping)
        .is_some_and(|mapping| mapping.has_functions);
    let address = if named { 0 } else { location.address };
    let lines = location
        .lines
        .iter()
        .filter_map(|line| index.function(line.function))
        .map(|of| raw.text(of.name).to_owned());
    (address, lines.collect())
}

/// Rules for a profile that the server is to store: nothing gets lost.
pub fn check(raw: &Raw) -> Faults {
    let mut faults = Faults::default();
    let stored = Stored::of(raw);
    faults.note_unless(stored.negative == 0, "no negative values", stored.negative);
    faults.note_unless(
        stored.empty_locations == 0,
        "an address or a line in every location",
        stored.empty_locations,
    );
    let (before, after) = (raw.totals(), stored.totals(raw.types.len()));
    faults.note_unless(before == after, "totals survive", (before, after));
    // What has to survive is a text.
    let numbers = raw
        .samples
        .iter()
        .flat_map(|of| &of.labels)
        .filter(|label| label.text == 0 && raw.text(label.key) != "bytes");
    for label in numbers {
        faults.note_unless(false, "numbers as labels for sizes only", label);
    }
    faults
}
