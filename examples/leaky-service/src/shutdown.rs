//! When to stop: a signal for the whole process, seen by everything that waits.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// Asks all clones of its [`Shutdown`] to stop. Dropping it asks too.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

impl Trigger {
    /// Asks. More than once is as good as once.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

/// Waits for the trigger.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// A trigger and who waits for it.
    pub fn channel() -> (Trigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (Trigger(sender), Self(receiver))
    }

    /// Ends when asked to stop, at once if that has happened. Cancel safe.
    pub async fn requested(&mut self) {
        // An error means that the trigger is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }
}

/// Stops at the first SIGINT or SIGTERM; the second ends the process at once,
/// with 128 plus the number of the signal as its exit code.
///
/// # Errors
/// If the handlers cannot be installed.
///
/// # Panics
/// Outside a tokio runtime with I/O.
pub fn on_signals() -> io::Result<Shutdown> {
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let (trigger, shutdown) = Shutdown::channel();
    tokio::spawn(watch_signals(interrupt, terminate, trigger));
    Ok(shutdown)
}

async fn watch_signals(mut interrupt: Signal, mut terminate: Signal, trigger: Trigger) {
    next(&mut interrupt, &mut terminate).await;
    trigger.stop();
    let number = next(&mut interrupt, &mut terminate).await;
    std::process::exit(128 + number);
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> i32 {
    let kind = tokio::select! {
        _ = interrupt.recv() => SignalKind::interrupt(),
        _ = terminate.recv() => SignalKind::terminate(),
    };
    kind.as_raw_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_is_asked_and_stays_asked() {
        let (trigger, mut first) = Shutdown::channel();
        let mut second = first.clone();
        trigger.stop();
        trigger.stop();
        first.requested().await;
        first.requested().await;
        second.requested().await;
    }

    #[tokio::test]
    async fn a_dropped_trigger_asks_too() {
        let (trigger, mut shutdown) = Shutdown::channel();
        drop(trigger);
        shutdown.requested().await;
    }
}
