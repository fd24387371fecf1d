//! `/debug/history`: what was, as series and as a list of snapshots.

mod document;
mod query;

use std::sync::Arc;
use std::time::SystemTime;

use hyper::StatusCode;

use crate::history;
#[cfg(test)]
use crate::params::BadParameter;
use crate::respond::{self, Reply};
use crate::state::App;

use query::Query;

/// Whether the path takes such a query.
#[cfg(test)]
pub(crate) fn is_query(query: Option<&str>) -> Result<(), BadParameter> {
    Query::strict(query, SystemTime::now()).map(drop)
}

/// Answers with what was recorded.
pub(crate) async fn serve(app: &Arc<App>, query: Option<&str>) -> Reply {
    let query = match Query::strict(query, SystemTime::now()) {
        Ok(query) => query,
        Err(fault) => return fault.reply(),
    };
    let done = app.figures.run(move || {
        let locked = history::lock();
        match locked.get() {
            None => respond::error(StatusCode::NOT_FOUND, history::NOT_RECORDED),
            Some(history) => {
                let document = document::of(history, &query);
                drop(locked);
                respond::json(format!("{document}\n"))
            }
        }
    });
    done.await.unwrap_or_else(|failure| failure.reply())
}
