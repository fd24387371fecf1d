//! The page for people at `/debug/`, and one for each map at `/debug/?map=NAME`.
//!
//! What is served is a whole document: it informs without scripts. Scripts then
//! keep it up to date, draw charts and the flame graph, and sort and filter. Both
//! read the same JSON as everybody else, so page and scripts never disagree.
//!
//! Names of maps, labels and functions are the program's and may be anything.
//! [`html`] lets no text but our own source's reach a document unescaped, scripts
//! set text and never markup, and the policy that the browser gets forbids all
//! else: no script but our files, no other host, no markup from strings.

pub(crate) mod assets;
mod document;
mod documents;
mod html;
mod judged;
mod maps_page;
mod overview;
mod sections;
mod shell;
mod state;

use std::sync::Arc;

use hyper::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, VARY,
};

use crate::params::{self, BadParameter};
use crate::respond::{self, Reply};
use crate::state::App;

use documents::Documents;
use html::Html;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Only what this server serves, no script or style within the document, and no
/// markup made of strings by scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// Where the page is, as the client sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// What leads from the page to our paths: nothing at `/debug/`, `debug/` at `/`.
    pub(crate) root: &'static str,
    /// Whether the routes are part of another program's router.
    pub(crate) mounted: bool,
}

/// Which part of a document is asked for. Scripts fetch what has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    /// All figures that cost little.
    Live,
    /// What takes a profile.
    Sites,
}

/// Answers with the page.
pub(crate) async fn page(
    app: &Arc<App>,
    query: Option<&str>,
    headers: &HeaderMap,
    place: Place,
) -> Reply {
    let (map, part) = match asked(query) {
        Ok(asked) => asked,
        Err(fault) => return fault.reply(),
    };
    let html = match map {
        None => overview::render(&Documents::gather(app, part).await, part, place),
        Some(name) => match documents::map(app, &name, part).await {
            Ok(map) => maps_page::render(&name, &map, part, place),
            Err(reply) => return *reply,
        },
    };
    answer(html, headers)
}

/// The map and the part that are asked for.
pub(crate) fn asked(query: Option<&str>) -> Result<(Option<String>, Part), BadParameter> {
    let (mut map, mut part) = (None, Part::All);
    for (name, value) in params::strict_pairs(query, &["map", "part"])? {
        match (name, value.as_str()) {
            ("map", _) => map = Some(value),
            (_, "live") => part = Part::Live,
            (_, "sites") => part = Part::Sites,
            _ => {
                return Err(BadParameter::because(format!(
                    "invalid value {} for \"part\" - must be live or sites",
                    params::quoted(&value)
                )));
            }
        }
    }
    Ok((map, part))
}

fn answer(html: Html, headers: &HeaderMap) -> Reply {
    let body = html.into_string().into_bytes();
    let mut reply = if assets::takes_gzip(headers) {
        let mut reply = respond::html(assets::gzip(&body));
        let gzip = HeaderValue::from_static("gzip");
        reply.headers_mut().insert(CONTENT_ENCODING, gzip);
        reply
    } else {
        respond::html(body)
    };
    let more = [
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (VARY, "Accept-Encoding"),
        // A POST of ours is to tell its origin, which "no-referrer" may withhold.
        (REFERRER_POLICY, "same-origin"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ];
    for (name, value) in more {
        let value = HeaderValue::from_static(value);
        reply.headers_mut().insert(name, value);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_and_a_part_may_be_asked_for() {
        assert_eq!(asked(None), Ok((None, Part::All)));
        let map = Some("a/b c".to_owned());
        assert_eq!(asked(Some("map=a%2Fb+c")), Ok((map.clone(), Part::All)));
        assert_eq!(asked(Some("map=a%2Fb+c&part=live")), Ok((map, Part::Live)));
        for (query, part) in [("x=1", "known are map, part"), ("part=x", "live or sites")] {
            let fault = asked(Some(query)).expect_err(query).to_string();
            assert!(fault.contains(part), "{fault}");
        }
    }
}
