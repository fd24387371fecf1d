//! `heaplens record`: a profile every so often.

mod folder;
mod plan;
mod progress;

use std::time::{Duration, SystemTime};

use heaplens_profile::pprof;
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::address::Address;
use crate::cli::Record;
use crate::client::Client;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::session::Session;
use crate::source::Source;

use folder::Folder;
use plan::Plan;
use progress::Progress;

/// The name of the JSON.
const SCHEMA: &str = "heaplens.record/1";

pub(crate) fn run(asked: &Record, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let address = Source::service(&asked.source)?;
    let client = session.client()?;
    let folder = Folder::open(&asked.dir, asked.max_files, asked.max_bytes)?;
    let plan = Plan::begin_or_go_on(&folder, &address, asked.every, asked.length)?;
    let progress = Progress::new(&plan, session.console.is_watched() && !session.json);
    let mut recorder = Recorder {
        client: &client,
        address: &address,
        folder,
        plan,
        progress,
        saved: 0,
        failed: 0,
        removed: 0,
        last: None,
    };
    let done = client.runtime().block_on(recorder.record());
    recorder.progress.end();
    let exit = done?;
    recorder.tell(exit, session)?;
    Ok(exit)
}

struct Recorder<'a> {
    client: &'a Client,
    address: &'a Address,
    folder: Folder,
    plan: Plan,
    progress: Progress,
    saved: usize,
    failed: usize,
    removed: usize,
    /// Why the last failure.
    last: Option<Fault>,
}

impl Recorder<'_> {
    /// Takes one profile after the other until the time is over or a signal comes.
    async fn record(&mut self) -> Result<Exit, Fault> {
        let cannot = |error| Fault::unreachable(format!("cannot wait for signals: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        while let Some(wait) = self.plan.wait(SystemTime::now()) {
            self.progress.show(self.saved, self.failed, wait);
            if ended(&mut interrupt, &mut terminate, self.pause(wait)).await {
                return Ok(Exit::Interrupted);
            }
            let due = self.plan.tick(SystemTime::now());
            let fetched = tokio::select! {
                taken = self.take() => taken,
                () = either(&mut interrupt, &mut terminate) => return Ok(Exit::Interrupted),
            };
            self.keep(fetched)?;
            self.plan.done(due);
        }
        Ok(Exit::Fine)
    }

    /// Waits, and lets the display tell for how long still.
    async fn pause(&self, wait: Duration) {
        const STEP: Duration = Duration::from_secs(1);
        let mut left = wait;
        while left > STEP && self.progress.is_shown() {
            tokio::time::sleep(STEP).await;
            left -= STEP;
            self.progress.show(self.saved, self.failed, left);
        }
        tokio::time::sleep(left).await;
    }

    /// A profile that can be read, as it was served.
    async fn take(&self) -> Result<(Vec<u8>, SystemTime), Fault> {
        let path = self.address.page();
        let path = path.unwrap_or_else(|| self.address.route("/debug/heap"));
        let answer = self
            .client
            .fetch(self.address, &path, Duration::ZERO)
            .await?;
        let profile = pprof::decode(&answer.body).map_err(|error| {
            Fault::unreadable(format!(
                "{}: the answer is no pprof profile: {error}",
                self.address
            ))
        })?;
        let is_known = profile.time > SystemTime::UNIX_EPOCH;
        let time = if is_known {
            profile.time
        } else {
            SystemTime::now()
        };
        Ok((answer.body.to_vec(), time))
    }

    /// Saves what was taken. That the service was away for a while is no reason to
    /// stop, unless it never was there.
    fn keep(&mut self, fetched: Result<(Vec<u8>, SystemTime), Fault>) -> Result<(), Fault> {
        match fetched {
            Ok((bytes, time)) => {
                self.removed += self.folder.keep(&bytes, time)?;
                self.saved += 1;
            }
            Err(fault) if self.saved == 0 && self.failed == 0 => return Err(fault),
            Err(fault) => {
                self.failed += 1;
                self.progress.say(&format!("heaplens: {fault}"));
                self.last = Some(fault);
            }
        }
        Ok(())
    }

    fn tell(&self, exit: Exit, session: &mut Session<'_>) -> Result<(), Fault> {
        let is_over = exit == Exit::Fine;
        let (files, bytes) = self.folder.size();
        if session.json {
            return session.print_json(&json!({
                "schema": SCHEMA,
                "directory": self.folder.path(),
                "finished": is_over,
                "saved_count": self.saved,
                "failed_count": self.failed,
                "removed_count": self.removed,
                "files_count": files,
                "files_bytes": bytes,
                "last_error": self.last.as_ref().map(ToString::to_string),
            }));
        }
        let mut line = format!(
            "{} profiles saved, {} failed, {} old ones removed: {} files with {} in {}",
            self.saved,
            self.failed,
            self.removed,
            files,
            crate::amount::bytes(bytes as f64),
            self.folder.path().display()
        );
        if !is_over {
            line.push_str("; the same command goes on");
        }
        session.print_lines(&[line])
    }
}

/// Waits for one of the two.
async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Whether a signal came before the wait was over.
async fn ended(
    interrupt: &mut Signal,
    terminate: &mut Signal,
    wait: impl Future<Output = ()>,
) -> bool {
    tokio::select! {
        () = wait => false,
        () = either(interrupt, terminate) => true,
    }
}
