//! What the process takes of memory: figures, and the place of the chart.

use serde_json::Value;

use crate::ui::document::{a_minute, bytes, count, duration, list, number};
use crate::ui::documents::Documents;
use crate::ui::html::Html;
use crate::units;

/// Writes the figures.
pub(in crate::ui) fn render(html: &mut Html, of: &Documents) {
    let nothing = Value::Null;
    let memstats = of.memstats.as_ref().unwrap_or(&nothing);
    let maps = of.maps.as_ref().unwrap_or(&nothing);
    html.raw("<section id=\"memory\" class=\"panel\" aria-labelledby=\"memory-h\"><h2 id=\"memory-h\">Memory of the process</h2>\n<dl id=\"figures\" class=\"figures\"");
    data(
        html,
        memstats,
        &[
            (" data-at=\"", "/heaplens/taken_at_seconds"),
            (" data-allocated=\"", "/allocator/allocated"),
            (" data-active=\"", "/allocator/active"),
            (" data-retained=\"", "/allocator/retained"),
        ],
    );
    data(
        html,
        maps,
        &[
            (" data-resident=\"", "/process/resident_bytes"),
            (" data-limit=\"", "/process/memory_limit_bytes"),
        ],
    );
    html.raw(">");
    let resident = bytes(maps, "/process/resident_bytes");
    let resident = resident.or_else(|| bytes(memstats, "/allocator/resident"));
    figure(
        html,
        "Allocated",
        "in use by the program, as the allocator counts",
        bytes(memstats, "/allocator/allocated"),
    );
    figure(
        html,
        "Active",
        "pages that hold anything of it",
        bytes(memstats, "/allocator/active"),
    );
    figure(
        html,
        "Resident",
        "what the process takes of physical memory",
        resident,
    );
    figure(
        html,
        "Retained",
        "address space kept for later; takes no memory",
        bytes(memstats, "/allocator/retained"),
    );
    let limit = bytes(maps, "/process/memory_limit_bytes");
    figure(
        html,
        "Limit",
        "the tightest limit of the control groups",
        limit.or(Some("none".to_owned())),
    );
    estimated(
        html,
        "Sampled",
        "estimated bytes in use, by what was sampled; with standard error",
        bytes(memstats, "/heaplens/inuse/space_bytes"),
        bytes(memstats, "/heaplens/inuse/space_stderr_bytes"),
    );
    html.raw("</dl>\n<div id=\"chart\" class=\"chart\"></div>\n<noscript><p class=\"note\">The chart needs JavaScript.</p></noscript>\n");
    profiler(html, memstats);
    html.raw("</section>\n");
}

/// Figures for the scripts, which draw them as they come.
fn data(html: &mut Html, document: &Value, figures: &[(&'static str, &str)]) {
    for (attribute, pointer) in figures {
        if let Some(value) = number(document, pointer) {
            html.raw(attribute).text(value).raw("\"");
        }
    }
}

/// A name, what it means, and a value.
pub(super) fn figure(
    html: &mut Html,
    name: &'static str,
    title: &'static str,
    value: Option<String>,
) {
    estimated(html, name, title, value, None);
}

/// The same with a standard error.
fn estimated(
    html: &mut Html,
    name: &'static str,
    title: &'static str,
    value: Option<String>,
    error: Option<String>,
) {
    html.raw("<div title=\"")
        .raw(title)
        .raw("\"><dt>")
        .raw(name);
    html.raw("</dt><dd>").known(value);
    if error.is_some() {
        html.error(error);
    }
    html.raw("</dd></div>");
}

/// What the profiler itself takes, in a line.
fn profiler(html: &mut Html, memstats: &Value) {
    let of = |name: &str| format!("/heaplens/{name}");
    let mut parts: Vec<String> = Vec::new();
    if let Some(interval) = number(memstats, &of("sample_interval_bytes")) {
        parts.push(match interval {
            0.0 => "sampling is off".to_owned(),
            _ => format!("one sample in {}", units::bytes(interval)),
        });
    }
    if let Some(live) = count(memstats, &of("live_samples_count")) {
        parts.push(format!("{live} live samples"));
    }
    if let (Some(used), Some(budget)) = (
        bytes(memstats, &of("memory_used_bytes")),
        bytes(memstats, &of("memory_budget_bytes")),
    ) {
        parts.push(format!("{used} of {budget} used for them"));
    }
    let lasting = elapsed(memstats);
    if let (Some(busy), Some(lasting)) = (number(memstats, &of("sampling_seconds")), lasting) {
        parts.push(format!("{:.3} % of a core spent", busy / lasting * 100.0));
    }
    let drops = memstats.pointer(&of("drops")).and_then(Value::as_object);
    let drops: f64 = drops.map_or(0.0, |of| of.values().filter_map(Value::as_f64).sum());
    if drops > 0.0 {
        parts.push(format!(
            "{} samples lost: figures are too low",
            units::count(drops as u64)
        ));
    }
    if !parts.is_empty() {
        html.raw("<p id=\"profiler\" class=\"note\">The profiler: ")
            .text(parts.join(" · "));
        html.raw("</p>\n");
    }
}

fn elapsed(memstats: &Value) -> Option<f64> {
    let since = number(memstats, "/heaplens/since_seconds")?;
    let lasting = number(memstats, "/heaplens/taken_at_seconds")? - since;
    (lasting > 0.0).then_some(lasting)
}

/// The figures of one map.
pub(in crate::ui) fn of_map(html: &mut Html, map: &Value) {
    html.raw("<section id=\"memory\" class=\"panel\" aria-labelledby=\"memory-h\"><h2 id=\"memory-h\">Entries and bytes</h2>\n<dl id=\"figures\" class=\"figures\"");
    data(
        html,
        map,
        &[
            (" data-at=\"", "/taken_at_seconds"),
            (" data-bytes=\"", "/heap_bytes"),
            (" data-entries=\"", "/entries_count"),
        ],
    );
    html.raw(">");
    estimated(
        html,
        "Heap",
        "its tables, and what keys and values own",
        bytes(map, "/heap_bytes"),
        bytes(map, "/heap_stderr_bytes"),
    );
    figure(
        html,
        "Entries",
        "in all maps of this name",
        count(map, "/entries_count"),
    );
    figure(
        html,
        "Entries/min",
        "growth over the last minutes",
        a_minute(map, "/growth_entries_per_second"),
    );
    figure(
        html,
        "An entry",
        "bytes on the heap",
        bytes(map, "/heap_bytes_per_entry"),
    );
    figure(
        html,
        "Oldest",
        "age of the oldest sampled block of an entry",
        duration(map, "/oldest_entry_age_seconds"),
    );
    figure(
        html,
        "Limit in",
        "if it goes on growing as it does",
        duration(map, "/seconds_to_limit"),
    );
    html.raw("</dl>\n<div id=\"chart\" class=\"chart\"></div>\n<noscript><p class=\"note\">The chart needs JavaScript.</p></noscript>\n");
    let advice = list(map, "/advice");
    if !advice.is_empty() {
        html.raw("<ul class=\"advice\">");
        for sentence in advice.iter().filter_map(Value::as_str) {
            html.raw("<li>").text(sentence).raw("</li>");
        }
        html.raw("</ul>\n");
    }
    html.raw("</section>\n");
}
