//! `/debug/heap/peak`: the live heap when it was fullest.

use std::sync::Arc;

use heaplens_profile::{Profile, rfc3339};
use hyper::StatusCode;

use crate::handlers::heap::{self, Form, Refusal};
use crate::params::{BadParameter, HeapQuery};
use crate::peak::{self, Known, Peak};
use crate::respond::{self, Reply};
use crate::state::App;

/// Answers with what was alive then, in any format.
pub(crate) async fn serve(app: &Arc<App>, query: Result<HeapQuery, BadParameter>) -> Reply {
    let query = match query {
        Ok(query) => query,
        Err(fault) => return fault.reply(),
    };
    if query.seconds.is_some() || query.map.is_some() || query.older.is_some() {
        let fault = "the peak is of one moment and of the whole heap: seconds, map and older do \
                     not apply";
        return BadParameter::because(fault).reply();
    }
    if !heaplens_alloc::counters().installed {
        return heap::not_installed();
    }
    let peak = match peak::known() {
        Known::Kept(peak) => peak,
        Known::NothingYet => return respond::error(StatusCode::NOT_FOUND, NOTHING_YET),
        Known::NotWatched => return respond::error(StatusCode::NOT_FOUND, NOT_WATCHED),
    };
    let (work, form) = (Arc::clone(app), Form::of(&query));
    let named = !query.unsymbolized;
    let job = move || -> Result<Reply, Refusal> {
        let [mut profile] = work.profiles_of([&peak.live], named)?;
        describe(&mut profile, &peak);
        form.select(&mut profile)?;
        Ok(form.reply("peak", form.write(&profile, &[])))
    };
    match app.costly.run(job).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(refusal)) => refusal.reply(),
        Err(failure) => failure.reply(),
    }
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
