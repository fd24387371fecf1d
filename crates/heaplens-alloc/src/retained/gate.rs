//! What a free tests an address against, so that a what-if child can have all frees.
//!
//! A test of each free is "has the address a bit in common with this word?". In a
//! program that runs the word is 8, and only addresses of 8 mod 16 go out of line:
//! those of sampled blocks. In a what-if child it has all bits, so that every free
//! goes there, but for the smallest and the largest blocks, which are out of line
//! anyway. The test is one instruction either way on x86-64, whose operand comes from
//! memory in place of the instruction.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::thread;

/// Addresses that common blocks do not have: 8 mod 16.
const ODD: usize = 8;

/// The word, in a cache line of its own: nothing that the program writes often may
/// lie beside what every free reads.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Gate(UnsafeCell<usize>);

// SAFETY: it is written by `open` alone, when no other thread exists.
unsafe impl Sync for Gate {}

impl Gate {
    pub(crate) const fn closed() -> Self {
        Gate(UnsafeCell::new(ODD))
    }

    /// The word. An ordinary load: nothing writes it while another thread could read.
    #[inline(always)]
    pub(crate) fn word(&self) -> usize {
        // SAFETY: see `open`.
        unsafe { *self.0.get() }
    }

    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.word() != ODD
    }
}

/// The gate of the global allocator, once it is known.
static OF_GLOBAL: AtomicPtr<Gate> = AtomicPtr::new(ptr::null_mut());

/// The gate of an allocator that serves a request of [`thread::probe`].
pub(crate) fn found(gate: &Gate) {
    OF_GLOBAL.store(ptr::from_ref(gate).cast_mut(), Ordering::Relaxed);
}

/// A gate of the process's global allocator, for a child to open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key(*mut Gate);

impl Key {
    /// `None` if the global allocator is not one of this crate's. Asks it for a byte
    /// on the first call.
    pub(super) fn find() -> Option<Key> {
        let known = OF_GLOBAL.load(Ordering::Relaxed);
        if !known.is_null() {
            return Some(Key(known));
        }
        thread::probe(|| drop(std::hint::black_box(Box::new(0u8))));
        let found = OF_GLOBAL.load(Ordering::Relaxed);
        (!found.is_null()).then_some(Key(found))
    }

    /// Sends all frees out of line from now on, and with them what is reallocated.
    ///
    /// # Safety
    /// No other thread may exist in this process, now or later.
    pub(super) unsafe fn open(self) {
        // SAFETY: a global allocator is a static, so the gate is there, and no other
        // thread reads it, by the caller's promise. `UnsafeCell` has the layout of
        // what it holds.
        unsafe { self.0.cast::<usize>().write_volatile(usize::MAX) };
    }
}
