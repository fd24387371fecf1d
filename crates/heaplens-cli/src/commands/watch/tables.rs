//! The rows of each tab.

use super::model::{Model, Place, TREND, Tab};
use crate::amount::{self, UNKNOWN};
use crate::commands::{leaks, maps};
use crate::leaks_page::Verdict;
use crate::maps_page::Group;
use crate::style::Mark;
use crate::table::{Cell, Table};

/// From so many columns on there is room for all.
const WIDE: usize = 100;

/// The table of the tab that is shown.
pub(super) fn table(model: &Model, columns: usize) -> Table {
    let is_wide = columns >= WIDE;
    match model.tab {
        Tab::Maps => of_maps(model, is_wide),
        Tab::Places => of_places(model, is_wide),
        Tab::Leaks => of_leaks(model, is_wide),
    }
}

fn known<T>(value: Option<T>, show: impl Fn(T) -> String) -> Cell {
    value.map_or_else(|| UNKNOWN.to_owned(), show).into()
}

fn of_maps(model: &Model, is_wide: bool) -> Table {
    let mut table = Table::new(if is_wide {
        &[
            "HEAP",
            "TABLE",
            "ENTRIES",
            "GROWTH/min",
            "<TREND",
            "OLDEST",
            "FULL IN",
            "<MAP",
        ][..]
    } else {
        &["HEAP", "ENTRIES", "GROWTH/min", "FULL IN", "<MAP"][..]
    });
    for group in model.maps() {
        table.row(of_map(model, group, is_wide));
    }
    table
}

fn of_map(model: &Model, group: &Group, is_wide: bool) -> Vec<Cell> {
    let mut cells = vec![known(group.heap_bytes, amount::bytes).marked(Mark::Bold)];
    if is_wide {
        cells.push(known(group.table_bytes, |of| amount::bytes(of as f64)));
    }
    cells.push(known(group.entries_count, |of| amount::count(of.into())));
    cells.push(maps::growth(group));
    if is_wide {
        let trend = model.trends.get(&group.name).map(|of| trend(of));
        cells.push(Cell::new(trend.unwrap_or_default()).marked(Mark::Cyan));
        cells.push(known(group.oldest_entry_age_seconds, amount::duration));
    }
    cells.push(known(group.seconds_to_limit, amount::duration));
    cells.push(group.name.as_str().into());
    cells
}

/// A curve of one line, from the least to the most.
fn trend(values: &[u64]) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (Some(least), Some(most)) = (values.iter().min(), values.iter().max()) else {
        return String::new();
    };
    let range = (most - least).max(1);
    let curve = values.iter().map(|value| {
        let step = (value - least) as f64 / range as f64 * 7.0;
        STEPS.get(step.round() as usize).copied().unwrap_or('█')
    });
    let curve: String = curve.collect();
    format!("{curve:<TREND$}")
}

fn of_places(model: &Model, is_wide: bool) -> Table {
    let mut table = Table::new(if is_wide {
        &["IN USE", "CHANGE", "OBJECTS", "ALLOCATED", "<PLACE"][..]
    } else {
        &["IN USE", "CHANGE", "<PLACE"][..]
    });
    for place in model.places() {
        table.row(of_place(place, is_wide));
    }
    table
}

fn of_place(place: &Place, is_wide: bool) -> Vec<Cell> {
    let mark = match place.change {
        change if change > 0 => Mark::Yellow,
        change if change < 0 => Mark::Green,
        _ => Mark::Plain,
    };
    let mut cells = vec![
        Cell::new(amount::bytes(place.inuse as f64)).marked(Mark::Bold),
        Cell::new(amount::change(place.change, "bytes")).marked(mark),
    ];
    if is_wide {
        cells.push(amount::count(place.objects).into());
        cells.push(amount::bytes(place.allocated as f64).into());
    }
    cells.push(place.row.title().into());
    cells
}

fn of_leaks(model: &Model, is_wide: bool) -> Table {
    let mut table = Table::new(if is_wide {
        &[
            "<STATE",
            "<KIND",
            "GROWTH/min",
            "BYTES/min",
            "FULL IN",
            "<NAME",
        ][..]
    } else {
        &["<STATE", "BYTES/min", "<NAME"][..]
    });
    for verdict in model.verdicts() {
        table.row(of_verdict(verdict, is_wide));
    }
    table
}

fn of_verdict(verdict: &Verdict, is_wide: bool) -> Vec<Cell> {
    let growth = verdict.growth.unwrap_or_default();
    let mut cells = vec![Cell::new(verdict.state.name()).marked(leaks::mark(verdict.state))];
    if is_wide {
        cells.push(verdict.kind.as_str().into());
        cells.push(known(growth.entries_per_minute, amount::rate));
    }
    cells.push(known(growth.bytes_per_minute, |of| {
        amount::change(of as i128, "bytes")
    }));
    if is_wide {
        cells.push(known(verdict.seconds_to_limit, amount::duration));
    }
    cells.push(verdict.name.as_str().into());
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trends() {
        assert_eq!(trend(&[]), "");
        assert_eq!(trend(&[5, 5]).trim_end(), "▁▁");
        assert_eq!(trend(&[0, 7, 14]).trim_end(), "▁▅█");
        assert_eq!(trend(&[u64::MAX, 0]).trim_end(), "█▁");
    }
}
