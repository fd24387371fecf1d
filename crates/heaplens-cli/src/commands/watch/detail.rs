//! What is told of the row that is picked.

use super::model::{Model, Tab};
use crate::amount;
use crate::text::{printable, wrapped};

/// Lines at the most.
pub(super) const LINES: usize = 4;

/// A few lines of at most so many columns, plain.
pub(super) fn lines(model: &Model, columns: usize) -> Vec<String> {
    let picked = model.listing().picked;
    let text: Vec<String> = match model.tab {
        Tab::Maps => model.maps().get(picked).map_or_else(Vec::new, |group| {
            let verdict = model.leaks.iter().flat_map(|page| &page.verdicts);
            let mut of_map = verdict.filter(|of| of.kind == "map" && of.name == group.name);
            let sentence = of_map.next().map(|of| of.sentence.clone());
            let counts = format!(
                "{}: {} map{}, {} inserts, {} removes",
                group.name,
                amount::count(group.instances_count.into()),
                if group.instances_count == 1 { "" } else { "s" },
                count(group.inserts_count),
                count(group.removes_count)
            );
            std::iter::once(counts).chain(sentence).collect()
        }),
        Tab::Places => model
            .places()
            .get(picked)
            .map_or_else(Vec::new, |place| vec![place.row.title()]),
        Tab::Leaks => model
            .verdicts()
            .get(picked)
            .map_or_else(Vec::new, |verdict| {
                let origins = verdict.filled_from.iter().take(1);
                let origins = origins.map(|of| format!("filled from {}", of.site));
                std::iter::once(verdict.sentence.clone())
                    .chain(origins)
                    .chain(verdict.suggestion.clone())
                    .collect()
            }),
    };
    let mut lines: Vec<String> = text
        .iter()
        .flat_map(|line| wrapped(&printable(line), columns, " "))
        .collect();
    lines.truncate(LINES);
    lines
}

fn count(value: Option<u64>) -> String {
    value.map_or_else(
        || amount::UNKNOWN.to_owned(),
        |value| amount::count(value.into()),
    )
}
