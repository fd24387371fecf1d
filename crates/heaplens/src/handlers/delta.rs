//! `?seconds=N`: what changed between two moments.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heaplens_alloc::Snapshot;
use heaplens_profile::diff::Inuse;
use heaplens_profile::pprof;
use hyper::StatusCode;
use hyper::body::Bytes;

use crate::handlers::heap::Flavour;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

/// Answers after `seconds`. A client that leaves earlier frees its place.
pub(crate) async fn serve(app: &Arc<App>, flavour: Flavour, seconds: u64) -> Reply {
    let Ok(_place) = Arc::clone(&app.deltas).try_acquire_owned() else {
        return respond::later(
            StatusCode::TOO_MANY_REQUESTS,
            5,
            "too many delta profiles are being taken; try again later",
        );
    };
    match take(app, flavour, Duration::from_secs(seconds)).await {
        Ok(bytes) => respond::file(&format!("{}-delta", flavour.name()), bytes),
        Err(failure) => failure.reply(),
    }
}

async fn take(app: &Arc<App>, flavour: Flavour, wait: Duration) -> Result<Bytes, Failure> {
    let before = app.costly.run(heaplens_alloc::snapshot).await?;
    let begun = Instant::now();
    tokio::time::sleep(wait).await;
    let work = Arc::clone(app);
    app.costly
        .run_admitted(move || {
            let after = heaplens_alloc::snapshot();
            // From a clock that cannot be set back.
            encode(&work, flavour, &before, &after, begun.elapsed())
        })
        .await?
}

fn encode(
    app: &App,
    flavour: Flavour,
    before: &Snapshot,
    after: &Snapshot,
    length: Duration,
) -> Result<Bytes, Failure> {
    let [before, after] = app.profiles([before, after])?;
    let mut delta = after
        .since(&before, Inuse::Change)
        .map_err(|error| Failure::Failed(error.to_string()))?;
    delta.duration = Some(length);
    delta.comments.push(format!(
        "delta: what changed within {} s; figures above are of its end",
        length.as_secs()
    ));
    Ok(pprof::encode(&delta, flavour.default_type()).into())
}
