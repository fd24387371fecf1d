//! The frames of one walk, in a buffer on the stack.

use crate::stacks::StackKind;

/// The most frames that are recorded of a stack, as in Go.
pub(crate) const MAX_FRAMES: usize = 128;

/// Return addresses, leaf first.
pub(crate) struct Frames {
    addresses: [u64; MAX_FRAMES],
    len: usize,
    truncated: bool,
}

impl Frames {
    pub(crate) fn new() -> Self {
        Frames {
            addresses: [0; MAX_FRAMES],
            len: 0,
            truncated: false,
        }
    }

    /// Adds a frame; `false` if there is no room, which marks the stack as cut.
    pub(crate) fn push(&mut self, address: u64) -> bool {
        let Some(place) = self.addresses.get_mut(self.len) else {
            self.truncated = true;
            return false;
        };
        *place = address;
        self.len += 1;
        true
    }

    pub(crate) fn as_slice(&self) -> &[u64] {
        self.addresses.get(..self.len).unwrap_or_default()
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
