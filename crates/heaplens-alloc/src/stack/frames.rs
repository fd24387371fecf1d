//! The frames of one walk, in a buffer on the stack.

use std::mem::MaybeUninit;

use crate::stacks::StackKind;

/// The most frames that are recorded of a stack, as in Go.
pub(crate) const MAX_FRAMES: usize = 128;

/// Return addresses, leaf first.
pub(crate) struct Frames {
    /// Not zeroed beforehand: it is a kilobyte.
    addresses: [MaybeUninit<u64>; MAX_FRAMES],
    /// So many of them, at most all, are initialised.
    len: usize,
    truncated: bool,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Frames {
            addresses: [const { MaybeUninit::uninit() }; MAX_FRAMES],
            len: 0,
            truncated: false,
        }
    }

    /// Takes all frames out.
    pub(crate) fn clear(&mut self) {
        (self.len, self.truncated) = (0, false);
    }

    /// Adds a frame; `false` if there is no room, which marks the stack as cut.
    pub(crate) fn push(&mut self, address: u64) -> bool {
        let Some(place) = self.addresses.get_mut(self.len) else {
            self.truncated = true;
            return false;
        };
        place.write(address);
        self.len += 1;
        true
    }

    /// Adds what `next` gives until it gives nothing more. As [`Frames::push`] does, if
    /// there is more than there is room for.
    #[inline]
    pub(crate) fn fill(&mut self, mut next: impl FnMut() -> Option<u64>) {
        let mut free = self
            .addresses
            .get_mut(self.len..)
            .unwrap_or_default()
            .iter_mut();
        // Counted at the end: a walk reads memory, which the count might be in.
        while let Some(place) = free.next() {
            let Some(address) = next() else {
                self.len = MAX_FRAMES - free.len() - 1;
                return;
            };
            place.write(address);
        }
        self.len = MAX_FRAMES;
        self.truncated = next().is_some();
    }

    pub(crate) fn as_slice(&self) -> &[u64] {
        let filled = self.addresses.get(..self.len).unwrap_or_default();
        // SAFETY: the first `len` were written.
        unsafe { std::slice::from_raw_parts(filled.as_ptr().cast(), filled.len()) }
    }

    pub(crate) fn kind(&self) -> StackKind {
        if self.len == 0 {
            StackKind::Unknown
        } else if self.truncated {
            StackKind::Truncated
        } else {
            StackKind::Captured
        }
    }

    /// Whether `other`, a walk of the same stack by other means, saw the same,
    /// except perhaps the last three frames at the root (the process entry
    /// code has no frame pointers).
    pub(crate) fn agrees_with(&self, other: &Frames) -> bool {
        let (ours, theirs) = (self.as_slice(), other.as_slice());
        let shared = ours.len().min(theirs.len());
        shared > 0
            && ours.len().abs_diff(theirs.len()) <= 3
            && ours.get(..shared) == theirs.get(..shared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_marks_the_cut() {
        let mut frames = Frames::new();
        assert_eq!(frames.kind(), StackKind::Unknown);
        assert!((0..MAX_FRAMES as u64).all(|address| frames.push(address)));
        assert_eq!(frames.kind(), StackKind::Captured);
        assert!(!frames.push(3));
        assert_eq!(frames.kind(), StackKind::Truncated);
        assert!(frames.as_slice().iter().copied().eq(0..MAX_FRAMES as u64));
    }

    #[test]
    fn filling_is_pushing() {
        for some in [0, 1, 5, MAX_FRAMES - 1, MAX_FRAMES, MAX_FRAMES + 1, 500] {
            let (mut pushed, mut filled) = (Frames::new(), Frames::new());
            let mut given = 1..=some as u64;
            pushed.push(0);
            filled.push(0);
            assert_eq!(given.clone().all(|of| pushed.push(of)), some < MAX_FRAMES);
            filled.fill(|| given.next());
            assert_eq!(filled.as_slice(), pushed.as_slice());
            assert_eq!(filled.kind(), pushed.kind(), "{some}");
        }
    }

    #[test]
    fn agreement_allows_for_the_root() {
        let walk = |addresses: &[u64]| {
            let mut frames = Frames::new();
            for address in addresses {
                frames.push(*address);
            }
            frames
        };
        let whole = walk(&[1, 2, 3, 4, 5, 6]);
        assert!(walk(&[1, 2, 3]).agrees_with(&whole));
        assert!(!walk(&[1, 2]).agrees_with(&whole));
        assert!(!walk(&[1, 3, 4, 5, 6]).agrees_with(&whole));
        assert!(!walk(&[]).agrees_with(&walk(&[1])));
    }
}
