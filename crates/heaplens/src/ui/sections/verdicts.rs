//! The verdicts, each with its evidence in words and numbers.

use serde_json::Value;

use crate::params;
use crate::ui::Place;
use crate::ui::document::{bytes, clock, flag, lasting, list, number, text};
use crate::ui::html::Html;
use crate::ui::state::State;
use crate::units;

/// Verdicts that are shown one by one.
const SHOWN: usize = 20;

/// Writes all verdicts that say something, or those on one map.
pub(in crate::ui) fn render(
    html: &mut Html,
    leaks: Option<&Value>,
    map: Option<&str>,
    place: Place,
) {
    html.raw("<section id=\"verdicts\" class=\"panel\" aria-labelledby=\"verdicts-h\"><h2 id=\"verdicts-h\">");
    html.raw(if map.is_some() { "Verdict" } else { "Verdicts" });
    html.raw("</h2>\n");
    match leaks {
        None => {
            html.raw("<p class=\"empty\">There are no verdicts yet. An agent judges each map and each site once it has watched it for some minutes: whether it leaks, since when, how fast and from where. Routes that are mounted without an agent have none.</p>\n");
        }
        Some(leaks) => judged(html, leaks, map, place),
    }
    html.raw("</section>\n");
}

fn judged(html: &mut Html, leaks: &Value, map: Option<&str>, place: Place) {
    let all = list(leaks, "/verdicts");
    let is_meant = |of: &&Value| match map {
        Some(name) => text(of, "/kind") == Some("map") && text(of, "/name") == Some(name),
        None => state(of) > State::Ok,
    };
    let shown: Vec<&Value> = all.iter().filter(is_meant).collect();
    for (index, verdict) in shown.iter().take(SHOWN).enumerate() {
        one(html, verdict, index == 0, place);
    }
    if shown.is_empty() {
        html.raw("<p class=\"empty\">");
        html.raw(if map.is_some() {
            "This map is not judged yet: that takes some minutes of its history."
        } else {
            "Nothing to report: no map and no site grows that should not."
        });
        html.raw("</p>\n");
    } else if shown.len() > SHOWN {
        html.raw("<p class=\"note\">").text(shown.len() - SHOWN);
        html.raw(" more at <a href=\"").raw(place.root);
        html.raw("leaks?format=text\">leaks</a>.</p>\n");
    }
}

/// The state of a verdict.
pub(super) fn state(verdict: &Value) -> State {
    State::named(text(verdict, "/state").unwrap_or_default())
}

/// The first one is there in full, the others on request.
fn one(html: &mut Html, verdict: &Value, is_first: bool, place: Place) {
    let (state, name) = (state(verdict), text(verdict, "/name").unwrap_or_default());
    let is_map = text(verdict, "/kind") == Some("map");
    html.raw("<article class=\"verdict ")
        .raw(state.class())
        .raw("\" data-key=\"");
    html.text(text(verdict, "/kind").unwrap_or_default())
        .raw(" ")
        .text(name);
    html.raw("\"><h3>");
    state.badge(html);
    html.raw(" <span class=\"kind\">");
    html.raw(if is_map { "map" } else { "site" })
        .raw("</span> ");
    if is_map {
        html.raw("<a href=\"")
            .raw(place.root)
            .raw("?map=")
            .text(params::escape(name));
        html.raw("\">").text(name).raw("</a>");
    } else {
        html.raw("<code>").text(name).raw("</code>");
    }
    html.raw("</h3>\n");
    if let Some(sentence) = text(verdict, "/sentence") {
        html.raw("<p>").sentence(sentence).raw("</p>\n");
    }
    html.raw(if is_first {
        "<details open>"
    } else {
        "<details>"
    });
    html.raw("<summary>Figures and evidence</summary>\n");
    facts(html, verdict);
    origins(html, verdict);
    if let Some(suggestion) = text(verdict, "/suggestion") {
        html.raw("<p class=\"suggestion\">")
            .text(suggestion)
            .raw("</p>\n");
    }
    evidence(html, list(verdict, "/evidence"));
    html.raw("</details></article>\n");
}

fn facts(html: &mut Html, verdict: &Value) {
    let rate = |pointer: &str| number(verdict, pointer).map(crate::ui::document::rate);
    let entries = rate("/growth/entries_per_minute").map(|rate| {
        match (
            self::rate(verdict, "/growth/low"),
            self::rate(verdict, "/growth/high"),
        ) {
            (Some(low), Some(high)) => format!("{rate} a minute ({low} to {high})"),
            _ => format!("{rate} a minute"),
        }
    });
    let a_minute = number(verdict, "/growth/bytes_per_minute");
    let share = number(verdict, "/share_of_growth").map(|of| format!("{:.0} %", of * 100.0));
    let known = [
        (
            "Since",
            text(verdict, "/since")
                .and_then(clock)
                .map(|at| format!("{at} UTC")),
        ),
        ("Entries", entries),
        (
            "Bytes",
            a_minute.map(|of| format!("{} a minute", units::bytes(of))),
        ),
        ("Holds", bytes(verdict, "/bytes")),
        ("Share of growth", share),
        (
            "Limit in",
            number(verdict, "/seconds_to_limit").and_then(lasting),
        ),
        ("Retained", bytes(verdict, "/retained/bytes")),
    ];
    html.raw("<dl class=\"facts\">");
    for (name, value) in known {
        if let Some(value) = value {
            html.raw("<div><dt>")
                .raw(name)
                .raw("</dt><dd>")
                .text(value)
                .raw("</dd></div>");
        }
    }
    html.raw("</dl>\n");
}

fn rate(document: &Value, pointer: &str) -> Option<String> {
    number(document, pointer).map(crate::ui::document::rate)
}

fn origins(html: &mut Html, verdict: &Value) {
    let sites = list(verdict, "/filled_from");
    if !sites.is_empty() {
        html.raw("<p class=\"origin\">Filled from");
        for (index, site) in sites.iter().take(3).enumerate() {
            html.raw(if index == 0 { " " } else { ", " });
            html.raw("<code>")
                .text(text(site, "/site").unwrap_or_default())
                .raw("</code>");
            if let Some(each) = bytes(site, "/bytes_per_entry") {
                html.raw(" (").text(each).raw(" an entry)");
            }
        }
        html.raw("</p>\n");
    }
    if let Some(map) = text(verdict, "/explained_by") {
        html.raw("<p class=\"origin\">Explained by the map <b>")
            .text(map)
            .raw("</b>.</p>\n");
    }
}

fn evidence(html: &mut Html, windows: &[Value]) {
    if windows.is_empty() {
        return;
    }
    html.raw("<div class=\"evidence\">\n");
    for window in windows {
        html.raw("<h4>");
        let length = number(window, "/window_seconds").and_then(lasting);
        html.text(length.unwrap_or_default()).raw(" window: ");
        html.raw(if flag(window, "/holds") {
            "holds"
        } else {
            "does not hold"
        });
        html.raw("</h4>\n<ul>");
        for gate in list(window, "/gates") {
            let passed = flag(gate, "/passed");
            html.raw(if passed {
                "<li class=\"yes\">"
            } else {
                "<li class=\"no\">"
            });
            html.raw(if passed { "<b>yes</b> " } else { "<b>no</b> " });
            let said = text(gate, "/says").or_else(|| text(gate, "/gate"));
            html.text(said.unwrap_or_default()).raw("</li>");
        }
        html.raw("</ul>\n");
    }
    html.raw("</div>\n");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HERE: Place = Place {
        root: "",
        mounted: false,
    };

    fn said(leaks: Option<&Value>, map: Option<&str>) -> String {
        let mut html = Html::default();
        render(&mut html, leaks, map, HERE);
        html.into_string()
    }

    fn leaks() -> Value {
        json!({"state": "leak", "verdicts": [
            {"kind": "map", "name": "a/b", "state": "leak", "since": "2026-11-22T08:14:00Z",
             "bytes": 1_048_576, "growth": {"entries_per_minute": 120.0, "low": 110.0, "high": 130.0, "bytes_per_minute": 2048.0},
             "share_of_growth": 0.4, "seconds_to_limit": 7200,
             "filled_from": [{"site": "f at a.rs:1", "bytes_per_entry": 100}],
             "sentence": "a/b grows.", "suggestion": "Bound it.",
             "evidence": [{"window_seconds": 1800, "holds": true, "gates": [
                {"gate": "trend", "passed": true, "says": "it rises"}, {"gate": "floor", "passed": false}]}]},
            {"kind": "map", "name": "c", "state": "ok"},
            {"kind": "site", "name": "g at b.rs:2", "state": "suspect", "explained_by": "a/b"},
        ]})
    }

    #[test]
    fn what_since_when_how_fast_and_where_from() {
        let html = said(Some(&leaks()), None);
        for part in [
            "s-leak",
            ">Leak</span>",
            "href=\"?map=a%2Fb\"",
            "08:14:00 UTC",
            "+120 a minute (+110 to +130)",
            "2.0 KiB a minute",
            "1.0 MiB",
            "40 %",
            "2h00m",
            "f at a.rs:1",
            "100 B an entry",
            "Bound it.",
            "30m00s window: holds",
            "<b>yes</b> it rises",
            "<b>no</b> floor",
            "s-suspect",
            "<code>g at b.rs:2</code>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains(">c</a>"), "what is well is not listed");
    }

    #[test]
    fn of_one_map() {
        let html = said(Some(&leaks()), Some("c"));
        assert!(
            html.contains(">OK</span>") && !html.contains("a/b"),
            "{html}"
        );
        assert!(said(Some(&leaks()), Some("d")).contains("not judged yet"));
    }

    #[test]
    fn nothing_and_not_recorded_are_told_apart() {
        assert!(said(None, None).contains("no verdicts yet"));
        let well = json!({"state": "ok", "verdicts": []});
        assert!(said(Some(&well), None).contains("Nothing to report"));
    }
}
