//! Recording, on the agent's beat.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Semaphore;

use super::pace::{Pace, measured};
use super::{Process, Settings, keep, kept};
use crate::memory::Memory;
use crate::metrics::memstats;
use crate::pulse;
use crate::state::App;
use crate::work::Failure;

/// Snapshots take at most this share of a core: one part in so many.
const SNAPSHOTS_SHARE: u32 = 2000;

/// Held by the agent that records.
static RECORDING: Semaphore = Semaphore::const_new(1);

/// Records for ever. Of several agents one does; when it stops, the next.
pub(crate) async fn run(app: Arc<App>, settings: Settings) {
    if settings.bytes == 0 {
        return;
    }
    let Ok(_turn) = RECORDING.acquire().await else {
        return;
    };
    kept(|history| history.set(&settings));
    let work = Arc::clone(&app);
    let began = settings.clone();
    let begin = app.costly.run_admitted(move || keep::begin(&work, &began));
    if begin.await.is_err() {
        return;
    }
    let mut ticks = pulse::every(settings.tick);
    let mut pace = Pace::new(settings.snapshot, SNAPSHOTS_SHARE);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        if tick(&app).await.is_err() {
            return;
        }
        if heaplens_alloc::counters().installed && pace.is_due(now) {
            match snapshot(&app).await {
                Ok(took) => pace.done(now, took),
                Err(_) => return,
            }
            let work = Arc::clone(&app);
            let save = app.costly.run_admitted(move || keep::save_if_due(&work));
            if save.await.is_err() {
                return;
            }
        }
    }
}

/// Notes the process's figures, where other figures are made.
async fn tick(app: &App) -> Result<(), Failure> {
    let job = || {
        let process = Process::of(&memstats::read(), Memory::now());
        kept(|history| history.note(SystemTime::now(), process));
    };
    app.figures.run_admitted(job).await
}

/// Keeps a snapshot; tells what that took of a core.
async fn snapshot(app: &Arc<App>) -> Result<Duration, Failure> {
    let work = Arc::clone(app);
    let job = move || {
        let ((), took) = measured(|| {
            let snapshot = heaplens_alloc::snapshot();
            kept(|history| history.keep(&snapshot));
        });
        // Objects that are unloaded later have their names then.
        work.note_mappings();
        took
    };
    app.figures.run_admitted(job).await
}
