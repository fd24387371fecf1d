//! `/debug/leaks`: who leaks, the worst first, and why one thinks so.

mod document;
mod says;
mod text;

use std::sync::Arc;

use hyper::StatusCode;

use super::maps::{Format, format};
#[cfg(test)]
use crate::params::BadParameter;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::watch;

/// Whether the path takes such a query.
#[cfg(test)]
pub(crate) fn is_query(query: Option<&str>) -> Result<(), BadParameter> {
    format(query).map(drop)
}

/// Answers with all verdicts.
pub(crate) async fn serve(app: &Arc<App>, query: Option<&str>) -> Reply {
    let format = match format(query) {
        Ok(format) => format,
        Err(fault) => return fault.reply(),
    };
    let done = app.figures.run(move || {
        let locked = watch::lock();
        let Some(watch) = locked.get() else {
            return respond::error(StatusCode::NOT_FOUND, NOT_WATCHED);
        };
        match format {
            Format::Json => {
                let document = document::of(watch);
                drop(locked);
                respond::json(format!("{document:#}\n"))
            }
            Format::Text => respond::text(text::of(watch)),
        }
    });
    done.await.unwrap_or_else(|failure| failure.reply())
}

const NOT_WATCHED: &str = "there are no verdicts: heaplens::Agent makes them, and none has in this \
     process, or history_bytes is 0";
