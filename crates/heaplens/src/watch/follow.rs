//! What follows from a beat: call sites get their names, suspects are measured, and those who
//! listen are told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::changes::Listeners;
use super::tick::Beat;
use super::{Hooks, VerdictChange, kept, sites};
use crate::history::pace::{Pace, measured};
use crate::inquiries;
use crate::leaks::{Kind, State, Windows};
use crate::state::App;
use crate::work::Failure;

/// Looking names up takes at most this share of a core, one part in so many. The files with
/// the names are read anew each time.
const NAMES_SHARE: u32 = 1000;
/// Where minutes count.
const NAMES_SHARE_DEMO: u32 = 20;
/// How long a suspect has to answer, at its next operation.
const PATIENCE: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub(crate) struct Follow {
    listeners: Listeners,
    names: Names,
    /// Suspects that are to be measured, one after the other.
    suspects: VecDeque<String>,
}

impl Follow {
    pub(crate) fn new(windows: &Windows, hooks: &Hooks) -> Self {
        let share = match hooks.clock {
            // Time may pass as fast as one likes.
            Some(_) => 0,
            None if *windows == Windows::demo() => NAMES_SHARE_DEMO,
            None => NAMES_SHARE,
        };
        Follow {
            listeners: Listeners::new(hooks.listener.clone()),
            names: Names::new(Pace::new(Duration::ZERO, share)),
            suspects: VecDeque::new(),
        }
    }

    /// Takes up what came of a beat, and waits for none of it.
    pub(crate) async fn take_up(&mut self, app: &Arc<App>, beat: Beat) {
        self.names.look_up(app, beat.unknown).await;
        for change in &beat.changes {
            self.note(change);
        }
        self.measure(app);
        for change in beat.changes {
            self.listeners.tell(change);
        }
    }

    /// A map is measured when it becomes suspect, and once more when it leaks.
    fn note(&mut self, change: &VerdictChange) {
        let is_worse = change.to.is_flagged() && change.to > change.from;
        let is_due = change.kind == Kind::Map && is_worse && !self.suspects.contains(&change.name);
        if is_due && heaplens_alloc::is_what_if_allowed() {
            self.suspects.push_back(change.name.clone());
        } else if change.to < State::Suspect {
            self.suspects.retain(|name| *name != change.name);
        }
    }

    /// One at a time, as whoever else asks.
    fn measure(&mut self, app: &Arc<App>) {
        if let Some(name) = self.suspects.pop_front()
            && inquiries::start(app, name.clone(), PATIENCE).is_err()
        {
            self.suspects.push_front(name);
        }
    }
}

/// Finds the call sites of rows, where profiles are made.
#[derive(Debug)]
struct Names {
    pace: Pace,
    running: Option<(Instant, JoinHandle<Result<Duration, Failure>>)>,
}

impl Names {
    fn new(pace: Pace) -> Self {
        Names {
            pace,
            running: None,
        }
    }

    async fn look_up(&mut self, app: &Arc<App>, rows: Vec<u32>) {
        if let Some((begun, running)) = self.running.take() {
            if !running.is_finished() {
                self.running = Some((begun, running));
                return;
            }
            // Of what failed nobody knows how long it took.
            let took = running.await.ok().and_then(Result::ok);
            self.pace
                .done(begun, took.unwrap_or_else(|| begun.elapsed()));
        }
        let now = Instant::now();
        if !rows.is_empty() && self.pace.is_due(now) {
            let running = tokio::spawn(resolve(Arc::clone(app), rows));
            self.running = Some((now, running));
        }
    }
}

/// Takes a snapshot, symbolizes the stacks of these rows, and tells what that took of a core.
async fn resolve(app: Arc<App>, rows: Vec<u32>) -> Result<Duration, Failure> {
    let work = Arc::clone(&app);
    let job = move || {
        let (done, took) = measured(|| places(&work, &rows));
        done.map(|()| took)
    };
    app.costly.run_admitted(job).await?
}

fn places(app: &App, rows: &[u32]) -> Result<(), Failure> {
    let (stacks, order) = sites::stacks_of(&heaplens_alloc::snapshot(), rows);
    let [profile] = app.profiles([&stacks])?;
    let found = sites::found(&profile, &order, rows);
    if let Some(watch) = kept().as_mut() {
        watch.sites.learn(found);
    }
    Ok(())
}
