//! Costly work: off the event loop, one at a time, with few in the queue.

use std::fmt;
use std::sync::Arc;

use hyper::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::respond::{self, Reply};

/// Requests with different work that may wait.
const WAITERS: usize = 8;

/// Why work was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Too many wait already.
    Busy,
    /// It was begun and failed, for this reason.
    Failed(String),
    /// The agent is stopping.
    Stopped,
}

impl Failure {
    /// The answer that says so.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Failure::Busy => respond::later(StatusCode::TOO_MANY_REQUESTS, 5, &self.to_string()),
            Failure::Failed(_) => {
                respond::error(StatusCode::INTERNAL_SERVER_ERROR, &self.to_string())
            }
            Failure::Stopped => {
                respond::later(StatusCode::SERVICE_UNAVAILABLE, 5, &self.to_string())
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Busy => write!(f, "{WAITERS} other requests are waiting; try again later"),
            Failure::Failed(reason) => f.write_str(reason),
            Failure::Stopped => f.write_str("the agent is stopping"),
        }
    }
}

/// One worker and its queue. A request that leaves while it waits gives up its
/// place; what has begun runs to its end, and the next begins only then.
#[derive(Debug)]
pub(crate) struct Work {
    /// Held while working.
    turn: Arc<Semaphore>,
    /// Held while waiting and working.
    places: Arc<Semaphore>,
}

impl Work {
    pub(crate) fn new() -> Self {
        Work {
            turn: Arc::new(Semaphore::new(1)),
            places: Arc::new(Semaphore::new(WAITERS + 1)),
        }
    }

    /// Does the job on a thread for blocking work, outside the profile.
    pub(crate) async fn run<T, F>(&self, job: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| Failure::Busy)?;
        self.take_turn(job, Some(place)).await
    }

    /// As [`run`](Work::run), for what was let in before.
    pub(crate) async fn run_admitted<T, F>(&self, job: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        self.take_turn(job, None).await
    }

    async fn take_turn<T, F>(
        &self,
        job: F,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let turn = Arc::clone(&self.turn)
            .acquire_owned()
            .await
            .map_err(|_| Failure::Stopped)?;
        let held = (place, turn);
        let done = tokio::task::spawn_blocking(move || {
            let result = heaplens_alloc::untracked(job);
            drop(held);
            result
        });
        done.await.map_err(|error| {
            if error.is_panic() {
                Failure::Failed("heaplens failed while working on the answer".to_owned())
            } else {
                Failure::Stopped
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .build()
            .unwrap()
    }

    #[test]
    fn nine_are_let_in_and_the_tenth_is_not() {
        runtime().block_on(async {
            let work = Arc::new(Work::new());
            let (release, released) = mpsc::channel::<()>();
            let first = Arc::clone(&work);
            let mut jobs = vec![tokio::spawn(async move {
                first.run(move || released.recv().is_err()).await
            })];
            for _ in 0..WAITERS {
                let work = Arc::clone(&work);
                jobs.push(tokio::spawn(async move { work.run(|| true).await }));
            }
            while work.places.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(work.run(|| true).await, Err(Failure::Busy));
            drop(release);
            for job in jobs {
                assert_eq!(job.await.unwrap(), Ok(true));
            }
            assert_eq!(work.run(|| true).await, Ok(true));
        });
    }

    #[test]
    fn a_panic_frees_the_turn_and_the_place() {
        runtime().block_on(async {
            let work = Work::new();
            for _ in 0..=WAITERS + 1 {
                let failed = work.run(|| panic!("on purpose")).await;
                assert!(matches!(failed, Err(Failure::Failed(_))), "{failed:?}");
            }
            assert_eq!(work.run(|| 7).await, Ok(7));
        });
    }

    #[test]
    fn one_that_leaves_gives_up_its_place() {
        runtime().block_on(async {
            let work = Arc::new(Work::new());
            let (release, released) = mpsc::channel::<()>();
            let first = Arc::clone(&work);
            let running = tokio::spawn(async move { first.run(move || released.recv()).await });
            let second = Arc::clone(&work);
            let waiting = tokio::spawn(async move { second.run(|| ()).await });
            while work.places.available_permits() > WAITERS - 1 {
                tokio::task::yield_now().await;
            }
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert_eq!(work.places.available_permits(), WAITERS);
            drop(release);
            assert!(running.await.unwrap().is_ok());
        });
    }
}
