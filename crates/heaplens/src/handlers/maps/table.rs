//! The groups as text, for a terminal.

use std::fmt::Write as _;
use std::time::Duration;

use heaplens_maps::MAX_GROUPS;

use super::ages::Ages;
use super::ranking::Sort;
use super::{Base, advice};
use crate::map_group::MapGroup;
use crate::survey::Survey;
use crate::units::{bytes, count, duration, printable, rate};

const UNKNOWN: &str = "-";

const HEAD: [&str; 12] = [
    "MAP", "HEAP", "±", "TABLE", "ENTRIES", "GROWTH/s", "MAPS", "INSERTS", "REMOVES", "OLDEST",
    "LIMIT IN", "LIMIT",
];

/// A line a group.
pub(super) fn list(survey: &Survey, shown: &[&MapGroup], sort: Sort, base: &Base) -> String {
    let mut text = format!(
        "{} of {} groups by {}; HEAP is the tables and what keys and values own, ± its standard \
         error, {UNKNOWN} not known\n",
        shown.len(),
        survey.groups.len(),
        sort.name()
    );
    text.push_str(&memory(survey));
    if survey.groups_overflowed > 0 {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{} more groups are counted in {}, because there are {MAX_GROUPS}",
            count(survey.groups_overflowed),
            heaplens_maps::OTHER
        );
    }
    text.push('\n');
    let rows = shown.iter().map(|group| row(group));
    let head = HEAD.map(str::to_owned);
    text.push_str(&aligned(
        &std::iter::once(head).chain(rows).collect::<Vec<_>>(),
    ));
    let _ = writeln!(text, "\none of them: {}/NAME?format=text", base.maps());
    text
}

fn memory(survey: &Survey) -> String {
    let of = |value: Option<u64>| value.map_or(UNKNOWN.to_owned(), |value| bytes(value as f64));
    format!(
        "process: resident {}, memory limit {}\n",
        of(survey.memory.resident),
        of(survey.memory.limit)
    )
}

/// An error is not known while no block of the group has been sampled, unless
/// its bytes are counted.
fn error(group: &MapGroup) -> Option<f64> {
    let of = &group.report;
    let is_known = of.sized_bytes.is_some() || of.contents.samples > 0;
    group.heap_bytes_error.filter(|_| is_known)
}

fn row(group: &MapGroup) -> [String; HEAD.len()] {
    let counted = |value: Option<u64>| value.map(count);
    let outlook = group.outlook;
    let cells = [
        Some(printable(group.name())),
        group.heap_bytes.map(bytes),
        error(group).map(bytes),
        group.table_bytes().map(|table| bytes(table as f64)),
        counted(group.entries()),
        group.growth().map(rate),
        Some(count(group.report.instances)),
        counted(group.inserts()),
        counted(group.removes()),
        group.oldest_age.map(duration),
        outlook
            .and_then(|outlook| Some(duration(Duration::try_from_secs_f64(outlook.seconds).ok()?))),
        outlook.map(|outlook| outlook.limit.name().to_owned()),
    ];
    cells.map(|cell| cell.unwrap_or_else(|| UNKNOWN.to_owned()))
}

/// One group, a line a figure.
pub(super) fn one(survey: &Survey, group: &MapGroup, ages: Option<&Ages>, base: &Base) -> String {
    let mut rows: Vec<[String; 2]> = HEAD
        .into_iter()
        .zip(row(group))
        .map(|(name, value)| [name.to_owned(), value])
        .collect();
    let of = &group.report;
    let more = [
        (
            "SAMPLES",
            survey.estimates.then(|| count(of.contents.samples)),
        ),
        ("CAPACITY", group.capacity().map(count)),
        ("WASTE", group.waste_bytes.map(|waste| bytes(waste as f64))),
        ("RESIZES", group.resizes().map(count)),
        ("MAX ENTRIES", of.max_entries.map(count)),
        ("TTL", of.expected_ttl.map(duration)),
        ("MADE AT", of.site.as_deref().map(printable)),
    ];
    for (name, value) in more {
        rows.extend(value.map(|value| [name.to_owned(), value]));
    }
    for (cause, evicted) in group.evictions() {
        rows.push([format!("EVICTED, {cause}"), count(evicted)]);
    }
    let mut text = aligned(&rows);
    text.push('\n');
    if let Some(ages) = ages {
        text.push_str(&by_age(ages));
    }
    for line in advice::advice(group) {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str(&memory(survey));
    if survey.estimates {
        let heap = base.heap(group.name());
        let _ = writeln!(text, "who allocated it: go tool pprof 'http://HOST{heap}'");
    }
    text
}

/// What keys and values own, by age: older where nothing is removed.
fn by_age(ages: &Ages) -> String {
    let rows = ages.shown().map(|(name, class)| {
        let cells = [
            Some(count(class.samples)),
            Some(count(class.objects.round() as u64)),
            Some(bytes(class.bytes)),
            class.inserts.map(|inserts| count(inserts.round() as u64)),
        ];
        let [samples, blocks, bytes, inserts] =
            cells.map(|cell| cell.unwrap_or_else(|| UNKNOWN.to_owned()));
        [name.to_owned(), samples, blocks, bytes, inserts]
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        "ALIVE, BY AGE",
        "SAMPLES",
        "BLOCKS",
        "BYTES",
        "INSERTED THEN",
    ];
    let head = head.map(str::to_owned);
    let mut text = aligned(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    text.push('\n');
    text
}

/// Columns of equal width: the first to the left, the others to the right.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let _ = if column == 0 {
                write!(text, "{cell:<width$}")
            } else {
                write!(text, "  {cell:>width$}")
            };
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use heaplens_maps::GroupReport;

    use super::*;
    use crate::memory::Memory;

    fn group(name: &str, entries: u64) -> GroupReport {
        let mut group = GroupReport::default();
        group.name = name.to_owned();
        (group.instances, group.entries, group.capacity) = (1, entries, entries * 2);
        (group.entries_max_instance, group.inserts) = (entries, entries);
        group.table_bytes = entries * 32;
        group
    }

    fn survey(groups: Vec<GroupReport>) -> Survey {
        let memory = Memory {
            resident: Some(3 << 20),
            limit: None,
        };
        Survey::with(groups, memory)
    }

    fn base() -> Base {
        Base::under("")
    }

    #[test]
    fn columns_stand_under_their_heads() {
        let survey = survey(vec![group("größer", 1_000_000), group("b", 5)]);
        let shown: Vec<&MapGroup> = survey.groups.iter().collect();
        let text = list(&survey, &shown, Sort::Bytes, &base());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "process: resident 3.0 MiB, memory limit -");
        assert_eq!(
            lines[3..6],
            [
                "MAP         HEAP  ±     TABLE    ENTRIES  GROWTH/s  MAPS    INSERTS  REMOVES  OLDEST  LIMIT IN  LIMIT",
                "größer  30.5 MiB  -  30.5 MiB  1,000,000         -     1  1,000,000        0       -         -      -",
                "b          160 B  -     160 B          5         -     1          5        0       -         -      -",
            ]
        );
    }

    #[test]
    fn a_name_stays_on_its_line() {
        let survey = survey(vec![group("a\nb\u{1b}[2J\u{9b}c\t\"ü", 5)]);
        let group = &survey.groups[0];
        for text in [
            list(&survey, &[group], Sort::Name, &base()),
            one(&survey, group, None, &base()),
        ] {
            assert!(text.contains("a\\nb\\u{1b}[2J\\u{9b}c\\t\"ü"), "{text}");
            let is_plain = |line: &str| !line.chars().any(char::is_control);
            assert!(text.lines().all(is_plain), "{text:?}");
        }
    }

    #[test]
    fn an_error_needs_samples() {
        let mut groups = vec![group("unseen", 5), group("seen", 5), group("counted", 5)];
        groups[1].contents.record(100, 1);
        groups[2].sized_bytes = Some(500);
        let survey = survey(groups);
        let errors: Vec<Option<f64>> = survey.groups.iter().map(error).collect();
        assert_eq!(errors, [None, Some(0.0), Some(0.0)]);
    }

    #[test]
    fn both_pages_say_where_to_go_on() {
        let survey = survey(vec![group("a b", 5)]);
        let (group, base) = (&survey.groups[0], Base::under("/admin"));
        let list = list(&survey, &[group], Sort::Name, &base);
        assert!(
            list.ends_with("\none of them: /admin/debug/maps/NAME?format=text\n"),
            "{list}"
        );
        let one = one(&survey, group, None, &base);
        let profile = "go tool pprof 'http://HOST/admin/debug/heap?map=a%20b'\n";
        assert!(one.ends_with(profile), "{one}");
    }

    #[test]
    fn no_groups_at_all() {
        let text = list(&survey(Vec::new()), &[], Sort::Growth, &base());
        assert!(text.starts_with("0 of 0 groups by growth"), "{text}");
        assert!(text.contains("\nMAP  HEAP"), "{text}");
    }
}
