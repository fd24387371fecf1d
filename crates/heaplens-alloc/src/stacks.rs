//! Interned call stacks: each distinct one is stored once and for good.
//!
//! A chained hash table in the arena. Chains only grow, so readers need no
//! lock, and a writer publishes a stack with one compare-and-swap.

use std::alloc::Layout;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::arena::Arena;

/// How much of a stack was recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StackKind {
    /// All frames that the walk could see.
    #[default]
    Captured,
    /// The walk stopped at its depth limit: callers further out are missing.
    Truncated,
    /// No frame could be read, or all walkers were busy.
    Unknown,
    /// The table of stacks was full: the sample counts, its stack is lost.
    Overflow,
}

/// Names a stack: its place in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct StackId(pub(crate) u32);

#[repr(C, align(8))]
struct Node {
    /// The next node of the chain, 0 at its end.
    next: AtomicU32,
    len: u16,
    kind: u8,
    hash: u64,
    // `len` frames follow.
}

pub(crate) struct Stacks {
    heads: &'static [AtomicU32],
    count: AtomicU32,
    unknown: StackId,
    overflow: StackId,
}

impl Stacks {
    /// Makes a table with `heads` chains; a power of two serves best.
    pub(crate) fn new(arena: &Arena, heads: usize) -> Option<Self> {
        let node = |kind| allocate(arena, &[], kind, 0).map(|node| StackId(arena.index_of(node)));
        Some(Stacks {
            // SAFETY: atomics, for which zero is a value.
            heads: unsafe { arena.zeroed_slice(heads)? },
            count: AtomicU32::new(0),
            unknown: node(StackKind::Unknown)?,
            overflow: node(StackKind::Overflow)?,
        })
    }

    /// The stack of samples whose frames could not be read.
    pub(crate) fn unknown(&self) -> StackId {
        self.unknown
    }

    /// The stack of samples whose own did not fit any more.
    pub(crate) fn overflow(&self) -> StackId {
        self.overflow
    }

    /// Distinct stacks recorded.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.count.load(Ordering::Relaxed))
    }

    /// The name of the stack with these return addresses, leaf first; `None`
    /// if it is new and does not fit.
    pub(crate) fn intern(&self, arena: &Arena, frames: &[u64], kind: StackKind) -> Option<StackId> {
        let hash = hash(frames);
        let head = self
            .heads
            .get((hash >> 32) as usize % self.heads.len().max(1))?;
        let mut first = head.load(Ordering::Acquire);
        if let Some(known) = find(arena, first, 0, hash, frames, kind) {
            return Some(known);
        }
        let node = allocate(arena, frames, kind, hash)?;
        let id = arena.index_of(node);
        loop {
            node.next.store(first, Ordering::Relaxed);
            match head.compare_exchange(first, id, Ordering::Release, Ordering::Acquire) {
                Ok(_) => {
                    self.count.fetch_add(1, Ordering::Relaxed);
                    return Some(StackId(id));
                }
                Err(now) => {
                    // Only what came in since the last look can be the same;
                    // then the node just made is left unused.
                    if let Some(known) = find(arena, now, first, hash, frames, kind) {
                        return Some(known);
                    }
                    first = now;
                }
            }
        }
    }
}

/// Frames and kind of a stack that [`Stacks::intern`] on the same arena named.
pub(crate) fn get(arena: &Arena, id: StackId) -> (&[u64], StackKind) {
    // SAFETY: ids come from `intern` alone.
    let node = unsafe { arena.at::<Node>(id.0) };
    (node.frames(), kind_of(node.kind))
}

fn find(
    arena: &Arena,
    mut id: u32,
    end: u32,
    hash: u64,
    frames: &[u64],
    kind: StackKind,
) -> Option<StackId> {
    while id != end && id != 0 {
        // SAFETY: chains hold ids of nodes only.
        let node = unsafe { arena.at::<Node>(id) };
        if node.hash == hash && node.kind == kind as u8 && node.frames() == frames {
            return Some(StackId(id));
        }
        id = node.next.load(Ordering::Acquire);
    }
    None
}

fn allocate(arena: &Arena, frames: &[u64], kind: StackKind, hash: u64) -> Option<&'static Node> {
    let len = u16::try_from(frames.len()).ok()?;
    let layout = Layout::new::<Node>();
    let (layout, offset) = layout
        .extend(Layout::array::<u64>(frames.len()).ok()?)
        .ok()?;
    let memory = arena.allocate(layout)?;
    // SAFETY: the memory is fresh, aligned for Node and has room for the node
    // and, behind it, the frames; nobody else knows it yet.
    unsafe {
        memory.cast::<Node>().write(Node {
            next: AtomicU32::new(0),
            len,
            kind: kind as u8,
            hash,
        });
        memory
            .add(offset)
            .cast::<u64>()
            .copy_from_nonoverlapping(std::ptr::NonNull::from(frames).cast(), frames.len());
        Some(memory.cast::<Node>().as_ref())
    }
}

impl Node {
    fn frames(&self) -> &[u64] {
        // SAFETY: `allocate` wrote `len` frames right behind the node, in the
        // same piece of the arena, and nobody writes them again. The pointer
        // is exposed-free: the piece's provenance covers the whole arena
        // mapping, of which `self` was derived without narrowing.
        unsafe {
            let first = std::ptr::from_ref(self).add(1).cast::<u64>();
            std::slice::from_raw_parts(first, usize::from(self.len))
        }
    }
}

fn kind_of(bits: u8) -> StackKind {
    [
        StackKind::Captured,
        StackKind::Truncated,
        StackKind::Unknown,
    ]
    .into_iter()
    .find(|kind| *kind as u8 == bits)
    .unwrap_or(StackKind::Overflow)
}

/// Multiply and rotate over the frames, then mix: fast, and good enough for
/// addresses that nobody chooses in bad faith.
fn hash(frames: &[u64]) -> u64 {
    let folded = frames.iter().fold(frames.len() as u64, |hash, frame| {
        (hash.rotate_left(5) ^ frame).wrapping_mul(0x517c_c1b7_2722_0a95)
    });
    crate::sampler::Random(folded).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arena(len: usize) -> &'static Arena {
        Box::leak(Box::new(Arena::reserve(len).expect("memory")))
    }

    #[test]
    fn equal_stacks_are_one() {
        let arena = arena(1 << 16);
        let stacks = Stacks::new(arena, 4).expect("fits");
        let captured = StackKind::Captured;
        let one = stacks.intern(arena, &[1, 2, 3], captured).expect("fits");
        assert_eq!(stacks.intern(arena, &[1, 2, 3], captured), Some(one));
        let cut = stacks.intern(arena, &[1, 2, 3], StackKind::Truncated);
        assert_ne!(cut, Some(one));
        assert_eq!(get(arena, one), (&[1u64, 2, 3][..], captured));
        assert_eq!(stacks.len(), 2);
        let (frames, kind) = get(arena, stacks.overflow());
        assert_eq!((frames.len(), kind), (0, StackKind::Overflow));
    }

    #[test]
    fn a_full_arena_refuses_new_stacks_and_knows_the_old() {
        let arena = arena(4096);
        let stacks = Stacks::new(arena, 4).expect("fits");
        let known: Vec<_> = (0..1000u64)
            .map_while(|n| stacks.intern(arena, &[n; 20], StackKind::Captured))
            .collect();
        assert!(known.len() > 10 && known.len() < 30, "{}", known.len());
        for (n, id) in known.iter().enumerate() {
            let again = stacks.intern(arena, &[n as u64; 20], StackKind::Captured);
            assert_eq!(again, Some(*id));
        }
    }

    #[test]
    fn threads_agree_on_the_names() {
        let arena = arena(1 << 20);
        let stacks: &'static Stacks = Box::leak(Box::new(Stacks::new(arena, 2).expect("fits")));
        let intern = move || -> Vec<_> {
            (0..500u64)
                .map(|n| stacks.intern(arena, &[n, n + 1], StackKind::Captured))
                .collect()
        };
        let workers: Vec<_> = (0..4).map(|_| std::thread::spawn(intern)).collect();
        let expected = intern();
        for worker in workers {
            assert_eq!(worker.join().expect("no panic"), expected);
        }
        assert_eq!(stacks.len(), 500);
    }
}
