//! The agent's own beat: the clock by which tracked maps date what they do, and
//! a report now and then, so that there is a rate when somebody asks for one.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{self, MissedTickBehavior};

use crate::state::App;
use crate::survey::Survey;

/// Between two ticks of the maps' clock, which counts whole seconds.
const TICK: Duration = Duration::from_secs(1);
/// Between two reports: a rate takes two of them, at least ten seconds apart,
/// and timers are not exact.
const REPORT: Duration = Duration::from_secs(12);

/// Beats for ever. The reports are made where other figures are: with a
/// container's own lock held for long by the program, they wait and the event
/// loop does not.
pub(crate) async fn beat(app: Arc<App>) {
    let clock = async {
        let mut ticks = every(TICK);
        loop {
            ticks.tick().await;
            heaplens_maps::tick();
        }
    };
    let reports = async {
        let mut due = every(REPORT);
        loop {
            due.tick().await;
            // Fails when the agent stops, and there is nobody to tell.
            let _ = app.figures.run_admitted(|| drop(Survey::take())).await;
        }
    };
    tokio::join!(clock, reports);
}

/// Late ticks are not made up for: a process that was stopped for an hour does
/// not owe an hour of them.
pub(crate) fn every(period: Duration) -> time::Interval {
    let mut interval = time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
