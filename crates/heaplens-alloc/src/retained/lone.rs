//! State of a process that has one thread.

/// A static that is used in a what-if child only, where no other thread exists. The
/// parent has it too, and never touches it.
pub(super) struct Lone<T>(T);

// SAFETY: `get` is for the one thread of a child.
unsafe impl<T> Sync for Lone<T> {}

impl<T> Lone<T> {
    pub(super) const fn new(value: T) -> Self {
        Lone(value)
    }

    /// # Safety
    /// This is a what-if child, which has one thread.
    #[inline(always)]
    pub(super) unsafe fn get(&self) -> &T {
        &self.0
    }
}
