//! The document of the whole process.

use serde_json::Value;

use super::document::flag;
use super::documents::Documents;
use super::html::Html;
use super::sections::{commands, flame, maps, memory, paths, sites, standing, verdicts};
use super::shell::{self, About};
use super::{Part, Place};

/// Renders it, or the part that scripts ask for.
pub(super) fn render(of: &Documents, part: Part, place: Place) -> Html {
    let mut html = Html::default();
    let (judged, maps) = (of.judged.as_ref(), of.maps.as_ref());
    let about = About {
        map: None,
        recorded: of.recorded,
        watched: judged.is_some(),
    };
    shell::begin(&mut html, place, about);
    if part != Part::Sites {
        standing::render(&mut html, of);
        html.raw("<div class=\"columns\">\n");
        verdicts::render(&mut html, judged, None, place);
        html.raw("<div class=\"stack\">\n");
        memory::render(&mut html, of);
        maps::render(&mut html, maps, judged, place);
    }
    if part != Part::Live {
        let memstats = of.memstats.as_ref().unwrap_or(&Value::Null);
        let installed = flag(memstats, "/heaplens/installed");
        sites::render(&mut html, of.sites.as_ref(), installed, false, place);
    }
    if part != Part::Sites {
        html.raw("</div></div>\n");
    }
    if part == Part::All {
        flame::render(&mut html, None, place);
        commands::render(&mut html, None, place);
        paths::render(&mut html, place);
    }
    shell::end(&mut html);
    html
}
