//! Putting something into a place that all threads see, once and for good.

use std::sync::atomic::{AtomicPtr, Ordering};

/// Puts a value into an empty place; gives it back, with what is there, if the place is
/// taken by now. What is published is never freed.
pub(crate) fn publish<T>(place: &AtomicPtr<T>, value: Box<T>) -> Result<(), (Box<T>, *mut T)> {
    let value = Box::into_raw(value);
    place
        .compare_exchange(
            std::ptr::null_mut(),
            value,
            Ordering::AcqRel,
            Ordering::Acquire,
        )
        .map(drop)
        // SAFETY: made by `into_raw` above, and not published.
        .map_err(|now| (unsafe { Box::from_raw(value) }, now))
}
