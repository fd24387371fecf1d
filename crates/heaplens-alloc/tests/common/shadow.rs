//! A shadow of the heap: what lives, and what must be written there.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::OnceLock;

use heaplens_alloc::Tally;

use super::blocks::Block;
use super::random::Random;

/// The largest block, 100 KB.
pub(crate) const MAX_SIZE: usize = 100_000;
const PHASES: usize = 251;

/// Blocks with known contents, driven at random.
#[derive(Debug)]
pub(crate) struct Shadow<'a, A: GlobalAlloc> {
    alloc: &'a A,
    random: Random,
    live: Vec<(Block, usize)>,
    limit: usize,
    /// Requests for a block that were granted.
    pub(crate) granted: u64,
    /// Requests that were refused.
    pub(crate) refused: u64,
}

/// What a block that was written in phase `phase` holds.
fn pattern(phase: usize, len: usize) -> &'static [u8] {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| {
        let mut random = Random::new(99);
        (0..MAX_SIZE + PHASES)
            .map(|_| random.next() as u8)
            .collect()
    });
    &noise[phase..phase + len]
}

static ZEROES: [u8; MAX_SIZE] = [0; MAX_SIZE];

impl<'a, A: GlobalAlloc> Shadow<'a, A> {
    /// Keeps at most `limit` blocks alive.
    pub(crate) fn new(alloc: &'a A, seed: u64, limit: usize) -> Self {
        Shadow {
            alloc,
            random: Random::new(seed),
            live: Vec::new(),
            limit,
            granted: 0,
            refused: 0,
        }
    }

    /// One random call: of four, roughly two allocate, one resizes, one frees.
    pub(crate) fn step(&mut self) {
        match self.random.below(8) {
            _ if self.live.is_empty() => self.allocate(),
            0..4 if self.live.len() < self.limit => self.allocate(),
            4 | 5 => self.resize(),
            _ => self.free(),
        }
    }

    fn size(&mut self) -> usize {
        self.random.size(17).min(MAX_SIZE)
    }

    fn allocate(&mut self) {
        let (size, align) = (self.size(), self.random.align(13));
        let layout = Layout::from_size_align(size, align).expect("a valid layout");
        let zeroed = self.random.below(4) == 0;
        // SAFETY: the size is above zero.
        let ptr = unsafe {
            if zeroed {
                self.alloc.alloc_zeroed(layout)
            } else {
                self.alloc.alloc(layout)
            }
        };
        if ptr.is_null() {
            self.refused += 1;
            return;
        }
        self.granted += 1;
        if zeroed {
            assert!(read(ptr, size) == &ZEROES[..size], "{layout:?} is not zero");
        }
        let phase = self.write(ptr, layout);
        self.live.push((Block { ptr, layout }, phase));
    }

    fn resize(&mut self) {
        let index = self.random.below(self.live.len());
        let (block, phase) = self.live[index];
        let old = block.layout.size();
        let size = if self.random.coin() {
            self.size()
        } else {
            (old + self.random.below(old)).min(MAX_SIZE)
        };
        // SAFETY: a live block with its layout; the size is above zero.
        let ptr = unsafe { self.alloc.realloc(block.ptr, block.layout, size) };
        if ptr.is_null() {
            self.refused += 1;
            self.verify(index);
            return;
        }
        self.granted += 1;
        let kept = old.min(size);
        assert!(
            read(ptr, kept) == pattern(phase, kept),
            "{block:?} to {size}"
        );
        let layout = Layout::from_size_align(size, block.layout.align()).expect("a valid layout");
        let phase = self.write(ptr, layout);
        self.live[index] = (Block { ptr, layout }, phase);
    }

    fn free(&mut self) {
        let index = self.random.below(self.live.len());
        self.verify(index);
        let (block, _) = self.live.swap_remove(index);
        super::blocks::release(self.alloc, block);
    }

    /// Fills a new block, after a look at its alignment.
    fn write(&mut self, ptr: *mut u8, layout: Layout) -> usize {
        assert_eq!(ptr.addr() % layout.align(), 0, "{layout:?}");
        let phase = self.random.below(PHASES);
        let bytes = pattern(phase, layout.size());
        // SAFETY: a new block of this size.
        unsafe { ptr.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        phase
    }

    fn verify(&self, index: usize) {
        let (block, phase) = self.live[index];
        let size = block.layout.size();
        assert!(read(block.ptr, size) == pattern(phase, size), "{block:?}");
    }

    /// Blocks alive.
    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }

    /// What is in use if every block was sampled with weight one.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (block, _) in &self.live {
            tally.record(block.layout.size() as u64, 1);
        }
        tally
    }

    /// Reads all blocks once more and frees them.
    pub(crate) fn finish(mut self) {
        while !self.live.is_empty() {
            self.free();
        }
    }
}

impl<A: GlobalAlloc> Drop for Shadow<'_, A> {
    /// Leaves nothing behind in the tables when a test fails.
    fn drop(&mut self) {
        for (block, _) in self.live.drain(..) {
            super::blocks::release(self.alloc, block);
        }
    }
}

fn read<'b>(ptr: *mut u8, len: usize) -> &'b [u8] {
    // SAFETY: called on live blocks of at least this length, which this thread
    // owns and has written, or obtained zeroed; the slice is not kept.
    unsafe { std::slice::from_raw_parts(ptr, len) }
}
