//! A first look for blocks that bear no mark: most frees of large blocks end
//! here, after one byte was read.
//!
//! A table of small counters, indexed by a hash of the address. Zero means that
//! no unmarked sampled block has this hash; anything else sends the free to the
//! exact table. A counter that once reached its maximum stays there.

use std::sync::atomic::{AtomicU8, Ordering};

const BITS: u32 = 16;

static COUNTERS: [AtomicU8; 1 << BITS] = [const { AtomicU8::new(0) }; 1 << BITS];

#[inline(always)]
fn counter(address: usize) -> &'static AtomicU8 {
    // Fibonacci hashing; the top bits depend on all bits of the address. The
    // index is below 2^BITS by the shift, which the compiler sees.
    let hash = (address as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    &COUNTERS[(hash >> (64 - BITS)) as usize]
}

/// Whether an unmarked block at this address may have been sampled.
#[inline(always)]
pub(crate) fn may_hold(address: usize) -> bool {
    // The block was entered before its address reached the thread that frees
    // it, so that thread sees the count without more ordering.
    counter(address).load(Ordering::Relaxed) != 0
}

/// Enters an unmarked block.
pub(crate) fn add(address: usize) {
    let _ = counter(address).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
        count.checked_add(1)
    });
}

/// Takes an unmarked block out.
pub(crate) fn remove(address: usize) {
    let _ = counter(address).fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
        (count != u8::MAX).then(|| count.saturating_sub(1))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sticks_at_the_maximum() {
        let address = 0x7abc_d000;
        assert!(!may_hold(address));
        add(address);
        add(address);
        remove(address);
        assert!(may_hold(address));
        remove(address);
        assert!(!may_hold(address));
        for _ in 0..300 {
            add(address);
        }
        for _ in 0..300 {
            remove(address);
        }
        assert!(may_hold(address), "a full counter is never trusted again");
    }
}
