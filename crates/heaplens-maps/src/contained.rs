//! Running the program's code where its panics must not get through.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `f` returns; `None` if it panics.
pub(crate) fn contained<T>(f: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // A payload may panic when it is dropped, and its payload too: there
            // it ends.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                std::mem::forget(payload);
            }
            None
        }
    }
}
