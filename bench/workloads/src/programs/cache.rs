//! A cache of a fixed number of entries, much larger than those of the processor.

use super::map::Fixed;
use super::random::Random;
use super::{Job, Work, on_each_thread};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Entries of each thread's cache.
const ENTRIES: u64 = 80_000;

struct Cache {
    entries: HashMap<u64, Vec<u8>, Fixed>,
    next: u64,
    random: Random,
}

/// A unit is a new entry of 0.5 to 2 KB that replaces the oldest. The caches, of some 100 MB each,
/// are full before.
pub(super) fn prepare(job: Job) -> Work {
    let caches: Vec<Mutex<Cache>> = (0..job.threads)
        .map(|_| Mutex::new(Cache::full()))
        .collect();
    Box::new(move |count| {
        on_each_thread(job.threads, |thread| {
            let mut cache = caches[thread]
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for _ in 0..count {
                cache.replace();
            }
        })
    })
}

impl Cache {
    fn full() -> Self {
        let mut cache = Cache {
            entries: HashMap::default(),
            next: 0,
            random: Random::new(5),
        };
        for _ in 0..ENTRIES {
            cache.replace();
        }
        cache
    }

    fn replace(&mut self) {
        let size = 500 + self.random.below(1_500);
        self.entries.insert(self.next, vec![1; size]);
        if let Some(oldest) = self.next.checked_sub(ENTRIES) {
            self.entries.remove(&oldest);
        }
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_entries_are_kept() {
        let mut cache = Cache::full();
        for _ in 0..100 {
            cache.replace();
        }
        assert_eq!(cache.entries.len() as u64, ENTRIES);
        assert!(!cache.entries.contains_key(&99) && cache.entries.contains_key(&100));
        let bytes: usize = cache.entries.values().map(Vec::len).sum();
        assert!((95_000_000..105_000_000).contains(&bytes), "{bytes} bytes");
    }
}
