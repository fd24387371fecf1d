//! Locks that are not std's. They are not waited for.

use crate::map_metrics::locks;

#[cfg(feature = "parking_lot")]
locks!(
    ::parking_lot::Mutex<M>: lock => lock.try_lock(),
    ::parking_lot::RwLock<M>: lock => lock.try_read(),
);

#[cfg(feature = "tokio")]
locks!(
    ::tokio::sync::Mutex<M>: lock => lock.try_lock().ok(),
    ::tokio::sync::RwLock<M>: lock => lock.try_read().ok(),
);
