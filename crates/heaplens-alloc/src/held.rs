//! What each holder holds.

use std::time::{Duration, SystemTime};

use crate::holder::{Holder, MAX_HOLDERS, Part};
use crate::live::Block;
use crate::tally::Tally;
use crate::{os, store, thread};

/// Estimates of what one holder holds.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Held {
    /// Who holds it.
    pub holder: Holder,
    /// Blocks that its keys and values own.
    pub contents: Tally,
    /// Its own table, nodes or buffer.
    pub table: Tally,
    /// When the oldest of the sampled blocks of `contents` was allocated;
    /// `None` if there is none.
    pub oldest: Option<SystemTime>,
}

/// What is held at about this moment: one element for each registered holder,
/// also for those that hold nothing sampled, in no particular order.
///
/// About 100 ns a live sample. What it allocates is not sampled.
pub fn held() -> Vec<Held> {
    thread::untracked(|| {
        let mut sums: Vec<Sum> = vec![Sum::default(); MAX_HOLDERS];
        if let Some(store) = store::get() {
            store.live.for_each(|block| {
                let holder = block.mark.holder();
                if let Some(sum) = holder.and_then(|of| sums.get_mut(usize::from(of.id().get()))) {
                    sum.add(block);
                }
            });
        }
        let (wall, now) = (SystemTime::now(), os::now());
        let birth = |born| wall.checked_sub(Duration::from_nanos(now.saturating_sub(born)));
        Holder::all()
            .filter_map(|holder| {
                let sum = sums.get(usize::from(holder.id().get()))?;
                Some(Held {
                    holder,
                    contents: sum.contents,
                    table: sum.table,
                    oldest: sum.oldest.and_then(birth),
                })
            })
            .collect()
    })
}

#[derive(Clone, Default)]
struct Sum {
    contents: Tally,
    table: Tally,
    oldest: Option<u64>,
}

impl Sum {
    fn add(&mut self, block: &Block) {
        match block.mark.part() {
            Part::Table => self.table.record(block.size, block.interval),
            Part::Contents => {
                self.contents.record(block.size, block.interval);
                let oldest = self
                    .oldest
                    .map_or(block.born, |known| known.min(block.born));
                self.oldest = Some(oldest);
            }
        }
    }
}
