//! The place of the flame graph, which scripts draw; without them a link to one.

use crate::params;
use crate::ui::Place;
use crate::ui::html::Html;

/// Writes it, of the whole heap or of what one map holds.
pub(in crate::ui) fn render(html: &mut Html, map: Option<&str>, place: Place) {
    html.raw("<section id=\"flame\" class=\"panel wide\" aria-labelledby=\"flame-h\"><h2 id=\"flame-h\">Flame graph</h2>\n<div id=\"flame-view\"></div>\n<noscript><p class=\"note\">Without JavaScript: <a href=\"");
    html.raw(place.root).raw("flamegraph");
    if let Some(map) = map {
        html.raw("?map=").text(params::escape(map));
    }
    html.raw("\">the flame graph as a picture</a>, whose own search and zoom need scripts too, or <a href=\"");
    html.raw(place.root)
        .raw("heap?format=text\">the heap as text</a>.</p></noscript>\n</section>\n");
}
