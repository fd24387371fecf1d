//! What the caches of a group count together: hits, misses and the like.
//!
//! The counters belong to the group, not to a cache, so that nothing is lost
//! when a cache goes. They are striped by thread: a read of a cache must not
//! make all others wait for one cache line.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use heaplens_alloc::holder::any_live;

use crate::group::{Cause, Group, MAX_GROUPS, State};
use crate::map_metrics::CacheMetrics;
use crate::slot::GroupId;

const STRIPES: usize = 8;

/// One thread's share, in the order of [`What`].
#[repr(align(64))]
struct Stripe([AtomicU64; What::COUNT]);

/// The counters.
#[derive(Clone, Copy)]
pub(crate) enum What {
    Hits,
    Misses,
    Puts,
    EvictionWeight,
    Uncaused,
}

impl What {
    const COUNT: usize = 5;
}

/// The counters of one group.
pub(crate) struct Traffic {
    /// Which counters anybody ever counted with: a bit each, by [`What`].
    known: AtomicU32,
    stripes: [Stripe; STRIPES],
}

/// Indexed by [`GroupId`]. Zeroes, which take no memory until they are used.
static TRAFFIC: [Traffic; MAX_GROUPS + 2] = [const { Traffic::new() }; MAX_GROUPS + 2];

static NEXT_STRIPE: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The stripe of this thread.
#[inline]
fn stripe() -> usize {
    match STRIPE.get() {
        usize::MAX => {
            let stripe = NEXT_STRIPE.fetch_add(1, Ordering::Relaxed) % STRIPES;
            STRIPE.set(stripe);
            stripe
        }
        stripe => stripe,
    }
}

impl Traffic {
    const fn new() -> Self {
        Traffic {
            known: AtomicU32::new(0),
            stripes: [const { Stripe([const { AtomicU64::new(0) }; What::COUNT]) }; STRIPES],
        }
    }

    pub(crate) fn of(group: Group) -> Option<&'static Traffic> {
        TRAFFIC.get(usize::from(group.state().id.0))
    }

    #[inline]
    pub(crate) fn count(&self, what: What, by: u64) {
        if !self.knows(what) {
            self.declare(what);
        }
        let counter = self
            .stripes
            .get(stripe())
            .and_then(|stripe| stripe.0.get(what as usize));
        if let Some(counter) = counter {
            counter.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Says that somebody counts this, so that zero means zero.
    pub(crate) fn declare(&self, what: What) {
        self.known.fetch_or(1 << what as u32, Ordering::Relaxed);
    }

    fn is_used(&self) -> bool {
        self.known.load(Ordering::Relaxed) != 0
    }

    #[inline]
    fn knows(&self, what: What) -> bool {
        self.known.load(Ordering::Relaxed) & 1 << what as u32 != 0
    }

    /// `None` if nobody counts this.
    fn sum(&self, what: What) -> Option<u64> {
        self.knows(what).then(|| {
            self.stripes
                .iter()
                .filter_map(|stripe| stripe.0.get(what as usize))
                .map(|counter| counter.load(Ordering::Relaxed))
                .fold(0, u64::wrapping_add)
        })
    }
}

impl fmt::Debug for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traffic").finish_non_exhaustive()
    }
}

/// Whether anything was ever counted for the group.
pub(crate) fn counts(state: &State) -> bool {
    let traffic = TRAFFIC.get(usize::from(state.id.0));
    traffic.is_some_and(Traffic::is_used)
        || state
            .evictions
            .iter()
            .any(|count| count.load(Ordering::Relaxed) != 0)
}

/// What the group has counted: `None` if nobody ever counted for it.
pub(crate) fn counted(group: GroupId, evictions: &[u64; Cause::ALL.len()]) -> Option<CacheMetrics> {
    let traffic = TRAFFIC.get(usize::from(group.0))?;
    let evicted = evictions.iter().any(|&count| count != 0);
    if !traffic.is_used() && !evicted {
        return None;
    }
    Some(CacheMetrics {
        hits: traffic.sum(What::Hits),
        misses: traffic.sum(What::Misses),
        puts: traffic.sum(What::Puts),
        evictions: evictions.map(|count| evicted.then_some(count)),
        evictions_uncaused: traffic.sum(What::Uncaused),
        eviction_weight: traffic.sum(What::EvictionWeight),
        weight: None,
        max_weight: None,
    })
}

/// For caches of the program's own: what they count shows as the group's
/// [`CacheReport`](crate::CacheReport).
impl Group {
    /// Counts lookups that found an entry. An atomic addition.
    #[inline]
    pub fn count_hits(self, lookups: u64) {
        self.count(What::Hits, lookups);
    }

    /// Counts lookups that found none.
    #[inline]
    pub fn count_misses(self, lookups: u64) {
        self.count(What::Misses, lookups);
    }

    /// Counts entries that were put in.
    #[inline]
    pub fn count_puts(self, entries: u64) {
        self.count(What::Puts, entries);
    }

    /// Counts the weight of entries that left, beside
    /// [`Group::count_evictions`].
    #[inline]
    pub fn count_eviction_weight(self, weight: u64) {
        self.count(What::EvictionWeight, weight);
    }

    fn count(self, what: What, by: u64) {
        if let Some(traffic) = Traffic::of(self) {
            traffic.count(what, by);
        }
    }

    /// Marks the sampled blocks that a value owns directly as held by this
    /// group: for a key or value on its way into a container that is probed.
    /// Costs a load where no sampled block is alive or the type owns nothing,
    /// else a nanosecond a word.
    #[inline]
    pub fn hold<T>(self, value: &T) {
        if std::mem::needs_drop::<T>()
            && any_live()
            && let Some(holder) = self.state().holder
        {
            holder.hold_value(value);
        }
    }

    /// Takes this group's marks off a value that leaves the container but lives
    /// on. What is dropped loses them by itself.
    #[inline]
    pub fn release<T>(self, value: &T) {
        if std::mem::needs_drop::<T>()
            && any_live()
            && let Some(holder) = self.state().holder
        {
            holder.release_value(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up_and_nothing_is_made_up() {
        let group = Group::named("traffic-test");
        let none = [0; Cause::ALL.len()];
        assert_eq!(counted(group.state().id, &none), None);
        let threads: Vec<_> = (0..20)
            .map(|_| {
                std::thread::spawn(move || {
                    for _ in 0..100 {
                        group.count_hits(2);
                        group.count_misses(1);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().expect("counting does not panic");
        }
        let cache = counted(group.state().id, &none).expect("a cache");
        assert_eq!((cache.hits, cache.misses), (Some(4000), Some(2000)));

        let listener = Group::named("traffic-test-listener");
        let cache = counted(listener.state().id, &[1, 0, 0, 2]).expect("evictions");
        assert_eq!((cache.hits, cache.puts), (None, None));
        assert_eq!(cache.evictions, [Some(1), Some(0), Some(0), Some(2)]);
    }
}
