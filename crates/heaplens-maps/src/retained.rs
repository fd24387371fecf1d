//! What the maps of a group retain: what dropping them now would give back.
//!
//! Only the thread that has a map knows that nothing changes it. So whoever asks puts a
//! mark on the map, beside a figure that each operation looks at anyway, and the thread
//! forks at the map's next operation: see [`Slot::ask`](crate::slot::Slot::ask). The
//! child's answer is waited for by who asked. A probed container is measured by who
//! asks, under the container's own lock.

mod answer;
mod desk;
mod error;
mod inquiry;

use std::time::{Duration, SystemTime};

use heaplens_alloc::retained::{self, Limits};

use crate::slot::Slot;

pub use answer::GroupRetained;
pub use error::AskError;
pub use inquiry::MAX_MEASURED;

/// Measures what the maps and probed containers of a group retain, exactly: bytes that
/// dropping each of them now would free, and where those were allocated. What that means,
/// and what it does not count, is said of [`heaplens_alloc::retained`](mod@heaplens_alloc::retained); it must be
/// allowed by [`heaplens_alloc::allow_what_if`].
///
/// ```
/// use std::time::Duration;
/// use heaplens_alloc::{Alloc, allow_what_if, retained::Limits};
/// use heaplens_maps::{TrackedHashMap, retained};
///
/// #[global_allocator]
/// static ALLOC: Alloc<std::alloc::System> = Alloc::with(std::alloc::System);
///
/// fn main() {
///     allow_what_if(true);
///     let mut sessions = TrackedHashMap::named("sessions");
///     sessions.insert(0, vec![0u8; 1000]);
///     let asking = std::thread::spawn(|| {
///         retained("sessions", Duration::from_secs(60), Limits::default())
///     });
///     // The thread that has the map takes the measurement at one of these.
///     while !asking.is_finished() {
///         sessions.insert(0, vec![0u8; 1000]);
///     }
///     let answer = asking.join().expect("no panic").expect("an answer");
///     assert_eq!((answer.measured, answer.maps), (1, 1));
///     assert_eq!(answer.retained.blocks, 2); // the vector and the table
///     assert!(answer.retained.bytes > 1000);
/// }
/// ```
///
/// A tracked map answers at its next operation, whatever reads it or inserts into it
/// (removals alone do not), on the thread that makes it, which pauses for the fork. A
/// map that is not used within `patience` does not answer. Containers behind a lock are
/// measured while it is held for reading; if others keep it locked for so long, they do
/// not answer either. Of many maps the [`MAX_MEASURED`] largest are measured, one after
/// the other, within `limits` each: [`GroupRetained`] says how many are not in the sum.
///
/// Waits, for at most `patience` and as long as the children take: call it on a thread
/// that owns none of these maps and may wait. While nobody asks, maps cost what they did.
///
/// # Errors
/// [`AskError`], if nothing could be measured.
pub fn retained(
    group: &str,
    patience: Duration,
    limits: Limits,
) -> Result<GroupRetained, AskError> {
    heaplens_alloc::untracked(|| inquiry::hold(group, patience, limits))
}

/// Begins to measure what a map retains that was [asked](Slot::ask) for, unless nobody
/// waits for it any more.
pub(crate) fn answer<T: ?Sized>(slot: &'static Slot, container: &T) {
    if let Some(errand) = desk::take_up(slot) {
        let at = SystemTime::now();
        let begun = retained::start(container, errand.limits);
        desk::deliver(slot, &errand, at, begun);
    }
}
