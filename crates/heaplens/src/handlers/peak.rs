//! `/debug/heap/peak`: the live heap when it was fullest.

use std::sync::Arc;

use heaplens_profile::{Profile, rfc3339};
use hyper::StatusCode;

use crate::handlers::heap::{self, Form};
use crate::params::{BadParameter, HeapQuery};
use crate::peak::{self, Known, Peak};
use crate::respond::{self, Reply};
use crate::state::App;

/// Answers with what was alive then, in any format.
pub(crate) async fn serve(app: &Arc<App>, query: Result<HeapQuery, BadParameter>) -> Reply {
    let query = match heap::ready(query.and_then(of_one_moment)) {
        Ok(query) => query,
        Err(reply) => return *reply,
    };
    let peak = match peak::known() {
        Known::Kept(peak) => peak,
        Known::NothingYet => return respond::error(StatusCode::NOT_FOUND, NOTHING_YET),
        Known::NotWatched => return respond::error(StatusCode::NOT_FOUND, NOT_WATCHED),
    };
    let (form, with_names) = (Form::of(&query), !query.unsymbolized);
    let shown = form.clone();
    let job = move |app: &App| {
        let [mut profile] = app.profiles_of([&peak.live], with_names)?;
        describe(&mut profile, &peak);
        shown.select(&mut profile)?;
        Ok(shown.write(&profile, &[]))
    };
    form.answer("peak", heap::made(app, job).await)
}

fn of_one_moment(query: HeapQuery) -> Result<HeapQuery, BadParameter> {
    let is_of_history = query.at.is_some() || query.base.is_some();
    if query.seconds.is_some() || query.map.is_some() || query.older.is_some() || is_of_history {
        return Err(BadParameter::because(
            "the peak is of one moment and of the whole heap: seconds, map, older, at and base do \
             not apply",
        ));
    }
    Ok(query)
}

fn describe(profile: &mut Profile, peak: &Peak) {
    profile.comments.push(format!(
        "peak: {} bytes in use at {}, the most seen since {}; alloc_* are the same as inuse_*",
        peak.bytes,
        rfc3339::format(peak.live.taken_at),
        rfc3339::format(peak.since),
    ));
}

const NOTHING_YET: &str = "no peak is kept yet: the live heap has not exceeded 1 MiB since the \
     agent began to watch it";
const NOT_WATCHED: &str = "no peak is kept: heaplens::Agent watches for it, and none runs in this \
     process or can watch";
