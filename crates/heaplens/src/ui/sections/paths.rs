//! All paths, for those who know what they look for.

use crate::handlers::index;
use crate::ui::Place;
use crate::ui::html::Html;

/// Writes the list.
pub(in crate::ui) fn render(html: &mut Html, place: Place) {
    html.raw("<section id=\"paths\" class=\"panel\" aria-labelledby=\"paths-h\"><h2 id=\"paths-h\">All paths</h2>\n<ul class=\"paths\">");
    for (path, what) in index::PATHS {
        let below = path.strip_prefix("/debug/");
        // Another program's router may have no such path, or one of its own.
        if below.is_none() && place.mounted {
            continue;
        }
        html.raw("<li><a href=\"");
        match below {
            Some(below) => html.raw(place.root).raw(below),
            None if place.root.is_empty() => html.raw("..").raw(path),
            None => html.raw(path.trim_start_matches('/')),
        };
        html.raw("\">")
            .raw(path)
            .raw("</a> <span>")
            .raw(what)
            .raw("</span></li>\n");
    }
    html.raw("</ul></section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(root: &'static str, mounted: bool) -> String {
        let mut html = Html::default();
        render(&mut html, Place { root, mounted });
        html.into_string()
    }

    #[test]
    fn links_lead_to_the_same_place_from_either_page() {
        let here = said("", false);
        assert!(
            here.contains("href=\"heap?format=json\">/debug/heap?format=json<"),
            "{here}"
        );
        assert!(here.contains("href=\"../metrics\""), "{here}");
        let above = said("debug/", false);
        assert!(above.contains("href=\"debug/maps\"") && above.contains("href=\"metrics\""));
        assert!(!said("", true).contains("healthz"));
    }
}
