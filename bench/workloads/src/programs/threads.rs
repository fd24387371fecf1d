//! The same work in several threads.

use super::Figures;
use crate::at_depth;

/// Calls `work` with the number of each thread, from 0: in this thread if one is wanted. Returns
/// when all are done, with no figures.
pub(super) fn on_each_thread(threads: usize, work: impl Fn(usize) + Sync) -> Figures {
    if threads == 1 {
        at_depth(|| work(0));
    } else {
        std::thread::scope(|scope| {
            for thread in 0..threads {
                let work = &work;
                scope.spawn(move || at_depth(|| work(thread)));
            }
        });
    }
    Figures::new()
}
