//! `/debug/maps` and `/debug/maps/{name}`.

mod advice;
mod ages;
mod document;
mod query;
mod ranking;
mod table;

use std::sync::Arc;

use hyper::StatusCode;

use crate::params::{self, BadParameter};
use crate::respond::{self, Reply};
use crate::state::App;
use crate::survey::Survey;

pub(crate) use query::{Format, format};

use ages::Ages;
use query::ListQuery;

/// Where these pages are, as the client sees it.
#[derive(Clone, Debug)]
pub(crate) struct Base(String);

impl Base {
    /// `prefix` is what a router that these routes are nested in takes off.
    pub(crate) fn under(prefix: &str) -> Self {
        Base(format!("{prefix}/debug"))
    }

    fn maps(&self) -> String {
        format!("{}/maps", self.0)
    }

    fn map(&self, name: &str) -> String {
        format!("{}/maps/{}", self.0, params::escape(name))
    }

    fn heap(&self, name: &str) -> String {
        format!("{}/heap?map={}", self.0, params::escape(name))
    }
}

/// Whether the list takes such a query.
#[cfg(test)]
pub(crate) fn is_list_query(query: Option<&str>) -> Result<(), BadParameter> {
    ListQuery::strict(query).map(drop)
}

/// Whether the page of a single group does.
#[cfg(test)]
pub(crate) fn is_query(query: Option<&str>) -> Result<(), BadParameter> {
    format(query).map(drop)
}

/// Answers with all groups, ranked.
pub(crate) async fn list(app: &Arc<App>, query: Option<&str>, base: Base) -> Reply {
    let query = match ListQuery::strict(query) {
        Ok(query) => query,
        Err(fault) => return fault.reply(),
    };
    let done = app.figures.run(move || {
        let survey = Survey::take();
        let ranked = ranking::ranked(&survey.groups, query.sort);
        let shown = ranked.get(..query.limit.unwrap_or(ranked.len()).min(ranked.len()));
        let shown = shown.unwrap_or(&ranked);
        match query.format {
            Format::Json => written(&document::list(&survey, shown, query.sort, &base)),
            Format::Text => respond::text(table::list(&survey, shown, query.sort, &base)),
        }
    });
    done.await.unwrap_or_else(|failure| failure.reply())
}

/// Answers with one group; `name` is as it stands in the path.
pub(crate) async fn one(app: &Arc<App>, name: &str, query: Option<&str>, base: Base) -> Reply {
    let format = match format(query) {
        Ok(format) => format,
        Err(fault) => return fault.reply(),
    };
    let Some(name) = params::unescape_path(name).map(std::borrow::Cow::into_owned) else {
        let fault = format!("bad escape in the name of the map {}", params::quoted(name));
        return BadParameter::because(fault).reply();
    };
    let done = app.figures.run(move || {
        let survey = Survey::take();
        let found = survey.groups.iter().find(|group| group.name() == name);
        match (found, format) {
            (None, _) => unknown(&name),
            (Some(group), format) => {
                let ages = survey.estimates.then(|| Ages::of(&name));
                match format {
                    Format::Json => written(&document::one(&survey, group, ages.as_ref(), &base)),
                    Format::Text => respond::text(table::one(&survey, group, ages.as_ref(), &base)),
                }
            }
        }
    });
    done.await.unwrap_or_else(|failure| failure.reply())
}

fn written(document: &serde_json::Value) -> Reply {
    respond::json(format!("{document:#}\n"))
}

/// 404, by the name that is not there.
pub(crate) fn unknown(name: &str) -> Reply {
    let name = params::quoted(name);
    respond::error(
        StatusCode::NOT_FOUND,
        &format!("there is no map named {name}; all are listed at /debug/maps"),
    )
}
