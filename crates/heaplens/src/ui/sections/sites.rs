//! The lines of the program that hold the most, each with its standard error.

use serde_json::Value;

use super::maps::{cell, estimate, head};
use crate::params;
use crate::ui::Place;
use crate::ui::document::{bytes, count, list, number, text};
use crate::ui::html::Html;

/// Columns that say something of what one map holds: what was ever allocated is
/// not known by map.
const OF_A_MAP: usize = 4;

/// Rows of the table.
const SHOWN: usize = 50;

const COLUMNS: [(&str, &str, bool, &str); 6] = [
    (
        "site",
        "Function and line",
        false,
        "the innermost function of the program's own code",
    ),
    (
        "bytes",
        "In use",
        true,
        "estimated bytes in use, with standard error",
    ),
    ("share", "Share", true, "of all that is in use"),
    (
        "objects",
        "Blocks",
        true,
        "estimated number of blocks in use",
    ),
    (
        "alloc",
        "Ever allocated",
        true,
        "estimated bytes since the start",
    ),
    ("held", "Held by", false, "tracked maps that hold it"),
];

/// Writes the table.
pub(in crate::ui) fn render(
    html: &mut Html,
    sites: Option<&Value>,
    installed: bool,
    of_map: bool,
    place: Place,
) {
    html.raw("<section id=\"sites\" class=\"panel wide\" aria-labelledby=\"sites-h\"><div class=\"head\"><h2 id=\"sites-h\">Where it was allocated</h2><div class=\"tools\" data-for=\"sites-table\"></div></div>\n");
    let rows = sites.map(|of| list(of, "/sites")).unwrap_or_default();
    let held = rows
        .iter()
        .filter(|of| number(of, "/values/inuse_space/value") > Some(0.0));
    let shown: Vec<&Value> = held.take(SHOWN).collect();
    if shown.is_empty() {
        html.raw("<p class=\"empty\">");
        html.raw(match (sites.is_some(), installed) {
            (true, _) => "Nothing of it is sampled yet: small blocks rarely are, and none while sampling is off.",
            (false, true) => "Functions are still being named, which takes some seconds the first time. Reload, or see ",
            (false, false) => "Nothing is sampled in this program; see the first line.",
        });
        if sites.is_none() && installed {
            html.raw("<a href=\"")
                .raw(place.root)
                .raw("heap?format=text\">the text</a>.");
        }
        html.raw("</p>\n");
    } else {
        html.raw("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Where it was allocated\"><table id=\"sites-table\" data-sort=\"bytes\"><thead><tr>");
        let columns = if of_map { OF_A_MAP } else { COLUMNS.len() };
        head(html, COLUMNS.get(..columns).unwrap_or_default());
        html.raw("</tr></thead>\n<tbody>\n");
        let total = sites.and_then(|of| number(of, "/totals/inuse_space/value"));
        for site in shown {
            row(html, site, total);
            if !of_map {
                whole(html, site, place);
            }
            html.raw("</tr>\n");
        }
        html.raw("</tbody></table></div>\n<div class=\"rest\"></div>\n");
    }
    html.raw("</section>\n");
}

fn row(html: &mut Html, site: &Value, total: Option<f64>) {
    let function = text(site, "/function").unwrap_or("(no name known)");
    let file = text(site, "/file").map(short);
    let line = number(site, "/line");
    html.raw("<tr data-key=\"")
        .text(function)
        .raw(" ")
        .text(line.unwrap_or(0.0));
    let (modules, name) = parted(function);
    html.raw("\"><th scope=\"row\" class=\"fn\"><code><span class=\"path\">")
        .text(modules);
    html.raw("</span>").text(name).raw("</code>");
    if let Some(file) = file {
        let (package, file) = file.split_at(file.find("/src/").map_or(0, |at| at + 5));
        html.raw("<span class=\"at\"><span class=\"path\">")
            .text(package);
        html.raw("</span>").text(file);
        if let Some(line) = line {
            html.raw(":").text(line);
        }
        html.raw("</span>");
    }
    html.raw("</th>");
    let value = number(site, "/values/inuse_space/value");
    let shown = bytes(site, "/values/inuse_space/value");
    let error = bytes(site, "/values/inuse_space/standard_error");
    estimate(html, value, shown, error);
    let share = value
        .zip(total)
        .filter(|of| of.1 > 0.0)
        .map(|of| of.0 / of.1);
    cell(html, share, share.map(|of| format!("{:.1} %", of * 100.0)));
    let objects = "/values/inuse_objects/value";
    cell(html, number(site, objects), count(site, objects));
}

/// What is known of the whole heap only.
fn whole(html: &mut Html, site: &Value, place: Place) {
    let allocated = "/values/alloc_space/value";
    cell(html, number(site, allocated), bytes(site, allocated));
    html.raw("<td>");
    let labels = list(site, "/labels").iter();
    let maps = labels.filter(|of| text(of, "/key") == Some("map"));
    for (index, name) in maps.filter_map(|of| text(of, "/value")).enumerate() {
        html.raw(if index > 0 {
            ", <a href=\""
        } else {
            "<a href=\""
        })
        .raw(place.root);
        html.raw("?map=")
            .text(params::escape(name))
            .raw("\">")
            .text(name)
            .raw("</a>");
    }
    html.raw("</td>");
}

/// What leads to a function, and its own name with its closures.
fn parted(function: &str) -> (&str, &str) {
    let own = function.split("::{{").next().unwrap_or_default();
    let (mut depth, mut begin, mut before) = (0_usize, 0, ' ');
    for (at, letter) in own.char_indices() {
        match letter {
            '<' => depth += 1,
            // An arrow is no bracket.
            '>' if before != '-' => depth = depth.saturating_sub(1),
            ':' if depth == 0 && before == ':' => begin = at + 1,
            _ => {}
        }
        before = letter;
    }
    function.split_at(begin)
}

/// The last parts of a path, which tell files of a program apart.
fn short(file: &str) -> &str {
    let at = file.rfind("/src/").map_or(0, |at| {
        file.get(..at)
            .and_then(|of| of.rfind('/'))
            .map_or(0, |slash| slash + 1)
    });
    file.get(at..).unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HERE: Place = Place {
        root: "",
        mounted: false,
    };

    fn said(sites: Option<&Value>, installed: bool) -> String {
        let mut html = Html::default();
        render(&mut html, sites, installed, false, HERE);
        html.into_string()
    }

    #[test]
    fn a_row_tells_the_line_the_error_and_who_holds_it() {
        let sites = json!({
            "totals": {"inuse_space": {"value": 4096}},
            "sites": [
                {"function": "svc::<impl X>::f", "file": "/home/a/svc/src/cases/x.rs", "line": 41,
                 "values": {"inuse_space": {"value": 1024, "standard_error": 512.0},
                            "inuse_objects": {"value": 3}, "alloc_space": {"value": 2048}},
                 "labels": [{"key": "map", "value": "a&b", "share": 1.0}, {"key": "tenant", "value": "x"}]},
                {"function": "svc::gone", "values": {"inuse_space": {"value": 0}}},
            ]
        });
        let html = said(Some(&sites), true);
        for part in [
            "<span class=\"path\">svc::&lt;impl X&gt;::</span>f<",
            "svc/src/</span>cases/x.rs:41</span>",
            "1.0 KiB<small class=\"err\"> ± 512 B</small>",
            "25.0 %",
            "2.0 KiB",
            "?map=a%26b",
            "a&amp;b",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains("svc::gone") && !html.contains("tenant"));
    }

    #[test]
    fn modules_are_told_from_names() {
        assert_eq!(parted("a::b::c"), ("a::b::", "c"));
        assert_eq!(parted("a::b::{{closure}}"), ("a::", "b::{{closure}}"));
        assert_eq!(parted("a::b<c::d>::e"), ("a::b<c::d>::", "e"));
        assert_eq!(
            parted("<a::b as c>::d::{{x}}::{{y}}"),
            ("<a::b as c>::", "d::{{x}}::{{y}}")
        );
        assert_eq!(parted("a<fn() -> b::c>::d"), ("a<fn() -> b::c>::", "d"));
        assert_eq!(parted("{{closure}}"), ("", "{{closure}}"));
        assert_eq!(parted("main"), ("", "main"));
        assert_eq!(parted(""), ("", ""));
    }

    #[test]
    fn three_reasons_for_an_empty_table() {
        let none = json!({"sites": []});
        assert!(said(Some(&none), true).contains("Nothing of it is sampled yet"));
        assert!(said(None, true).contains("still being named"));
        assert!(said(None, false).contains("Nothing is sampled in this program"));
    }

    #[test]
    fn paths_from_the_crate_on() {
        assert_eq!(short("/home/a/svc/src/b.rs"), "svc/src/b.rs");
        let registry = "/root/.cargo/registry/src/index.crates.io-1/tokio-1.54/src/sync/a.rs";
        assert_eq!(short(registry), "tokio-1.54/src/sync/a.rs");
        assert_eq!(short("/x/b.rs"), "/x/b.rs");
        assert_eq!(short("src/b.rs"), "src/b.rs");
        assert_eq!(short("/src/b.rs"), "/src/b.rs");
    }
}
