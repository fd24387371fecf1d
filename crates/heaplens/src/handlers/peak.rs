//! `/debug/heap/peak`: the live heap when it was fullest.

use std::sync::Arc;

use heaplens_profile::{DefaultType, Profile, pprof, rfc3339, text};
use hyper::StatusCode;
use hyper::body::Bytes;

use crate::handlers::heap;
use crate::params::{BadParameter, ProfileQuery};
use crate::peak::{self, Known, Peak};
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

/// Answers with what was alive then, as text or for pprof.
pub(crate) async fn serve(app: &Arc<App>, query: Result<ProfileQuery, BadParameter>) -> Reply {
    let is_text = match query {
        Ok(query) if query.seconds.is_some() || query.map.is_some() => {
            let fault = "the peak is of one moment and of the whole heap: seconds and map do not \
                         apply";
            return BadParameter::because(fault).reply();
        }
        Ok(query) => query.text,
        Err(fault) => return fault.reply(),
    };
    if !heaplens_alloc::counters().installed {
        return heap::not_installed();
    }
    let peak = match peak::known() {
        Known::Kept(peak) => peak,
        Known::NothingYet => return respond::error(StatusCode::NOT_FOUND, NOTHING_YET),
        Known::NotWatched => return respond::error(StatusCode::NOT_FOUND, NOT_WATCHED),
    };
    let work = Arc::clone(app);
    let done = app.costly.run(move || encoded(&work, &peak, is_text)).await;
    match done {
        Ok(Ok(bytes)) if is_text => respond::text(bytes),
        Ok(Ok(bytes)) => respond::file("peak", bytes),
        Ok(Err(failure)) | Err(failure) => failure.reply(),
    }
}

fn encoded(app: &App, peak: &Peak, is_text: bool) -> Result<Bytes, Failure> {
    let [mut profile] = app.profiles([&peak.live])?;
    describe(&mut profile, peak);
    Ok(if is_text {
        text::render(&profile, &[]).into()
    } else {
        pprof::encode(&profile, DefaultType::InuseSpace).into()
    })
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
