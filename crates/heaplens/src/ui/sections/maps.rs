//! The tracked maps, a row each.

use serde_json::Value;

use crate::params;
use crate::ui::Place;
use crate::ui::document::{a_minute, bytes, count, duration, list, number, text};
use crate::ui::html::Html;
use crate::ui::judged::Judged;
use crate::ui::state::State;

/// Name for the sort, head, whether it is a number, what it means.
const COLUMNS: [(&str, &str, bool, &str); 9] = [
    ("name", "Map", false, "name, or place where it is made"),
    ("state", "State", false, "the verdict on it"),
    (
        "bytes",
        "Heap",
        true,
        "tables, and what keys and values own, with standard error",
    ),
    ("entries", "Entries", true, "in all maps of this name"),
    (
        "growth",
        "Entries/min",
        true,
        "growth over the last minutes",
    ),
    (
        "trend",
        "Trend",
        false,
        "entries as far back as is recorded",
    ),
    (
        "oldest",
        "Oldest",
        true,
        "age of the oldest sampled block of an entry",
    ),
    (
        "removes",
        "Removed",
        true,
        "of all inserted, since the start",
    ),
    (
        "limit",
        "Limit in",
        true,
        "if it goes on growing as it does",
    ),
];

/// Writes the table.
pub(in crate::ui) fn render(
    html: &mut Html,
    maps: Option<&Value>,
    judged: Option<&Judged>,
    place: Place,
) {
    html.raw("<section id=\"maps\" class=\"panel wide\" aria-labelledby=\"maps-h\"><div class=\"head\"><h2 id=\"maps-h\">Maps and caches</h2><div class=\"tools\" data-for=\"maps-table\"></div></div>\n");
    let rows = maps.map(|of| list(of, "/maps")).unwrap_or_default();
    if rows.is_empty() {
        html.raw("<p class=\"empty\">");
        html.raw(if maps.is_some() {
            "No maps are tracked. Make one of <code>heaplens::TrackedHashMap::named(\"sessions\")</code> where it was <code>HashMap::new()</code>, and it is listed here."
        } else {
            "Not to be had just now: too many other requests are waiting."
        });
        html.raw("</p>\n");
    } else {
        html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Maps and caches\"><table id=\"maps-table\" data-sort=\"bytes\"><thead><tr>");
        head(html, &COLUMNS);
        html.raw("</tr></thead>\n<tbody>\n");
        for map in rows {
            row(html, map, judged, place);
        }
        html.raw("</tbody></table></div>\n<div class=\"rest\"></div>\n");
    }
    html.raw("</section>\n");
}

/// The head of a table that scripts make sortable.
pub(super) fn head(html: &mut Html, columns: &[(&'static str, &'static str, bool, &'static str)]) {
    for (name, head, is_number, title) in columns {
        html.raw("<th scope=\"col\" data-col=\"")
            .raw(name)
            .raw("\" title=\"")
            .raw(title);
        html.raw(if *is_number { "\" class=\"n\">" } else { "\">" })
            .raw(head)
            .raw("</th>");
    }
}

/// A cell with a number to sort by.
pub(super) fn cell(html: &mut Html, value: Option<f64>, shown: Option<String>) {
    html.raw("<td class=\"n\" data-v=\"");
    if let Some(value) = value {
        html.text(value);
    }
    html.raw("\">").known(shown).raw("</td>");
}

fn row(html: &mut Html, map: &Value, judged: Option<&Judged>, place: Place) {
    let name = text(map, "/name").unwrap_or_default();
    let state = judged.and_then(|of| of.of_map(name));
    let state = state.map(|of| State::from(of.verdict.state));
    html.raw("<tr data-key=\"")
        .text(name)
        .raw("\"><th scope=\"row\"><a href=\"")
        .raw(place.root);
    html.raw("?map=")
        .text(params::escape(name))
        .raw("\">")
        .text(name)
        .raw("</a></th><td data-v=\"");
    html.text(state.map_or(0, |of| of as u8)).raw("\">");
    match state {
        Some(state) => state.badge(html),
        None => drop(html.known(None::<&str>)),
    }
    html.raw("</td>");
    let heap = "/heap_bytes";
    let error = bytes(map, "/heap_stderr_bytes");
    estimate(html, number(map, heap), bytes(map, heap), error);
    cell(
        html,
        number(map, "/entries_count"),
        count(map, "/entries_count"),
    );
    let growth = "/growth_entries_per_second";
    cell(html, number(map, growth), a_minute(map, growth));
    html.raw("<td class=\"spark\" data-js=\"spark\"></td>");
    let oldest = "/oldest_entry_age_seconds";
    cell(html, number(map, oldest), duration(map, oldest));
    let inserts = number(map, "/inserts_count").filter(|of| *of > 0.0);
    let gone = number(map, "/removes_count")
        .zip(inserts)
        .map(|of| of.0 / of.1);
    cell(html, gone, gone.map(|of| format!("{:.0} %", of * 100.0)));
    let limit = "/seconds_to_limit";
    cell(html, number(map, limit), duration(map, limit));
    html.raw("</tr>\n");
}

/// A cell with an estimate and its standard error, each below that of the row above.
pub(super) fn estimate(
    html: &mut Html,
    value: Option<f64>,
    shown: Option<String>,
    error: Option<String>,
) {
    html.raw("<td class=\"n\" data-v=\"");
    if let Some(value) = value {
        html.text(value);
    }
    html.raw("\">").known(shown);
    html.error(error.filter(|error| error != "0 B"))
        .raw("</td>");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::leaks::{Kind, State as Found};
    use crate::ui::judged::Told;

    const HERE: Place = Place {
        root: "",
        mounted: false,
    };

    fn said(maps: Option<&Value>, judged: Option<&Judged>) -> String {
        let mut html = Html::default();
        render(&mut html, maps, judged, HERE);
        html.into_string()
    }

    fn map(name: &str) -> Value {
        json!({"name": name, "heap_bytes": 2_097_152.0, "heap_stderr_bytes": 1024.0, "entries_count": 1234,
               "growth_entries_per_second": 2.0, "oldest_entry_age_seconds": 61.0, "inserts_count": 100,
               "removes_count": 25, "seconds_to_limit": null})
    }

    #[test]
    fn a_row_tells_figures_and_state() {
        let maps = json!({"maps": [map("sessions")]});
        let judged = Judged {
            all: vec![
                Told::plain(Kind::Site, "sessions", Found::Leak),
                Told::plain(Kind::Map, "sessions", Found::Growing),
            ],
            ..Judged::default()
        };
        let html = said(Some(&maps), Some(&judged));
        for part in [
            "2.0 MiB<small class=\"err\"> ± 1.0 KiB</small>",
            "1,234",
            "+120",
            "1m01s",
            "25 %",
            ">Growing</span>",
            "title=\"not known\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(said(Some(&maps), None).contains("<td data-v=\"0\"><span class=\"unknown\""));
    }

    #[test]
    fn no_maps_and_no_answer() {
        assert!(said(Some(&json!({"maps": []})), None).contains("No maps are tracked"));
        assert!(said(None, None).contains("Not to be had just now"));
    }

    proptest! {
        /// Whatever a map is called, the table is well formed, says the name and
        /// nothing but the name.
        #[test]
        fn names_stay_text(name in "(?s).{0,40}|[<>&\"'/= a-z\u{0}-\u{1f}]{0,40}") {
            let html = said(Some(&json!({"maps": [map(&name)]})), None);
            let document = roxmltree::Document::parse(&html).expect("well formed");
            let rows: Vec<_> = document.descendants().filter(|of| of.has_tag_name("tr")).collect();
            prop_assert_eq!(rows.len(), 2);
            let link = rows[1].descendants().find(|of| of.has_tag_name("a")).expect("a link");
            let plain = !name.chars().any(|of| of.is_control() || of == '\u{feff}' || ('\u{200b}'..='\u{206f}').contains(&of));
            if plain {
                prop_assert_eq!(link.text().unwrap_or_default(), name.as_str());
            }
            let query = link.attribute("href").expect("an address").strip_prefix("?").expect("relative").to_owned();
            let asked = params::strict_pairs(Some(&query), &["map"]).expect("well formed");
            prop_assert_eq!(&asked[0].1, &name);
        }
    }
}
