//! Single flight: requests for the same costly thing share one making of it.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::work::Failure;

type Outcome<T> = Result<Arc<T>, Failure>;
type Seat<T> = watch::Receiver<Option<Outcome<T>>>;

/// At most one `T` in the making. Who asks meanwhile gets the same one; who
/// asks afterwards gets a new one.
///
/// The making runs as a task of its own: it does not depend on whether the
/// request that began it is still there, and whatever its end, the next
/// request finds the way free.
#[derive(Debug)]
pub(crate) struct Flight<T> {
    current: Arc<Mutex<Option<Seat<T>>>>,
}

impl<T: Send + Sync + 'static> Flight<T> {
    pub(crate) fn new() -> Self {
        Flight {
            current: Arc::default(),
        }
    }

    /// Takes part in the making that runs, or begins one. Needs a tokio
    /// runtime.
    pub(crate) async fn join<F, M>(&self, make: F) -> Outcome<T>
    where
        F: FnOnce() -> M,
        M: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let mut seat = self.board(make);
        match seat.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(Failure::Stopped)),
            // The task was dropped with its runtime.
            Err(_) => Err(Failure::Stopped),
        }
    }

    fn board<F, M>(&self, make: F) -> Seat<T>
    where
        F: FnOnce() -> M,
        M: Future<Output = Result<T, Failure>> + Send + 'static,
    {
        let mut current = lock(&self.current);
        if let Some(seat) = current.as_ref()
            && seat.has_changed().is_ok()
        {
            return seat.clone();
        }
        let (arrival, seat) = watch::channel(None);
        *current = Some(seat.clone());
        let board = Arc::clone(&self.current);
        let making = make();
        tokio::spawn(async move {
            let outcome = making.await.map(Arc::new);
            *lock(&board) = None;
            arrival.send_replace(Some(outcome));
        });
        seat
    }
}

/// Nothing panics while this is held; if it did, the value is whole anyway.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(test);
    }

    #[test]
    fn those_who_ask_meanwhile_share_it() {
        run(async {
            let flight = Arc::new(Flight::<usize>::new());
            let (made, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
            let requests: Vec<_> = (0..20)
                .map(|_| {
                    let (flight, made, gate) =
                        (Arc::clone(&flight), Arc::clone(&made), Arc::clone(&gate));
                    tokio::spawn(async move {
                        flight
                            .join(|| async move {
                                gate.notified().await;
                                Ok(made.fetch_add(1, Ordering::Relaxed))
                            })
                            .await
                    })
                })
                .collect();
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            gate.notify_one();
            for request in requests {
                assert_eq!(request.await.unwrap(), Ok(Arc::new(0)));
            }
            let again = flight.join(|| async { Ok(9) }).await;
            assert_eq!(again, Ok(Arc::new(9)), "afterwards a new one is made");
        });
    }

    #[test]
    fn the_one_who_began_it_may_leave() {
        run(async {
            let flight = Arc::new(Flight::<u8>::new());
            let gate = Arc::new(Notify::new());
            let (first, opened) = (Arc::clone(&flight), Arc::clone(&gate));
            let leaver = tokio::spawn(async move {
                first
                    .join(|| async move {
                        opened.notified().await;
                        Ok(1)
                    })
                    .await
            });
            while lock(&flight.current).is_none() {
                tokio::task::yield_now().await;
            }
            leaver.abort();
            assert!(leaver.await.unwrap_err().is_cancelled());
            let second = Arc::clone(&flight);
            let stayer = tokio::spawn(async move { second.join(|| async { Ok(2) }).await });
            tokio::task::yield_now().await;
            gate.notify_one();
            assert_eq!(stayer.await.unwrap(), Ok(Arc::new(1)));
            assert!(lock(&flight.current).is_none());
        });
    }

    #[test]
    fn failure_reaches_all_and_frees_the_way() {
        run(async {
            let flight = Flight::<u8>::new();
            assert_eq!(
                flight.join(|| async { Err(Failure::Busy) }).await,
                Err(Failure::Busy)
            );
            let panicked = flight.join(|| async { panic!("on purpose") }).await;
            assert_eq!(panicked, Err(Failure::Stopped));
            assert_eq!(flight.join(|| async { Ok(3) }).await, Ok(Arc::new(3)));
        });
    }
}
