//! A first look for sampled addresses: one byte says that there is none.
//!
//! A table of small counters, indexed by a hash of the address. Zero means that
//! no address with this hash was entered; anything else sends the caller to the
//! exact table. A counter that once reached its maximum stays there.

use std::sync::atomic::{AtomicU8, Ordering};

/// Sampled blocks that bear no mark: most frees of large blocks end here.
pub(crate) static UNMARKED: Filter<{ 1 << 16 }> = Filter::new();

/// All sampled blocks that are alive: most words of a scan end here. With 4,000
/// samples 6 % of other addresses pass it, with 40,000 one in two.
pub(crate) static ALL: Filter<{ 1 << 16 }> = Filter::new();

/// A filter of `LEN` counters, a power of two.
pub(crate) struct Filter<const LEN: usize>([AtomicU8; LEN]);

impl<const LEN: usize> Filter<LEN> {
    const fn new() -> Self {
        assert!(LEN.is_power_of_two() && LEN > 1);
        Filter([const { AtomicU8::new(0) }; LEN])
    }

    #[inline(always)]
    fn counter(&self, address: usize) -> &AtomicU8 {
        // Fibonacci hashing; the top bits depend on all bits of the address. The
        // index is below LEN by the shift, which the compiler sees.
        let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.0[(hash >> (u64::BITS - LEN.trailing_zeros())) as usize]
    }

    /// Whether a block at this address may have been entered.
    #[inline(always)]
    pub(crate) fn may_hold(&self, address: usize) -> bool {
        // The block was entered before its address reached the thread that asks,
        // so that thread sees the count without more ordering.
        self.counter(address).load(Ordering::Relaxed) != 0
    }

    /// Enters a block.
    pub(crate) fn add(&self, address: usize) {
        let _ = self
            .counter(address)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                count.checked_add(1)
            });
    }

    /// Takes a block out.
    pub(crate) fn remove(&self, address: usize) {
        let _ = self
            .counter(address)
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count != u8::MAX).then(|| count.saturating_sub(1))
            });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sticks_at_the_maximum() {
        let filter: Filter<64> = Filter::new();
        let address = 0x7abc_d000;
        assert!(!filter.may_hold(address));
        filter.add(address);
        filter.add(address);
        filter.remove(address);
        assert!(filter.may_hold(address));
        filter.remove(address);
        assert!(!filter.may_hold(address));
        for _ in 0..300 {
            filter.add(address);
        }
        for _ in 0..300 {
            filter.remove(address);
        }
        assert!(
            filter.may_hold(address),
            "a full counter is never trusted again"
        );
    }

    #[test]
    fn tells_most_addresses_apart() {
        let filter: Filter<{ 1 << 12 }> = Filter::new();
        for number in 0..256 {
            filter.add(0x7f00_0000_0008 + number * 48);
        }
        let others = (0..1_000).map(|number| 0x7f10_0000_0000 + number * 64);
        let passed = others.filter(|&other| filter.may_hold(other)).count();
        // One in sixteen is expected.
        assert!(passed < 125, "{passed} of 1,000");
    }
}
