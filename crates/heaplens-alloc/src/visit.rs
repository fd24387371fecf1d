//! Live samples and totals of sites one by one, for those who add them up in ways of their
//! own and need no stacks.

use std::time::Duration;

use crate::holder::{Holder, Part};
use crate::live::Block;
use crate::sampler::Weight;
use crate::tally::Tally;
use crate::{os, store, thread};

/// A sampled block that is alive.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LiveSample {
    /// The [`id`](crate::Site::id) of the row that it was allocated in.
    pub site: u32,
    /// Requested bytes.
    pub size: u64,
    /// Objects that it stands for.
    pub objects: f64,
    /// Bytes that it stands for.
    pub bytes: f64,
    /// Time since it was allocated, or last resized by a sampled `realloc`.
    pub age: Duration,
    /// Who holds it, and as what.
    pub holder: Option<(Holder, Part)>,
}

impl LiveSample {
    fn of(block: &Block, now: u64) -> Self {
        let weight = Weight::new(block.size, block.interval);
        LiveSample {
            site: block.site,
            size: block.size,
            objects: weight.objects(),
            bytes: weight.bytes(),
            age: Duration::from_nanos(now.saturating_sub(block.born)),
            holder: block
                .mark
                .holder()
                .map(|holder| (holder, block.mark.part())),
        }
    }
}

/// Calls `visit` for each sampled block that is alive, in no particular order. A block that
/// comes or goes meanwhile is seen or not; nobody waits for this. Some 20 ns each, and what
/// `visit` takes; what that allocates is not sampled.
pub fn each_live(mut visit: impl FnMut(&LiveSample)) {
    thread::untracked(|| {
        if let Some(store) = store::get() {
            let now = os::now();
            store
                .live
                .for_each(|block| visit(&LiveSample::of(block, now)));
        }
    });
}

/// Calls `visit` with the [`id`](crate::Site::id) of each row in which anything was
/// allocated and all that was, since sampling began. Some 20 ns each, and what `visit` takes;
/// what that allocates is not sampled.
///
/// After [`each_live`], no row has more alive than was allocated.
pub fn each_site(mut visit: impl FnMut(u32, &Tally)) {
    thread::untracked(|| {
        if let Some(store) = store::get() {
            store.sites.for_each(&store.arena, |site, _, alloc| {
                if alloc.samples > 0 {
                    visit(site.0, &alloc);
                }
            });
        }
    });
}
