//! `heaplens maps`: the tracked maps and caches of a service.

use crate::address::escaped;
use crate::amount::{self, UNKNOWN};
use crate::cli::{MapSort, Maps};
use crate::exit::Exit;
use crate::fault::Fault;
use crate::maps_page::{self, Group, Page, Process};
use crate::session::Session;
use crate::source::Source;
use crate::style::Mark;
use crate::table::{Cell, Table};

pub(crate) fn run(asked: &Maps, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let address = Source::service(&asked.source)?;
    let client = session.client()?;
    if let Some(name) = &asked.name {
        let route = format!("{}/{}", maps_page::PATH, escaped(name));
        let (group, body) = maps_page::fetch::<Group>(&client, &address, &route)?;
        return one(&group, &body, session);
    }
    let query = format!("?sort={}", sort(asked.sort));
    let (mut page, body) = maps_page::list(&client, &address, &query)?;
    if let Some(part) = &asked.filter {
        page.maps.retain(|group| group.name.contains(part));
    }
    if session.json {
        return list_as_json(asked, &page, &body, session);
    }
    let found = page.maps.len();
    if asked.limit > 0 {
        page.maps.truncate(asked.limit);
    }
    let style = session.console.style();
    let mut lines = vec![
        format!("{address}, {}", process(page.process)),
        String::new(),
    ];
    if page.maps.is_empty() {
        lines.push(nothing(asked, page.groups_count));
    } else {
        lines.extend(table(&page.maps).lines(style, session.console.columns()));
    }
    if page.maps.len() < found {
        let more = format!("{} more; -n 0 shows all", found - page.maps.len());
        lines.push(style.paint(Mark::Dim, &more));
    }
    session.print_lines(&lines)?;
    Ok(Exit::Fine)
}

fn nothing(asked: &Maps, groups: u64) -> String {
    match &asked.filter {
        Some(part) if groups > 0 => format!("None of {groups} maps has {part:?} in its name."),
        _ => {
            "No map is tracked: use heaplens::TrackedHashMap and its kin, or probe(..) for others."
                .to_owned()
        }
    }
}

fn sort(sort: MapSort) -> &'static str {
    match sort {
        MapSort::Bytes => "bytes",
        MapSort::Growth => "growth",
        MapSort::Entries => "entries",
        MapSort::Waste => "waste",
        MapSort::Age => "age",
        MapSort::Name => "name",
    }
}

/// What the service answered, without what was not asked for.
fn list_as_json(
    asked: &Maps,
    page: &Page,
    body: &[u8],
    session: &mut Session<'_>,
) -> Result<Exit, Fault> {
    let mut document: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| Fault::unreadable(format!("the answer is no JSON: {error}")))?;
    if let Some(maps) = document
        .get_mut("maps")
        .and_then(|maps| maps.as_array_mut())
    {
        let wanted: Vec<&str> = page.maps.iter().map(|group| group.name.as_str()).collect();
        maps.retain(|map| {
            map["name"]
                .as_str()
                .is_some_and(|name| wanted.contains(&name))
        });
        if asked.limit > 0 {
            maps.truncate(asked.limit);
        }
    }
    session.print_json(&document)?;
    Ok(Exit::Fine)
}

/// What the process takes and may take.
pub(crate) fn process(process: Process) -> String {
    let of = |value: Option<u64>| value.map(|value| amount::bytes(value as f64));
    let mut parts = Vec::new();
    parts.extend(of(process.resident_bytes).map(|resident| format!("resident {resident}")));
    parts.extend(of(process.memory_limit_bytes).map(|limit| format!("limit {limit}")));
    parts.extend(of(process.headroom_bytes).map(|room| format!("room for {room} more")));
    if parts.is_empty() {
        "memory of the process not known".to_owned()
    } else {
        parts.join(", ")
    }
}

fn bytes(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), amount::bytes)
}

fn count(value: Option<u64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), |value| amount::count(value.into()))
}

fn seconds(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), amount::duration)
}

fn rate(value: Option<f64>) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), amount::rate)
}

/// An error is a part of what it is the error of.
fn error(group: &Group) -> String {
    match (group.heap_bytes, group.heap_stderr_bytes) {
        (Some(heap), Some(error)) if heap > 0.0 && error > 0.0 => {
            format!("{:.0} %", 100.0 * error / heap)
        }
        _ => UNKNOWN.to_owned(),
    }
}

/// How many entries come in a minute: red where they would fill the memory.
pub(crate) fn growth(group: &Group) -> Cell {
    let per_minute = group.growth_entries_per_second.map(|rate| rate * 60.0);
    let mark = match (per_minute, group.seconds_to_limit) {
        (Some(_), Some(left)) if left < 86_400.0 => Mark::Red,
        (Some(rate), _) if rate >= 1.0 => Mark::Yellow,
        _ => Mark::Plain,
    };
    Cell::new(rate(per_minute)).marked(mark)
}

fn table(groups: &[Group]) -> Table {
    let mut table = Table::new(&[
        "HEAP",
        "±",
        "TABLE",
        "ENTRIES",
        "GROWTH/min",
        "OLDEST",
        "FULL IN",
        "<MAP",
    ]);
    for group in groups {
        table.row(vec![
            Cell::new(bytes(group.heap_bytes)).marked(Mark::Bold),
            Cell::new(error(group)).marked(Mark::Dim),
            bytes(group.table_bytes.map(|table| table as f64)).into(),
            count(group.entries_count).into(),
            growth(group),
            seconds(group.oldest_entry_age_seconds).into(),
            seconds(group.seconds_to_limit).into(),
            group.name.as_str().into(),
        ]);
    }
    table
}

fn one(group: &Group, body: &[u8], session: &mut Session<'_>) -> Result<Exit, Fault> {
    if session.json {
        session.console.write(body)?;
        return Ok(Exit::Fine);
    }
    let style = session.console.style();
    let limit = group.limit.as_deref().map(|limit| format!(" ({limit})"));
    let rows = [
        (
            "heap",
            format!(
                "{} ± {}",
                bytes(group.heap_bytes),
                bytes(group.heap_stderr_bytes)
            ),
        ),
        ("table", bytes(group.table_bytes.map(|of| of as f64))),
        ("unused capacity", bytes(group.capacity_waste_bytes)),
        ("an entry", bytes(group.heap_bytes_per_entry)),
        ("entries", count(group.entries_count)),
        ("capacity", count(group.capacity_entries_count)),
        (
            "maps of this name",
            amount::count(group.instances_count.into()),
        ),
        ("growth a minute", per_minute(group)),
        ("inserts", count(group.inserts_count)),
        ("removes", count(group.removes_count)),
        ("oldest entry", seconds(group.oldest_entry_age_seconds)),
        ("declared bound", count(group.max_entries_count)),
        ("declared lifetime", seconds(group.expected_ttl_seconds)),
        (
            "full in",
            format!(
                "{}{}",
                seconds(group.seconds_to_limit),
                limit.unwrap_or_default()
            ),
        ),
        (
            "made at",
            group.site.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
        ),
        ("process", process(group.process.unwrap_or_default())),
    ];
    let mut lines = vec![style.paint(Mark::Bold, &crate::text::printable(&group.name))];
    for (name, value) in rows {
        let value = crate::text::printable(&value);
        lines.push(format!(
            "  {} {value}",
            style.paint(Mark::Dim, &format!("{name:<17}"))
        ));
    }
    for advice in &group.advice {
        let advice = crate::text::printable(advice);
        lines.extend(crate::text::wrapped(
            &advice,
            session.console.text_columns(),
            "  ",
        ));
    }
    session.print_lines(&lines)?;
    Ok(Exit::Fine)
}

fn per_minute(group: &Group) -> String {
    let entries = rate(group.growth_entries_per_second.map(|rate| rate * 60.0));
    let bytes = group
        .growth_bytes_per_second
        .map(|rate| amount::change((rate * 60.0) as i128, "bytes"));
    format!(
        "{entries} entries, {}",
        bytes.unwrap_or_else(|| UNKNOWN.to_owned())
    )
}
