//! What a free compares an address with, so that a what-if child can have all frees.
//!
//! The first test of each free is "is the last byte of the address this or more?". In a
//! program that runs only blocks in the last eight of 256 bytes go out of line, as those of
//! samples do. In a what-if child it is 0, so that every free goes
//! there. The test is one instruction either way on x86-64, whose operand comes from
//! memory in place of the instruction.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::thread;

/// What the last byte of a common block's address does not come to. Marked ones are at
/// 248; of a comparison with that, where it knows the number (fat LTO), the compiler makes
/// a negation and a mask, and of this one just a comparison.
pub(crate) const LAST: u8 = 247;

/// What every address comes to.
pub(crate) const OPEN: u8 = 0;

/// The byte, in a cache line of its own: nothing that the program writes often may
/// lie beside what every free reads.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Gate(UnsafeCell<u8>);

// SAFETY: it is written by `open` alone, when no other thread exists.
unsafe impl Sync for Gate {}

impl Gate {
    pub(crate) const fn closed() -> Self {
        Gate(UnsafeCell::new(LAST))
    }

    /// The byte. An ordinary load: nothing writes it while another thread could read.
    #[inline(always)]
    pub(crate) fn last(&self) -> u8 {
        // SAFETY: see `open`.
        unsafe { *self.0.get() }
    }

    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.last() != LAST
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
        unsafe { self.0.cast::<u8>().write_volatile(OPEN) };
    }
}
