//! pprof itself and the format: what no reader may be asked to guess.

use std::collections::HashSet;

use super::Faults;
use super::raw::{Raw, Sample};

/// All rules at once.
pub fn check(raw: &Raw) -> Faults {
    let mut faults = Faults::default();
    let index = raw.index();
    for of in &raw.mappings {
        faults.unless(of.start < of.limit, "mappings are not empty", of);
        let absolute = raw.text(of.file).starts_with(['/', '[']);
        faults.note_unless(absolute, "absolute file names", raw.text(of.file));
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        let id = raw.text(of.build_id);
        faults.note_unless(id.chars().all(is_hex), "build ids in hexadecimal", id);
    }
    let mut places = HashSet::new();
    for of in &raw.locations {
        if let Some(mapping) = index.mapping(of.mapping) {
            let inside = (mapping.start..mapping.limit).contains(&of.address);
            faults.unless(inside, "addresses lie in their mapping", of);
        }
        let names: Vec<u64> = of.lines.iter().map(|line| line.function).collect();
        faults.note_unless(
            places.insert((of.mapping, of.address, names)),
            "no location twice",
            of,
        );
    }
    functions(raw, &mut faults);
    for sample in &raw.samples {
        labels(raw, sample, &mut faults);
    }
    faults.note_unless(raw.period > 0, "a period", raw.period);
    let default = raw.text(raw.default_type);
    let known = raw.type_names().iter().any(|(kind, _)| *kind == default);
    faults.note_unless(
        known || default.is_empty(),
        "a default that is a type",
        default,
    );
    faults
}

/// Names that equal the system name are taken for C++ and lose their brackets.
fn functions(raw: &Raw, faults: &mut Faults) {
    for of in &raw.functions {
        let (name, system) = (raw.text(of.name), raw.text(of.system_name));
        faults.note_unless(!name.is_empty(), "functions have names", of);
        let cut = name == system && name.contains(['<', '(']);
        faults.note_unless(!cut, "names are shown whole", name);
    }
}

fn labels(raw: &Raw, sample: &Sample, faults: &mut Faults) {
    let mut keys = HashSet::new();
    for label in &sample.labels {
        let key = raw.text(label.key);
        faults.note_unless(keys.insert(key), "one value per label", key);
        faults.note_unless(!key.starts_with("pprof::"), "no reserved label", key);
        let one = (label.text == 0) != (label.number == 0);
        faults.note_unless(one, "a label is a text or a number", label);
        faults.note_unless(
            label.number == 0 || label.unit != 0,
            "numbers have a unit",
            label,
        );
    }
}
