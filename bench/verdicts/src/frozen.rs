//! The parameters, and that they are those with which the held-out part was run.

use heaplens::leaks::{Rules, Windows};

use crate::trial::fnv;

/// Digest of the parameters that were frozen before the held-out part was run for the first
/// time.
pub(crate) const FROZEN: u64 = 0xe24b_071b_1d27_6e76;

/// Digest of the parameters that are compiled in.
pub(crate) fn digest() -> u64 {
    let text = format!("{:?} {:?}", Rules::standard(), Windows::standard());
    fnv(text.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_are_those_that_were_frozen() {
        assert_eq!(
            digest(),
            FROZEN,
            "the rules or windows have changed since the held-out part was run: what it says \
             of them now is no judgement; choose other families to hold out"
        );
    }
}
