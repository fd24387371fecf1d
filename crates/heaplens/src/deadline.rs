//! An absolute end for each request on a connection.
//!
//! hyper bounds the reading of a header and the pause between requests, but
//! not how long a client takes to send a body or to read an answer: one byte a
//! second would hold a connection and its answer for ever.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// A point in time that can be moved, either way, while something runs
/// against it.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    due: Arc<watch::Sender<Instant>>,
}

impl Deadline {
    pub(crate) fn after(time: Duration) -> Self {
        Deadline {
            due: Arc::new(watch::Sender::new(Instant::now() + time)),
        }
    }

    /// Moves it to `time` from now.
    pub(crate) fn set(&self, time: Duration) {
        self.due.send_replace(Instant::now() + time);
    }

    /// Runs `work` until it is done or the deadline, wherever that is by then,
    /// has come; `work` is dropped then. Says whether it was done.
    pub(crate) async fn enforce(&self, work: impl Future) -> bool {
        let mut due = self.due.subscribe();
        let mut work = pin!(work);
        loop {
            let end = *due.borrow_and_update();
            tokio::select! {
                biased;
                _ = work.as_mut() => return true,
                _ = due.changed() => {}
                () = tokio::time::sleep_until(end) => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: Duration = Duration::from_secs(3600);

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(test);
    }

    #[test]
    fn what_never_ends_is_ended() {
        run(async {
            let deadline = Deadline::after(Duration::from_millis(1));
            assert!(!deadline.enforce(std::future::pending::<()>()).await);
        });
    }

    #[test]
    fn it_can_be_moved_away() {
        run(async {
            let deadline = Deadline::after(Duration::from_millis(1));
            let clock = deadline.clone();
            let done = deadline.enforce(async move {
                clock.set(NEVER);
                tokio::time::sleep(Duration::from_millis(20)).await;
            });
            assert!(done.await);
        });
    }

    #[test]
    fn it_can_be_moved_nearer() {
        run(async {
            let deadline = Deadline::after(NEVER);
            let clock = deadline.clone();
            let done = deadline.enforce(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                clock.set(Duration::from_millis(1));
                std::future::pending::<()>().await;
            });
            assert!(!done.await);
        });
    }
}
