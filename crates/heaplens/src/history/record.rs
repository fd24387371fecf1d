//! Recording, on the agent's beat.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Semaphore;

use super::pace::{Pace, measured};
use super::{Process, Settings, keep, kept};
use crate::leaks::Windows;
use crate::metrics::memstats;
use crate::pulse;
use crate::state::App;
use crate::survey::Survey;
use crate::watch::{self, Beat, Follow, Hooks};
use crate::work::Failure;

/// Snapshots take at most this share of a core: one part in so many.
const SNAPSHOTS_SHARE: u32 = 2000;

/// Held by the agent that records.
static RECORDING: Semaphore = Semaphore::const_new(1);

/// What is recorded, by which windows it is judged, and who is told.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) windows: Windows,
    pub(crate) hooks: Hooks,
}

/// Records for ever. Of several agents one does; when it stops, the next.
pub(crate) async fn run(app: Arc<App>, setup: Setup) {
    let settings = &setup.settings;
    if settings.bytes == 0 {
        return;
    }
    let Ok(_turn) = RECORDING.acquire().await else {
        return;
    };
    kept(|history| history.set(settings));
    watch::begin(&setup.windows, settings.bytes, setup.hooks.clock.as_ref());
    let mut keeping = keep::Keeping::begin(&app, settings).await;
    let mut ticks = pulse::every(settings.tick);
    let mut pace = Pace::new(settings.snapshot, SNAPSHOTS_SHARE);
    let mut follow = Follow::new(&setup.windows, &setup.hooks);
    loop {
        ticks.tick().await;
        let now = Instant::now();
        match tick(&app).await {
            Ok(beat) => follow.take_up(&app, beat).await,
            Err(_) => return,
        }
        if heaplens_alloc::counters().installed && pace.is_due(now) {
            match snapshot(&app).await {
                Ok(took) => pace.done(now, took),
                Err(_) => return,
            }
            keeping.save(&app);
        }
    }
}

/// Notes what there is and judges it, where other figures are made.
async fn tick(app: &App) -> Result<Beat, Failure> {
    let job = || {
        let survey = Survey::take();
        let beat = watch::tick(&survey);
        let process = Process::of(&memstats::read(), survey.memory);
        kept(|history| {
            history.make_room(beat.bytes);
            history.note(SystemTime::now(), process);
        });
        beat
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
