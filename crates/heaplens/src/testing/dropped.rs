//! Is a value gone?

use std::any::type_name;
use std::mem::align_of_val;
use std::time::{Duration, Instant};
use std::{rc, sync};

use heaplens_alloc::holder;
use heaplens_alloc::untracked;

use crate::units::counted;

/// The first and the longest time between two looks.
const WAITS: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(5)];

/// A weak reference: `std::sync::Weak` or `std::rc::Weak`.
pub trait WeakReference: sealed::Sealed {
    /// What it refers to.
    type Target: ?Sized;

    /// Whether other threads may hold it, so that waiting makes sense.
    const SHARED: bool;

    /// Strong references that there are.
    fn strong_count(&self) -> usize;

    /// Calls `look` with the value, if it is there.
    fn look(&self, look: &mut dyn FnMut(&Self::Target));
}

mod sealed {
    pub trait Sealed {}
    impl<T: ?Sized> Sealed for std::sync::Weak<T> {}
    impl<T: ?Sized> Sealed for std::rc::Weak<T> {}
}

impl<T: ?Sized> WeakReference for sync::Weak<T> {
    type Target = T;
    const SHARED: bool = true;

    fn strong_count(&self) -> usize {
        sync::Weak::strong_count(self)
    }

    fn look(&self, look: &mut dyn FnMut(&T)) {
        if let Some(value) = self.upgrade() {
            look(&value);
        }
    }
}

impl<T: ?Sized> WeakReference for rc::Weak<T> {
    type Target = T;
    const SHARED: bool = false;

    fn strong_count(&self) -> usize {
        rc::Weak::strong_count(self)
    }

    fn look(&self, look: &mut dyn FnMut(&T)) {
        if let Some(value) = self.upgrade() {
            look(&value);
        }
    }
}

/// Asserts that nothing keeps a value alive any more, by a weak reference to it that
/// was taken before. Waits for that up to `timeout`, and returns as soon as it is so.
///
/// An `Rc` is looked at once: nobody but this thread could drop it. In an
/// asynchronous test on one thread the same is true of what its own tasks hold: let
/// them run first.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// let session = Arc::new(String::from("session"));
/// let gone = Arc::downgrade(&session);
/// let worker = std::thread::spawn(move || drop(session));
/// heaplens::testing::assert_dropped_within(&gone, Duration::from_secs(10));
/// # worker.join().unwrap();
/// ```
///
/// # Panics
/// If it is alive after that time, with its type, how many strong references there
/// are, how long it waited, and the tracked map that holds it, if it was put into one
/// while a [`HeapWatch`](super::HeapWatch) recorded its thread.
#[track_caller]
pub fn assert_dropped_within<W: WeakReference>(weak: &W, timeout: Duration) {
    let start = Instant::now();
    let mut wait = WAITS[0];
    while weak.strong_count() > 0 {
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() || !W::SHARED {
            fail(weak, start.elapsed());
        }
        std::thread::sleep(wait.min(left));
        wait = (wait * 2).min(WAITS[1]);
    }
}

#[track_caller]
fn fail<W: WeakReference>(weak: &W, waited: Duration) -> ! {
    let message = untracked(|| {
        let strong = counted(weak.strong_count() as u64, "strong reference");
        let waited = if W::SHARED {
            format!(" after {waited:.1?}")
        } else {
            ", and no other thread could drop it".to_owned()
        };
        let holder = holder_of(weak).map(|holder| format!("; it is held by {holder}"));
        format!(
            "a value of type {} is still alive: {strong}{waited}{}",
            type_name::<W::Target>(),
            holder.unwrap_or_default(),
        )
    });
    panic!("{message}");
}

/// The tracked map that the value's block is marked with, such as `map=sessions`.
fn holder_of<W: WeakReference>(weak: &W) -> Option<String> {
    let mut found = None;
    weak.look(&mut |value| {
        // Two counters come before the value in its block. Were that to change, no
        // block would be found at this address.
        let before = (2 * size_of::<usize>()).next_multiple_of(align_of_val(value));
        let address = std::ptr::from_ref(value).addr().wrapping_sub(before);
        found = holder::holder_at(address);
    });
    found.map(|holder| {
        let (key, value) = holder.label();
        format!("{key}={value}")
    })
}
