//! The picture: lines for a screen of any size.

use heaplens_profile::rfc3339;

use super::model::{Model, Tab};
use super::{detail, tables};
use crate::amount;
use crate::commands::maps;
use crate::leaks_page::State;
use crate::style::{Mark, Style};
use crate::text::{self, printable, shortened};

/// Rows that the head takes, and the foot.
const HEAD: usize = 3;
const FOOT: usize = 1;

const HELP: [(&str, &str); 12] = [
    ("Tab, 1 2 3", "maps, places in the program, verdicts"),
    (
        "↑ ↓ PgUp PgDn Home End",
        "pick a row; below the table is more of it",
    ),
    ("s S, → ←", "sort by the next column, the one before"),
    ("r", "turn the order round"),
    (
        "/",
        "show only names that contain a text; Enter ends, Esc clears",
    ),
    ("p, Space", "pause, and go on"),
    ("g", "look now"),
    ("+ -", "look more often, less often"),
    ("Ctrl-L", "draw the screen anew"),
    ("? h", "this help"),
    ("q, Ctrl-C", "quit"),
    ("", "any key closes this"),
];

/// The lines of the screen, none wider than it, as many as it has rows.
pub(super) fn frame(model: &Model, (columns, rows): (usize, usize), style: Style) -> Vec<String> {
    let mut lines = head(model, columns, style);
    let room = rows.saturating_sub(HEAD + FOOT);
    if model.shows_help {
        lines.extend(help(style));
    } else {
        lines.extend(body(model, columns, room, style));
    }
    lines.truncate(rows.saturating_sub(FOOT));
    lines.resize(rows.saturating_sub(FOOT), String::new());
    lines.push(foot(model, style));
    lines.truncate(rows);
    lines.iter().map(|line| clipped(line, columns)).collect()
}

fn head(model: &Model, columns: usize, style: Style) -> Vec<String> {
    let time = rfc3339::format(model.at);
    let clock = time.get(11..19).unwrap_or_default();
    let pulse = if model.fault.is_some() {
        style.paint(Mark::Red, "no answer")
    } else if model.is_paused {
        style.paint(Mark::Yellow, "paused")
    } else {
        style.paint(Mark::Green, "live")
    };
    let every = model.every.as_secs_f64();
    let title = format!(
        "{} {}  {pulse} {clock} UTC, every {every} s",
        style.paint(Mark::Bold, "heaplens"),
        shortened(&model.address, columns / 2),
    );
    let process = match &model.fault {
        Some(fault) => style.paint(Mark::Red, &printable(fault)),
        None => format!(
            "{}  {}",
            maps::process(model.page.process),
            verdicts(model, style)
        ),
    };
    vec![title, process, tabs(model, style)]
}

fn verdicts(model: &Model, style: Style) -> String {
    let Some(page) = &model.leaks else {
        return style.paint(Mark::Dim, "no verdicts here");
    };
    let count = |state: State| page.verdicts.iter().filter(|of| of.state == state).count();
    let parts: Vec<String> = [State::Leak, State::Suspect, State::Growing, State::Filling]
        .into_iter()
        .map(|state| (state, count(state)))
        .filter(|(_, number)| *number > 0)
        .map(|(state, number)| {
            let mark = crate::commands::leaks::mark(state);
            style.paint(mark, &format!("{number} {}", state.name()))
        })
        .collect();
    if parts.is_empty() {
        style.paint(Mark::Green, "nothing grows without end")
    } else {
        parts.join(", ")
    }
}

fn tabs(model: &Model, style: Style) -> String {
    let names = [
        (Tab::Maps, "1 Maps"),
        (Tab::Places, "2 Places"),
        (Tab::Leaks, "3 Leaks"),
    ];
    let tabs: Vec<String> = names
        .into_iter()
        .map(|(tab, name)| {
            if tab == model.tab {
                style.reversed(&format!(" {name} "))
            } else {
                format!(" {name} ")
            }
        })
        .collect();
    let turned = if model.listing().is_reversed {
        "▲"
    } else {
        "▼"
    };
    let sorted = format!("sorted by {} {turned}", model.order());
    let filter = if model.is_filtering {
        format!("   filter: {}▏", printable(&model.filter))
    } else if model.filter.is_empty() {
        String::new()
    } else {
        format!("   filter: {}", printable(&model.filter))
    };
    format!(
        "{} {}{}",
        tabs.join(""),
        style.paint(Mark::Dim, &sorted),
        style.paint(Mark::Cyan, &filter)
    )
}

/// The table as far as there is room, and more of the row that is picked.
fn body(model: &Model, columns: usize, room: usize, style: Style) -> Vec<String> {
    let table = tables::table(model, columns);
    let mut styled = table.lines(style, Some(columns)).into_iter();
    let heads = styled.next().unwrap_or_default();
    let rows: Vec<String> = styled.collect();
    if rows.is_empty() {
        return vec![heads, style.paint(Mark::Dim, nothing(model))];
    }
    let plain = table.lines(Style::new(false), Some(columns));
    let picked = model.listing().picked;
    let more = detail::lines(model, columns);
    // On a low screen the table goes before the rest.
    let wanted = if room >= 12 { more.len() + 1 } else { 0 };
    let shown = room.saturating_sub(1 + wanted).max(1);
    let first = (picked + 1).saturating_sub(shown);
    let mut lines = vec![heads];
    for (place, row) in rows.iter().enumerate().skip(first).take(shown) {
        if place == picked {
            let plain = plain.get(place + 1).map_or("", String::as_str);
            let width = columns.saturating_sub(text::width(plain));
            lines.push(style.reversed(&format!("{plain}{}", " ".repeat(width))));
        } else {
            lines.push(row.clone());
        }
    }
    if wanted > 0 {
        lines.resize(room.saturating_sub(wanted), String::new());
        lines.push(style.paint(Mark::Dim, &"─".repeat(columns)));
        lines.extend(more);
    }
    lines
}

fn nothing(model: &Model) -> &'static str {
    match model.tab {
        _ if !model.filter.is_empty() => " No name contains the filter; Esc clears it.",
        Tab::Maps => " No map is tracked.",
        Tab::Places if model.places.is_none() => " Looking …",
        Tab::Places => " Nothing was sampled yet.",
        Tab::Leaks if model.leaks.is_none() => " This service gives no verdicts.",
        Tab::Leaks => " Nothing is watched yet.",
    }
}

fn help(style: Style) -> Vec<String> {
    let line = |(keys, what): (&str, &str)| {
        format!(
            "  {} {what}",
            style.paint(Mark::Bold, &format!("{keys:<24}"))
        )
    };
    std::iter::once(String::new())
        .chain(HELP.map(line))
        .collect()
}

fn foot(model: &Model, style: Style) -> String {
    let rows = model.rows();
    let place = match rows {
        0 => String::new(),
        _ => format!(
            "{} of {}   ",
            model.listing().picked + 1,
            amount::count(rows as i128)
        ),
    };
    let keys = "? help  Tab view  s sort  / filter  p pause  q quit";
    style.paint(Mark::Dim, &format!(" {place}{keys}"))
}

/// At most so many columns of a line with marks; those do not count.
fn clipped(line: &str, columns: usize) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut taken = 0;
    let mut rest = line;
    while let Some(at) = rest.find('\u{1b}') {
        let (text, escape) = rest.split_at(at);
        let part = text::prefix(text, columns - taken);
        taken += text::width(part);
        shown.push_str(part);
        let end = escape.find('m').map_or(escape.len(), |end| end + 1);
        let (escape, behind) = escape.split_at(end);
        shown.push_str(escape);
        rest = behind;
    }
    shown.push_str(text::prefix(rest, columns - taken));
    shown
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

    use super::super::look::Look;
    use super::*;
    use crate::address::Address;
    use crate::leaks_page;
    use crate::maps_page::Page;

    const MAPS: &str = r#"{"groups_count":2,"process":{"resident_bytes":52428800,"memory_limit_bytes":null},
        "maps":[{"name":"sessions","instances_count":1,"entries_count":120000,"heap_bytes":31457280.0,
        "growth_entries_per_second":20.0,"seconds_to_limit":7200.0,"table_bytes":1048576},
        {"name":"größer 日本","instances_count":3,"entries_count":5,"heap_bytes":null}]}"#;

    const LEAKS: &str = r#"{"state":"leak","verdicts":[{"kind":"map","name":"sessions","state":"leak",
        "sentence":"sessions grows by 1,200 entries a minute and loses none.",
        "growth":{"entries_per_minute":1200.0,"bytes_per_minute":314572.8}}]}"#;

    fn model() -> Model {
        let address = Address::parse("127.0.0.1:6060").expect("an address");
        let mut model = Model::new(&address, Duration::from_secs(2));
        let page: Page = serde_json::from_str(MAPS).expect("maps");
        let leaks: leaks_page::Page = serde_json::from_str(LEAKS).expect("verdicts");
        model.take(Look {
            at: SystemTime::UNIX_EPOCH + Duration::from_secs(3600),
            maps: Ok((page, serde_json::Value::Null)),
            leaks: Some((leaks, serde_json::Value::Null)),
            heap: None,
        });
        model
    }

    fn press(model: &mut Model, codes: &[KeyCode]) {
        for &code in codes {
            model.key(KeyEvent::new(code, KeyModifiers::NONE));
        }
    }

    fn shown(model: &Model) -> String {
        frame(model, (110, 20), Style::new(false)).join("\n")
    }

    #[test]
    fn no_size_is_too_small_or_too_large() {
        let mut model = model();
        for tab in ['1', '2', '3', '?'] {
            press(&mut model, &[KeyCode::Char(tab)]);
            for (columns, rows) in [(1, 1), (2, 3), (10, 5), (40, 12), (80, 24), (400, 100)] {
                for style in [Style::new(false), Style::new(true)] {
                    let lines = frame(&model, (columns, rows), style);
                    assert_eq!(lines.len(), rows, "{columns}×{rows}");
                    for line in lines {
                        let plain = anstyle_stripped(&line);
                        assert!(text::width(&plain) <= columns, "{columns}: {plain:?}");
                    }
                }
            }
            press(&mut model, &[KeyCode::Esc]);
        }
    }

    fn anstyle_stripped(line: &str) -> String {
        let mut parts = line.split('\u{1b}');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            text + part.split_once('m').map_or("", |(_, rest)| rest)
        })
    }

    #[test]
    fn rows_are_sorted_and_filtered() {
        let mut model = model();
        let first = |model: &Model| model.maps().first().map(|group| group.name.clone());
        assert_eq!(first(&model).as_deref(), Some("sessions"));
        press(&mut model, &[KeyCode::Char('r')]);
        assert_eq!(first(&model).as_deref(), Some("größer 日本"));
        press(&mut model, &[KeyCode::Char('r'), KeyCode::Char('S')]);
        assert_eq!(model.order(), "MAP");
        assert_eq!(first(&model).as_deref(), Some("größer 日本"));
        press(
            &mut model,
            &[KeyCode::Char('/'), KeyCode::Char('S'), KeyCode::Char('e')],
        );
        assert!(shown(&model).contains("filter: Se▏"), "{}", shown(&model));
        press(&mut model, &[KeyCode::Enter]);
        assert_eq!(model.rows(), 1);
        press(
            &mut model,
            &[KeyCode::Char('/'), KeyCode::Char('q'), KeyCode::Enter],
        );
        assert!(shown(&model).contains("No name contains the filter"));
        press(&mut model, &[KeyCode::Esc]);
        assert_eq!(model.rows(), 2);
    }

    #[test]
    fn what_is_picked_is_told_of() {
        let mut model = model();
        assert!(shown(&model).contains("loses none"), "{}", shown(&model));
        press(&mut model, &[KeyCode::Down, KeyCode::Down, KeyCode::Down]);
        assert_eq!(model.listing().picked, 1);
        assert!(
            shown(&model).contains("größer 日本: 3 maps"),
            "{}",
            shown(&model)
        );
        press(&mut model, &[KeyCode::Char('3')]);
        assert!(shown(&model).contains("leak"), "{}", shown(&model));
        assert!(shown(&model).contains("+307.2 KiB"), "{}", shown(&model));
    }

    #[test]
    fn a_failed_look_is_told_and_what_was_known_stays() {
        let mut model = model();
        model.take(Look {
            at: SystemTime::UNIX_EPOCH,
            maps: Err("cannot connect".to_owned()),
            leaks: None,
            heap: None,
        });
        let shown = shown(&model);
        assert!(
            shown.contains("no answer") && shown.contains("cannot connect"),
            "{shown}"
        );
        assert!(shown.contains("sessions"), "{shown}");
    }
}
