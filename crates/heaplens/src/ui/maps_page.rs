//! The document of one map: what it holds, since when, from where.

use super::document::{bytes, count, duration, text};
use super::documents::MapDocuments;
use super::html::Html;
use super::sections::{commands, flame, memory, sites, verdicts};
use super::shell::{self, About};
use super::{Part, Place};

/// Renders it, or the part that scripts ask for.
pub(super) fn render(name: &str, of: &MapDocuments, part: Part, place: Place) -> Html {
    let mut html = Html::default();
    let about = About {
        map: Some(name),
        recorded: of.recorded,
        watched: of.judged.is_some(),
    };
    shell::begin(&mut html, place, about);
    if part != Part::Sites {
        html.raw("<section id=\"state\" class=\"mapname\"><p class=\"crumb\"><a href=\"");
        html.raw(if place.root.is_empty() {
            "./"
        } else {
            place.root
        });
        html.raw("\">All maps</a></p><h1>").text(name).raw("</h1>");
        if let Some(site) = text(&of.map, "/site") {
            html.raw("<p>Made at <code>").text(site).raw("</code></p>");
        }
        html.raw("</section>\n<div class=\"columns\">\n");
        verdicts::render(&mut html, of.judged.as_ref(), Some(name), place);
        html.raw("<div class=\"stack\">\n");
        memory::of_map(&mut html, &of.map);
        if part == Part::All {
            retained(&mut html, of);
        }
        more(&mut html, of);
    }
    if part != Part::Live {
        let estimates = of.map.pointer("/contents").is_some_and(|of| !of.is_null());
        sites::render(&mut html, of.sites.as_ref(), estimates, true, place);
    }
    if part != Part::Sites {
        html.raw("</div></div>\n");
    }
    if part == Part::All {
        flame::render(&mut html, Some(name), place);
        commands::render(&mut html, Some(name), place);
    }
    shell::end(&mut html);
    html
}

/// What dropping it would free, exactly, if that was measured.
fn retained(html: &mut Html, of: &MapDocuments) {
    html.raw("<section id=\"retained\" class=\"panel\" aria-labelledby=\"retained-h\"><h2 id=\"retained-h\">What dropping it would free</h2>\n<div id=\"retained-view\"");
    html.raw(if of.measurable { " data-offered>" } else { ">" });
    let last = of.retained.as_ref();
    match last.filter(|of| text(of, "/state") == Some("done")) {
        Some(done) => {
            html.raw("<p class=\"big\">")
                .known(bytes(done, "/bytes"))
                .raw("</p><p class=\"note\">");
            html.known(count(done, "/blocks")).raw(" blocks, measured ");
            html.known(text(done, "/taken_at")).raw("</p>");
        }
        None if of.measurable => {
            html.raw("<p class=\"empty\">Not measured yet. It is measured exactly, by dropping the map in a copy of the process.</p>");
        }
        None => {
            html.raw("<p class=\"empty\">It can be measured exactly, by dropping the map in a copy of the process. That is off here, because it forks the process: switch it on by <code>Agent::builder().what_if_drop(true)</code> or <code>HEAPLENS_WHAT_IF_DROP=1</code>.</p>");
        }
    }
    html.raw("</div></section>\n");
}

/// All other figures.
fn more(html: &mut Html, of: &MapDocuments) {
    let map = &of.map;
    html.raw("<section id=\"more\" class=\"panel\" aria-labelledby=\"more-h\"><h2 id=\"more-h\">In detail</h2>\n<div id=\"ages\"></div>");
    let figures = [
        ("Maps of this name", count(map, "/instances_count")),
        ("Largest one", count(map, "/entries_max_instance_count")),
        ("Capacity", count(map, "/capacity_entries_count")),
        ("Tables", bytes(map, "/table_bytes")),
        ("Of it to spare", bytes(map, "/capacity_waste_bytes")),
        ("Inserted", count(map, "/inserts_count")),
        ("Removed", count(map, "/removes_count")),
        ("Declared bound", count(map, "/max_entries_count")),
        (
            "Declared time to live",
            duration(map, "/expected_ttl_seconds"),
        ),
        ("Samples in it", count(map, "/contents/samples_count")),
        ("Cache hits", count(map, "/cache/hits_count")),
        ("Cache misses", count(map, "/cache/misses_count")),
        ("Evicted", count(map, "/cache/evicted_count")),
    ];
    html.facts(figures).raw("</section>\n");
}
