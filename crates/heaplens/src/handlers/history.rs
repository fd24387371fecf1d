//! `/debug/history`: what was, as series and as a list of snapshots.

mod document;
mod query;
mod series;

use std::sync::Arc;
use std::time::SystemTime;

use hyper::StatusCode;
use serde_json::Value;

use super::maps;
use crate::history;
#[cfg(test)]
use crate::params::BadParameter;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::watch;

use query::{Maps, Query};

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
                let mut document = document::of(history, &query);
                drop(locked);
                match with_series(&mut document, &query) {
                    Ok(()) => respond::json(format!("{document}\n")),
                    Err(reply) => *reply,
                }
            }
        }
    });
    done.await.unwrap_or_else(|failure| failure.reply())
}

/// Adds what is known of maps and call sites; 404 for a map that is not.
fn with_series(document: &mut Value, query: &Query) -> Result<(), Box<Reply>> {
    let locked = watch::lock();
    let Some(watch) = locked.get() else {
        return Ok(());
    };
    let maps = series::maps(watch, query);
    if let (Maps::One(name), []) = (&query.maps, &*maps) {
        return Err(Box::new(maps::unknown(name)));
    }
    document["maps"] = maps.into();
    document["sites"] = series::sites(watch, query).into();
    document["verdicts"] = series::changes(watch, query).into();
    Ok(())
}
