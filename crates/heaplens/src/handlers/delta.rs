//! `?seconds=N`: what changed between two moments.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heaplens_alloc::Snapshot;
use heaplens_profile::diff::Inuse;
use heaplens_profile::{Profile, pprof};

use crate::handlers::heap::Flavour;
use crate::respond::{self, Reply};
use crate::state::App;
use crate::work::Failure;

/// Answers as Go does, after `seconds`.
pub(crate) async fn serve(app: &Arc<App>, flavour: Flavour, seconds: u64, inuse: Inuse) -> Reply {
    let job = move |app: &App, snapshots: [Snapshot; 2], length: Duration| {
        let [before, after] = app.profiles(snapshots.each_ref())?;
        let delta = difference(&before, after, length, inuse)?;
        Ok(pprof::encode(&delta, flavour.default_type()))
    };
    match window(app, seconds, job).await {
        Ok(Ok(bytes)) => respond::file(&format!("{}-delta", flavour.name()), bytes),
        Ok(Err(failure)) | Err(failure) => failure.reply(),
    }
}

/// Takes a snapshot now and one after `seconds`, and does the job with the two
/// and the time between them. A client that leaves earlier frees its place.
pub(crate) async fn window<T, F>(app: &Arc<App>, seconds: u64, job: F) -> Result<T, Failure>
where
    T: Send + 'static,
    F: FnOnce(&App, [Snapshot; 2], Duration) -> T + Send + 'static,
{
    let place = Arc::clone(&app.deltas).try_acquire_owned();
    let _place = place.map_err(|_| Failure::Busy)?;
    let before = app.costly.run(heaplens_alloc::snapshot).await?;
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let work = Arc::clone(app);
    app.costly
        .run_admitted(move || {
            let after = heaplens_alloc::snapshot();
            // From a clock that cannot be set back.
            let length = begun.elapsed();
            job(&work, [before, after], length)
        })
        .await
}

/// `after` less `before`, as a profile of that length.
pub(crate) fn difference(
    before: &Profile,
    after: Profile,
    length: Duration,
    inuse: Inuse,
) -> Result<Profile, Failure> {
    let mut delta = after
        .since(before, inuse)
        .map_err(|error| Failure::Failed(error.to_string()))?;
    delta.duration = Some(length);
    delta.comments.push(format!(
        "delta: what changed within {} s; figures above are of its end",
        length.as_secs()
    ));
    let meaning = match inuse {
        Inuse::Change => "inuse_objects and inuse_space: what changed",
        Inuse::Last => "inuse_objects and inuse_space: as they are at the end",
    };
    delta.comments.push(meaning.to_owned());
    Ok(delta)
}
