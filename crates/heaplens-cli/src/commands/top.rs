//! `heaplens top`: which places hold the most memory.

use heaplens_profile::{Profile, rfc3339};
use serde_json::{Value, json};

use crate::amount;
use crate::cli::{By, Top};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::ranking::{self, Row};
use crate::session::Session;
use crate::source::Loaded;
use crate::style::Mark;
use crate::table::{Cell, Table};

/// The name of the JSON.
const SCHEMA: &str = "heaplens.top/1";

pub(crate) fn run(asked: &Top, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let loaded = Loaded::with_errors(session, &asked.source, &asked.selection)?;
    let mut rows = ranking::ranked(&loaded.profile, &asked.by, loaded.type_index, asked.cum);
    let found = rows.len();
    if asked.limit > 0 {
        rows.truncate(asked.limit);
    }
    if session.json {
        let document = document(&loaded, &rows, found);
        session.print_json(&document)?;
        return Ok(Exit::Fine);
    }
    let mut lines = heading(&loaded, session);
    lines.push(String::new());
    if rows.is_empty() {
        lines.push(nothing(&loaded));
    } else {
        let table = table(&loaded, asked, &rows);
        lines.extend(table.lines(session.console.style(), session.console.columns()));
    }
    if rows.len() < found {
        let more = format!("{} more; -n 0 shows all", found - rows.len());
        lines.push(session.console.style().paint(Mark::Dim, &more));
    }
    session.print_lines(&lines)?;
    if loaded.profile.functions.is_empty() && found > 0 {
        let remark =
            "the profile has addresses and no names: heaplens symbolize puts names to them";
        session.console.remark(remark);
    }
    Ok(Exit::Fine)
}

fn nothing(loaded: &Loaded) -> String {
    if loaded.profile.samples.is_empty() {
        "Nothing was sampled, or nothing is left by what was asked for.".to_owned()
    } else {
        let kind = kind(&loaded.profile, loaded.type_index);
        format!("All values of {kind} are 0.")
    }
}

fn kind(profile: &Profile, type_index: usize) -> &str {
    profile.types.get(type_index).map_or("value", |of| &of.kind)
}

fn unit(profile: &Profile, type_index: usize) -> &str {
    profile.types.get(type_index).map_or("", |of| &of.unit)
}

/// What a profile is of, and its sums.
pub(crate) fn heading(loaded: &Loaded, session: &Session<'_>) -> Vec<String> {
    let profile = &loaded.profile;
    let style = session.console.style();
    let mut what = vec![loaded.source.to_string()];
    if let Some(mapping) = profile.mappings.first() {
        let path = &mapping.mapping.path;
        let file = path.rsplit('/').next().unwrap_or_default();
        if !file.is_empty() {
            what.push(crate::text::printable(file));
        }
    }
    what.extend(moment(profile));
    if profile.period > 1 {
        what.push(format!(
            "one sample in {}",
            amount::value(profile.period.into(), &profile.period_type.unit)
        ));
    }
    let sums: Vec<String> = profile
        .types
        .iter()
        .enumerate()
        .map(|(index, of)| {
            let total = amount::value(profile.total(index), &of.unit);
            let error = profile
                .total_error(index)
                .filter(|_| index == loaded.type_index);
            let error = error.map(|error| format!(" ± {}", amount::value(error as i128, &of.unit)));
            let sum = format!(
                "{} {total}{}",
                crate::text::printable(&of.kind),
                error.unwrap_or_default()
            );
            let mark = if index == loaded.type_index {
                Mark::Bold
            } else {
                Mark::Plain
            };
            style.paint(mark, &sum)
        })
        .collect();
    vec![what.join(", "), sums.join(", ")]
}

/// When it was taken, if the profile tells.
fn moment(profile: &Profile) -> Option<String> {
    let is_known = profile.time > std::time::UNIX_EPOCH;
    let time = rfc3339::format(profile.time);
    is_known.then(|| match profile.duration {
        Some(of) => format!("{} until {time}", amount::duration(of.as_secs_f64())),
        None => time,
    })
}

/// Columns besides the type that counts: those that say most of the same memory.
fn others(profile: &Profile, type_index: usize) -> Vec<usize> {
    let wanted = ["inuse_space", "inuse_objects", "alloc_space"];
    let found = wanted.iter().filter_map(|kind| profile.type_index(kind));
    found.filter(|&index| index != type_index).take(2).collect()
}

/// The head of a column, as short as can be.
fn head(kind: &str) -> &'static str {
    match kind {
        "inuse_space" => "IN USE",
        "inuse_objects" => "OBJECTS",
        "alloc_space" => "ALLOCATED",
        "alloc_objects" => "ALLOCATIONS",
        _ => "VALUE",
    }
}

fn table(loaded: &Loaded, asked: &Top, rows: &[Row]) -> Table {
    let (profile, type_index) = (&loaded.profile, loaded.type_index);
    let has_errors = rows
        .iter()
        .any(|row| row.variance.is_some_and(|variance| variance > 0.0));
    let others = others(profile, type_index);
    let mut heads = vec![head(kind(profile, type_index))];
    if has_errors {
        heads.push("±");
    }
    heads.push("%");
    let has_below = asked.cum || !matches!(asked.by, By::Site | By::Label(_));
    if has_below {
        heads.extend(["CUM", "%"]);
    }
    heads.extend(others.iter().map(|&index| head(kind(profile, index))));
    heads.push(match asked.by {
        By::Site => "<SITE",
        By::Function => "<FUNCTION",
        By::File => "<FILE",
        By::Object => "<OBJECT",
        By::Label(_) => "<LABEL",
    });
    let total = profile.total(type_index);
    let unit = unit(profile, type_index);
    let mut table = Table::new(&heads);
    for row in rows {
        let own = row.value(type_index);
        let mut cells = vec![Cell::new(amount::value(own, unit)).marked(Mark::Bold)];
        if has_errors {
            cells.push(Cell::new(error(row, own)).marked(Mark::Dim));
        }
        cells.push(amount::share(own, total).into());
        if has_below {
            cells.push(amount::value(row.below, unit).into());
            cells.push(amount::share(row.below, total).into());
        }
        for &index in &others {
            let unit = profile.types.get(index).map_or("", |of| &of.unit);
            cells.push(amount::value(row.value(index), unit).into());
        }
        cells.push(row.title().into());
        table.row(cells);
    }
    table
}

/// The standard error as a part of the value.
fn error(row: &Row, own: i128) -> String {
    match row.variance {
        Some(variance) if own != 0 => {
            format!(
                "{:.0} %",
                100.0 * variance.max(0.0).sqrt() / own.unsigned_abs() as f64
            )
        }
        _ => amount::UNKNOWN.to_owned(),
    }
}

fn document(loaded: &Loaded, rows: &[Row], found: usize) -> Value {
    let profile = &loaded.profile;
    let types = || profile.types.iter().map(|of| &*of.kind);
    let totals: serde_json::Map<String, Value> = types()
        .enumerate()
        .map(|(index, kind)| (kind.to_owned(), number(profile.total(index))))
        .collect();
    let rows: Vec<Value> = rows
        .iter()
        .map(|row| {
            let values: serde_json::Map<String, Value> = types()
                .zip(&row.own)
                .map(|(kind, &value)| (kind.to_owned(), number(value)))
                .collect();
            let place = Some(&row.place).filter(|place| !place.is_empty());
            let error = row
                .variance
                .map(|of| (of.max(0.0).sqrt() * 10.0).round() / 10.0);
            json!({
                "name": row.name,
                "place": place,
                "values": values,
                "standard_error": error,
                "cumulative": number(row.below),
            })
        })
        .collect();
    json!({
        "schema": SCHEMA,
        "source": loaded.source.to_string(),
        "time": rfc3339::format(profile.time),
        "duration_seconds": profile.duration.map(|of| of.as_secs_f64()),
        "period": profile.period,
        "type": kind(profile, loaded.type_index),
        "unit": unit(profile, loaded.type_index),
        "totals": totals,
        "standard_error": profile.total_error(loaded.type_index),
        "rows_count": found,
        "rows": rows,
    })
}

/// A sum as JSON: whole as long as it fits.
pub(crate) fn number(value: i128) -> Value {
    i64::try_from(value).map_or_else(|_| json!(value as f64), |value| json!(value))
}
