//! What all documents begin and end with.

use super::html::Html;
use super::state::ICONS;
use super::{Place, assets};

/// What a document is about, as scripts are told as well.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// One map, or the whole process.
    pub(super) map: Option<&'a str>,
    /// Whether there is a record of the past to ask for.
    pub(super) recorded: bool,
    /// Whether maps are recorded as well as the process.
    pub(super) watched: bool,
}

/// The head, the bar at the top, and the beginning of the main part.
pub(super) fn begin(html: &mut Html, place: Place, about: About<'_>) {
    let map = about.map;
    let program = program();
    html.raw("<!DOCTYPE html>\n<html lang=\"en\" data-root=\"")
        .raw(place.root)
        .raw("\"");
    if let Some(map) = map {
        html.raw(" data-map=\"").text(map).raw("\"");
    }
    if about.recorded {
        html.raw(" data-recorded");
    }
    if about.watched {
        html.raw(" data-watched");
    }
    html.raw(
        ">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>",
    );
    if let Some(map) = map {
        html.text(map).raw(" · ");
    }
    html.text(&program).raw(" · Heaplens</title>\n");
    for (before, name, after) in [
        ("<link rel=\"icon\" href=\"", "icon.svg", "\">\n"),
        ("<link rel=\"stylesheet\" href=\"", "page.css", "\">\n"),
        ("<script src=\"", "theme.js", "\"></script>\n"),
        (
            "<script type=\"module\" src=\"",
            "page.js",
            "\"></script>\n",
        ),
    ] {
        html.raw(before).raw(place.root).raw("ui/");
        html.raw(assets::version()).raw("/").raw(name).raw(after);
    }
    html.raw("</head>\n<body>\n").raw(ICONS);
    html.raw(
        "\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n\
         <header class=\"top\">\n<a class=\"brand\" href=\"",
    );
    html.raw(if place.root.is_empty() {
        "./"
    } else {
        place.root
    });
    html.raw("\"><svg class=\"mark\" viewBox=\"0 0 20 20\" aria-hidden=\"true\"><rect x=\"1\" y=\"12\" width=\"18\" height=\"5\" rx=\"1\"/><rect x=\"4\" y=\"7\" width=\"11\" height=\"4\" rx=\"1\"/><rect x=\"7\" y=\"3\" width=\"5\" height=\"3\" rx=\"1\"/></svg>Heaplens</a>\n<p class=\"who\"><b>");
    html.text(&program).raw("</b> <span>process ");
    html.text(std::process::id())
        .raw("</span></p>\n<nav aria-label=\"Parts of this page\">");
    html.raw(if map.is_none() {
        "<a href=\"#verdicts\">Verdicts</a><a href=\"#maps\">Maps</a><a href=\"#sites\">Sites</a><a href=\"#flame\">Flame graph</a><a href=\"#paths\">Paths</a>"
    } else {
        "<a href=\"#verdicts\">Verdict</a><a href=\"#retained\">Retained</a><a href=\"#sites\">Sites</a><a href=\"#flame\">Flame graph</a>"
    });
    html.raw("</nav>\n<p id=\"live\" role=\"status\"></p>\n<div id=\"controls\"></div>\n</header>\n<div id=\"trouble\" role=\"alert\" hidden></div>\n<main id=\"main\">\n");
}

/// The end of a document.
pub(super) fn end(html: &mut Html) {
    html.raw("</main>\n<footer>Heaplens ")
        .raw(env!("CARGO_PKG_VERSION"));
    html.raw(
        ". Estimates are from samples and stated with their standard error: the true figure \
         lies within ± twice of it 19 times in 20.</footer>\n</body>\n</html>\n",
    );
}

/// The name of the program's file.
fn program() -> String {
    let path = std::env::current_exe().ok();
    let name = path.as_deref().and_then(std::path::Path::file_name);
    name.map_or_else(
        || "this program".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}
