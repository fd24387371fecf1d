//! Containers behind locks.

use std::sync::{Mutex, RwLock, TryLockError};

/// What is behind a lock, if nobody has it; the lock is never waited for.
macro_rules! locks {
    ($($lock:ty: $name:ident => $try_lock:expr),* $(,)?) => {$(
        impl<M: $crate::MapMetrics> $crate::MapMetrics for $lock {
            fn entries(&self) -> Option<u64> {
                self.figures()?.entries
            }

            fn capacity(&self) -> Option<u64> {
                self.figures()?.capacity
            }

            fn capacity_is_exact(&self) -> bool {
                let $name = self;
                $try_lock.is_some_and(|inner| inner.capacity_is_exact())
            }

            fn table_bytes(&self) -> Option<u64> {
                self.figures()?.table_bytes
            }

            fn max_entries(&self) -> Option<u64> {
                self.figures()?.max_entries
            }

            fn expected_ttl(&self) -> Option<std::time::Duration> {
                self.figures()?.expected_ttl
            }

            fn cache(&self) -> Option<$crate::CacheMetrics> {
                self.figures()?.cache
            }

            fn hold_still(&self, f: &mut dyn FnMut()) -> bool {
                let $name = self;
                $try_lock.is_some_and(|inner| inner.hold_still(f))
            }

            fn figures(&self) -> Option<$crate::Figures> {
                let $name = self;
                $try_lock?.figures()
            }
        }
    )*};
}

#[cfg(any(feature = "parking_lot", feature = "tokio"))]
pub(crate) use locks;

/// A poisoned lock makes no difference.
fn whether_poisoned<G>(guard: Result<G, TryLockError<G>>) -> Option<G> {
    match guard {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

locks!(
    Mutex<M>: lock => whether_poisoned(lock.try_lock()),
    RwLock<M>: lock => whether_poisoned(lock.try_read()),
);

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, VecDeque};

    use super::*;
    use crate::map_metrics::MapMetrics;

    #[test]
    fn a_lock_that_is_held_is_not_waited_for() {
        let map = Mutex::new(HashMap::from([(1, 2)]));
        assert_eq!(map.entries(), Some(1));
        let held = map.lock().expect("not poisoned");
        assert_eq!(map.figures(), None);
        drop(held);
        let map = RwLock::new(VecDeque::from([1, 2, 3]));
        let read = map.read().expect("not poisoned");
        assert_eq!(map.entries(), Some(3), "readers do not exclude one another");
        drop(read);
        let _written = map.write().expect("not poisoned");
        assert_eq!(map.figures(), None);
    }

    #[test]
    fn a_lock_is_held_while_its_content_is_to_be_still() {
        let map = RwLock::new(HashMap::from([(1, 2)]));
        let mut calls = 0;
        assert!(map.hold_still(&mut || {
            calls += 1;
            assert!(map.try_write().is_err() && map.try_read().is_ok());
        }));
        assert_eq!(calls, 1);
        let _written = map.write().expect("not poisoned");
        assert!(!map.hold_still(&mut || panic!("it is being changed")));
    }
}
