//! Size classes by number, so that a child can count in them without a table to grow.

use crate::sites;

/// How many there are: up to the largest size of an allocation.
pub(super) const CLASSES: usize = 9 + 56 * 4;

/// Number of the class of a request.
pub(super) fn index(size: u64) -> usize {
    let bound = sites::size_class(size);
    let index = match bound {
        0..=8 => 0,
        9..=128 => bound / 16,
        _ => {
            // Four classes between 2^k and 2^(k+1), from 2^7 on.
            let doubling = (bound - 1).ilog2();
            let quarter = (bound - (1 << doubling)) >> (doubling - 2);
            8 + u64::from(doubling - 7) * 4 + quarter
        }
    };
    (index as usize).min(CLASSES - 1)
}

/// Upper bound of the class with this number, in bytes.
pub(super) fn bound(index: usize) -> u64 {
    match index {
        0 => 8,
        1..=8 => index as u64 * 16,
        _ => {
            let above = index.min(CLASSES - 1) - 9;
            let doubling = 7 + above / 4;
            let quarter = above % 4 + 1;
            (1 << doubling) + ((quarter as u64) << (doubling - 2))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Numbers and bounds are those of the classes that sites have.
        #[test]
        fn bounds_are_those_of_sites(bits in 0u32..63, more: u64) {
            let size = (1u64 << bits | (more & ((1 << bits) - 1))).min(isize::MAX as u64);
            prop_assert_eq!(bound(index(size)), sites::size_class(size));
        }
    }

    #[test]
    fn every_number_has_its_own_bound() {
        let bounds: Vec<_> = (0..CLASSES).map(bound).collect();
        assert!(bounds.is_sorted_by(|a, b| a < b), "{bounds:?}");
        for (number, bound) in bounds.iter().enumerate() {
            assert_eq!(index(*bound), number);
        }
        assert_eq!(bounds.last(), Some(&(1 << 63)));
        assert_eq!(index(u64::MAX), CLASSES - 1);
    }
}
