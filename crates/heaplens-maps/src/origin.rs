//! What a map is called before it is asked: a name, or where it was made.

use std::panic::Location;

/// Sixteen bytes that a constant map can hold.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Origin {
    Name(&'static str),
    Site(&'static Location<'static>),
}

/// Lengths from here on are not told apart.
const LENGTHS: usize = 1 << 16;

impl Origin {
    /// Where it lies: two origins with equal spots are one and the same text or
    /// place. Equal names at two addresses have two spots.
    #[inline]
    pub(crate) fn spot(self) -> (usize, usize) {
        match self {
            Origin::Name(name) => (name.as_ptr().addr(), name.len()),
            // No text lies at 0. The two words are those of the origin itself,
            // so that this compiles to nothing.
            Origin::Site(site) => (0, std::ptr::from_ref(site).addr()),
        }
    }

    /// A number that tells this origin from all others, if there is one: where
    /// it lies in memory, which static data never leaves.
    #[inline]
    pub(crate) fn identity(self) -> Option<u64> {
        let (address, length) = match self {
            Origin::Name(name) => (name.as_ptr().addr(), name.len() + 1),
            Origin::Site(site) => (std::ptr::from_ref(site).addr(), 0),
        };
        let fits = address >> 48 == 0 && length < LENGTHS;
        fits.then_some(address as u64 | (length as u64) << 48)
    }
}
