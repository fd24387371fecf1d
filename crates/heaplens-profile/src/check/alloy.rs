//! Grafana Alloy's `pyroscope.scrape`: which answers it takes, and the deltas
//! that it makes of two scrapes by itself.

use std::collections::BTreeMap;

use super::Faults;
use super::raw::{Index, Label, Raw, Sample};

/// The types that it makes deltas of, matched by type and unit.
const CUMULATIVE: [(&str, &str); 2] = [("alloc_objects", "count"), ("alloc_space", "bytes")];

/// An answer that is scraped at all.
pub fn check_answer(content_type: Option<&str>, body: &[u8]) -> Faults {
    let mut faults = Faults::default();
    faults.unless(
        content_type.is_some_and(|of| of.starts_with("application/octet-stream")),
        "content type",
        content_type,
    );
    faults.unless(!body.is_empty(), "not empty", body.len());
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let is_text = matches!(first, Some(b'<' | b'{' | b'['));
    faults.unless(!is_text, "neither HTML nor JSON", first);
    faults
}

/// What makes a sample the same in the next scrape: the addresses of its
/// stack, and its labels with their texts.
pub type Key = (Vec<u64>, Vec<(String, String, i64, String)>);

/// The state between two scrapes of one target.
#[derive(Debug, Default)]
pub struct Scraper {
    previous: BTreeMap<Key, [i64; 2]>,
}

/// What was allocated since the last scrape, per sample.
pub type Delta = BTreeMap<Key, [i64; 2]>;

impl Scraper {
    /// Takes the next profile of the target. The first one's delta is all of it.
    pub fn scrape(&mut self, raw: &Raw) -> (Delta, Faults) {
        let mut faults = Faults::default();
        let names = raw.type_names();
        let index = raw.index();
        let at = CUMULATIVE.map(|wanted| names.iter().position(|name| *name == wanted));
        let [Some(objects), Some(space)] = at else {
            faults.note_unless(false, "exact names of the cumulative types", names);
            return (Delta::new(), faults);
        };
        let mut now: BTreeMap<Key, [i64; 2]> = BTreeMap::new();
        for sample in &raw.samples {
            let key = key(raw, &index, sample);
            faults.note_unless(!key.0.is_empty(), "a stack", &key);
            faults.note_unless(!key.0.contains(&0), "addresses are not zero", &key);
            let value = |at: usize| sample.values.get(at).copied().unwrap_or_default();
            let twice = now.insert(key.clone(), [value(objects), value(space)]);
            faults.note_unless(twice.is_none(), "one sample per stack and labels", &key);
        }
        let delta = self.less(&now, &mut faults);
        self.previous = now;
        (delta, faults)
    }

    fn less(&self, now: &BTreeMap<Key, [i64; 2]>, faults: &mut Faults) -> Delta {
        for (key, before) in &self.previous {
            // A row in which nothing was ever allocated says who holds what:
            // it has no delta, and may go.
            let has_delta = before.iter().any(|&value| value != 0);
            faults.unless(
                !has_delta || now.contains_key(key),
                "no site disappears",
                key,
            );
        }
        let mut delta = Delta::new();
        for (key, values) in now {
            let before = self.previous.get(key).copied().unwrap_or_default();
            let grown = [0, 1].map(|at: usize| {
                let of = |values: &[i64; 2]| values.get(at).copied().unwrap_or_default();
                of(values).saturating_sub(of(&before))
            });
            let falls = grown.iter().any(|&of| of < 0);
            faults.unless(
                !falls,
                "cumulative values never fall",
                (key, before, values),
            );
            if grown != [0, 0] {
                delta.insert(key.clone(), grown);
            }
        }
        delta
    }
}

fn key(raw: &Raw, index: &Index<'_>, sample: &Sample) -> Key {
    let address = |id: &u64| index.location(*id).map_or(0, |of| of.address);
    let label = |of: &Label| {
        let text = |at| raw.text(at).to_owned();
        (text(of.key), text(of.text), of.number, text(of.unit))
    };
    let mut labels: Vec<_> = sample.labels.iter().map(label).collect();
    labels.sort();
    (sample.locations.iter().map(address).collect(), labels)
}
