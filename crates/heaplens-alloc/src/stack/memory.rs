//! The part of the stack that a walk may read.

use crate::word;

/// Addresses between the stack pointer and the end of the stack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackMemory {
    /// The first word.
    start: u64,
    words: u64,
    /// Bytes below the stack pointer that may still be used.
    room: u64,
}

impl StackMemory {
    /// What may be read from the stack pointer `sp` on.
    ///
    /// If `sp` does not lie on the thread's own stack (a coroutine's, a signal
    /// stack) nothing is known of its end but that the page of `sp` exists.
    pub(crate) fn from(sp: u64, bounds: Option<(usize, usize)>) -> Self {
        let start = sp.checked_next_multiple_of(8).unwrap_or(u64::MAX);
        let (end, room) = match bounds {
            Some((lowest, end)) if (lowest as u64..end as u64).contains(&sp) => {
                (end as u64, sp - lowest as u64)
            }
            _ => ((sp | 0xfff).wrapping_add(1), 0),
        };
        StackMemory {
            start,
            words: end.saturating_sub(start) / 8,
            room,
        }
    }

    /// The word at `address`, if it lies on the stack.
    #[inline]
    pub(crate) fn read(&self, address: u64) -> Option<u64> {
        // SAFETY: aligned and between the stack pointer of a function that has
        // not returned and the end of its stack, all of which is mapped and
        // written by this thread alone. The compiler may keep a slot there
        // uninitialised; the word is read by an instruction that it does not
        // see through, and is only ever compared and used as an address to
        // check.
        (self.index(address) < self.words)
            .then(|| unsafe { word::read(address as *const usize) } as u64)
    }

    /// The words at `address` and behind it, if both lie on the stack.
    #[inline]
    pub(crate) fn read_two(&self, address: u64) -> Option<(u64, u64)> {
        if self.index(address) >= self.words.saturating_sub(1) {
            return None;
        }
        // SAFETY: as in `read`, and it is not the last word.
        let (first, second) = unsafe { word::read_two(address as *const usize) };
        Some((first as u64, second as u64))
    }

    /// The distance of an address from the first word, in words; more than there can
    /// be if it is not aligned or lies below.
    #[inline]
    fn index(&self, address: u64) -> u64 {
        address.wrapping_sub(self.start).rotate_right(3)
    }

    /// Bytes that the stack can still grow by; 0 if that is not known.
    pub(crate) fn room(&self) -> u64 {
        self.room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_stack_above_sp_is_read() {
        let words = [11u64, 12, 13, 14];
        let at = words.as_ptr() as u64;
        let memory = StackMemory::from(at + 8, Some((at as usize - 64, at as usize + 32)));
        assert_eq!(memory.room(), 72);
        assert_eq!(memory.read(at), None, "below sp");
        assert_eq!(memory.read(at + 8), Some(12));
        assert_eq!(memory.read(at + 24), Some(14));
        for outside in [at + 32, at + 25, at + 9, 0, 1, u64::MAX, u64::MAX - 7] {
            assert_eq!(memory.read(outside), None, "{outside:#x}");
            assert_eq!(memory.read_two(outside), None, "{outside:#x}");
        }
        assert_eq!(memory.read_two(at), None, "one below sp");
        assert_eq!(memory.read_two(at + 8), Some((12, 13)));
        assert_eq!(memory.read_two(at + 16), Some((13, 14)));
        assert_eq!(memory.read_two(at + 24), None, "one beyond the end");
    }

    #[test]
    fn on_a_foreign_stack_one_page_is_read() {
        let memory = StackMemory::from(0x7000_0ff0, Some((0x1000, 0x2000)));
        assert_eq!(memory.start + memory.words * 8, 0x7000_1000, "its end");
        for odd in [0x7000_0ff9, u64::MAX] {
            assert_eq!(
                StackMemory::from(odd, None).words,
                0,
                "none is whole: {odd:#x}"
            );
        }
    }
}
