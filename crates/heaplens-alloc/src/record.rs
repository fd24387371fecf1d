//! What happens when an allocation is sampled, and when a sampled block is
//! freed or reallocated. All of it is off the common path.
//!
//! Order: a block is entered after the inner allocator gave it and taken out
//! before the inner allocator gets it back, so that an address never stands for
//! two blocks.

use std::alloc::{GlobalAlloc, Layout};
use std::time::Duration;

use crate::ages;
use crate::config::Defaults;
use crate::counters::DropReason;
use crate::filter;
use crate::label_sets::LabelSet;
use crate::live::{self, Block, Reserved};
use crate::mark::Mark;
use crate::os;
use crate::peak;
use crate::sampler::Weight;
use crate::sites::{self, Key, SiteId};
use crate::stack::frames::Frames;
use crate::store::{self, Store};
use crate::tag::Shape;
use crate::thread::{self, Decision};
use crate::watches::{self, Tag};

/// An allocation that ended a stretch of the countdown.
///
/// # Safety
/// As [`GlobalAlloc::alloc`].
#[cold]
#[inline(never)]
pub(crate) unsafe fn alloc<A: GlobalAlloc>(
    inner: &A,
    layout: Layout,
    zeroed: bool,
    defaults: &Defaults,
) -> *mut u8 {
    match thread::decide(layout.size(), defaults) {
        // SAFETY: by the caller's promise on `layout`.
        Decision::Pass => unsafe { obtain(inner, layout, zeroed) },
        Decision::Inside => {
            // SAFETY: by the caller's promise on `layout`.
            own(layout).unwrap_or_else(|| unsafe { obtain(inner, layout, zeroed) })
        }
        // SAFETY: by the caller's promise on `layout`.
        Decision::Sample { interval } => unsafe {
            sampled(inner, layout, zeroed, interval, defaults)
        },
    }
}

/// A block from the profiler's own memory, zeroed. It is recognised as a
/// sampled one is, so that its free comes to [`dealloc`], which knows the
/// arena's addresses.
fn own(layout: Layout) -> Option<*mut u8> {
    let shape = Shape::of(layout);
    let memory = store::get()?.arena.allocate(shape.inner_layout(layout)?)?;
    let block = memory.as_ptr().wrapping_add(shape.offset(layout.align()));
    if shape == Shape::Plain {
        filter::UNMARKED.add(block.addr());
    }
    Some(block)
}

/// # Safety
/// As [`GlobalAlloc::alloc`].
unsafe fn obtain<A: GlobalAlloc>(inner: &A, layout: Layout, zeroed: bool) -> *mut u8 {
    // SAFETY: by the caller's promise on `layout`.
    unsafe {
        if zeroed {
            inner.alloc_zeroed(layout)
        } else {
            inner.alloc(layout)
        }
    }
}

/// # Safety
/// As [`GlobalAlloc::alloc`].
unsafe fn sampled<A: GlobalAlloc>(
    inner: &A,
    layout: Layout,
    zeroed: bool,
    interval: u64,
    defaults: &Defaults,
) -> *mut u8 {
    let shape = Shape::of(layout);
    let Some((inner_layout, ticket)) = shape.inner_layout(layout).zip(Ticket::prepare(
        layout,
        shape,
        interval,
        Mark::NONE,
        defaults,
    )) else {
        // SAFETY: by the caller's promise on `layout`.
        return unsafe { obtain(inner, layout, zeroed) };
    };
    // SAFETY: no smaller than `layout`, hence not of size zero.
    let base = unsafe { obtain(inner, inner_layout, zeroed) };
    let block = base.wrapping_add(shape.offset(layout.align()));
    if !base.is_null() && fits(block) {
        ticket.enter(block);
        return block;
    }
    ticket.cancel();
    if shape == Shape::Plain {
        return base;
    }
    // What is not in the table must not bear a mark.
    // SAFETY: `base`, if any, was obtained just now with this very layout; by
    // the caller's promise on `layout`.
    unsafe {
        if !base.is_null() {
            inner.dealloc(base, inner_layout);
        }
        let plain = obtain(inner, layout, zeroed);
        if base.is_null() && !plain.is_null() {
            store::count_drop(DropReason::NoMemory);
        }
        plain
    }
}

/// Whether the table can hold a block at this address; counted if not.
fn fits(block: *mut u8) -> bool {
    let fits = live::fits(block.addr());
    if !fits {
        store::count_drop(DropReason::AddressRange);
    }
    fits
}

/// A sample that is ready to be entered: its stack is captured and its slot
/// reserved, so that entering it cannot fail.
struct Ticket {
    store: &'static Store,
    reserved: Reserved,
    block: Block,
}

impl Ticket {
    /// Captures the stack and reserves a slot. `None`, counted, if there is no
    /// room: the sample is lost. The block has this mark, or that of the scope
    /// that the thread is in.
    fn prepare(
        layout: Layout,
        shape: Shape,
        interval: u64,
        mark: Mark,
        defaults: &Defaults,
    ) -> Option<Self> {
        let ticket = thread::inside(|| {
            let Some(store) = store::get_or_make(defaults) else {
                store::count_drop(DropReason::NoMemory);
                return None;
            };
            let Some(reserved) = store.live.reserve() else {
                store::count_drop(DropReason::LiveTableFull);
                return None;
            };
            let size = layout.size() as u64;
            let block = Block {
                size,
                interval,
                born: os::now(),
                site: site_of(store, size).0,
                shape,
                mark: mark.or_else(thread::mark),
                tag: if interval == 1 { Tag::now() } else { Tag::NONE },
            };
            Some(Ticket {
                store,
                reserved,
                block,
            })
        });
        thread::sampled(interval);
        ticket
    }

    /// Enters the block that was obtained, at an address that [`fits`].
    fn enter(self, block: *mut u8) {
        let Ticket {
            store,
            reserved,
            block: entry,
        } = self;
        // Counted before it is entered: a snapshot that sees the block alive
        // has it among the cumulative ones too.
        let weight = entry.weight();
        store.sites.record(&store.arena, &entry, weight);
        watches::allocated(&entry);
        store.live.enter(reserved, block.addr(), &entry);
        peak::entered(weight);
    }

    fn cancel(self) {
        self.store.live.release(self.reserved);
    }
}

/// The site of the allocation in progress.
fn site_of(store: &Store, size: u64) -> SiteId {
    let mut frames = Frames::new();
    if !store.capture.capture(&mut frames) {
        store::count_drop(DropReason::WalkersBusy);
    }
    let key = Key {
        stack: intern(store, &frames),
        size_class: sites::size_class(size),
        labels: labels(),
    };
    store.sites.intern(&store.arena, key).unwrap_or_else(|| {
        store::count_drop(DropReason::SiteTableFull);
        store.sites.overflow()
    })
}

/// The labels in force; counted if they are not those that were asked for.
fn labels() -> LabelSet {
    let labels = thread::labels();
    if labels.is_overflow() {
        store::count_drop(DropReason::LabelSetsFull);
    }
    if labels.is_incomplete() {
        store::count_drop(DropReason::LabelRefused);
    }
    LabelSet::from_number(labels.number())
}

fn intern(store: &Store, frames: &Frames) -> crate::stacks::StackId {
    if frames.as_slice().is_empty() {
        store::count_drop(DropReason::NoStack);
        return store.stacks.unknown();
    }
    store
        .stacks
        .intern(&store.arena, frames.as_slice(), frames.kind())
        .unwrap_or_else(|| {
            store::count_drop(DropReason::StackTableFull);
            store.stacks.overflow()
        })
}

/// Frees a block that may have been sampled.
///
/// # Safety
/// As [`GlobalAlloc::dealloc`].
#[inline(never)]
pub(crate) unsafe fn dealloc<A: GlobalAlloc>(inner: &A, ptr: *mut u8, layout: Layout) {
    if let Some(store) = store::get() {
        if store.arena.contains(ptr.addr()) {
            // The profiler's own; the arena takes nothing back.
            return;
        }
        if let Some((reserved, block)) = store.live.detach(ptr.addr()) {
            store.live.release(reserved);
            let weight = dies(&block);
            note_lifetime(store, &block, weight);
            // SAFETY: the block was obtained in this shape.
            unsafe { give_back(inner, ptr, layout, block.shape) };
            return;
        }
    }
    // SAFETY: by the caller's promise; an unsampled block is the inner's own.
    unsafe { inner.dealloc(ptr, layout) };
}

/// Takes a block that left the table out of what is alive. Returns its weight.
fn dies(block: &Block) -> Weight {
    watches::freed(block);
    let weight = block.weight();
    peak::left(weight);
    weight
}

/// Takes [`dies`] back.
fn lives_on(block: &Block, weight: Weight) {
    watches::restored(block);
    peak::entered(weight);
}

/// Counts how long a block lived that is freed.
fn note_lifetime(store: &Store, block: &Block, weight: Weight) {
    let age = Duration::from_nanos(os::now().saturating_sub(block.born));
    let (sites, class) = (&store.sites, ages::age_class(age));
    if !sites.record_freed(&store.arena, block, weight, class) {
        store::count_drop(DropReason::LifetimesFull);
    }
}

/// # Safety
/// `ptr` must be a block of `layout` that was obtained in this shape and is no
/// longer in the table.
unsafe fn give_back<A: GlobalAlloc>(inner: &A, ptr: *mut u8, layout: Layout, shape: Shape) {
    let base = ptr.wrapping_sub(shape.offset(layout.align()));
    if let Some(inner_layout) = shape.inner_layout(layout) {
        // SAFETY: base and layout are those that the inner allocator gave.
        unsafe { inner.dealloc(base, inner_layout) };
    }
}

/// Reallocates a block that may have been sampled, or whose new size ended a
/// stretch of the countdown (`charged`: [`thread::charge`] was called for the
/// new size and said so).
///
/// A realloc counts as a free of the old block and an allocation of the whole
/// new one, as in every sampler that is unbiased.
///
/// # Safety
/// As [`GlobalAlloc::realloc`].
#[inline(never)]
pub(crate) unsafe fn realloc<A: GlobalAlloc>(
    inner: &A,
    ptr: *mut u8,
    layout: Layout,
    new_size: usize,
    charged: bool,
    defaults: &Defaults,
) -> *mut u8 {
    let store = store::get();
    if let Some(store) = store
        && store.arena.contains(ptr.addr())
    {
        // SAFETY: by the caller's promise.
        return unsafe { move_own(inner, ptr, layout, new_size, charged, defaults) };
    }
    let old = store.and_then(|store| store.live.detach(ptr.addr()));
    let old = old.map(|(reserved, block)| (reserved, dies(&block), block));
    let crossed = charged || thread::charge(new_size);
    let interval = match crossed.then(|| thread::decide(new_size, defaults)) {
        Some(Decision::Sample { interval }) => Some(interval),
        _ => None,
    };
    let (old_shape, mark) = old
        .as_ref()
        .map_or((Shape::Plain, Mark::NONE), |(.., block)| {
            (block.shape, block.mark)
        });
    let resize = Resize {
        inner,
        ptr,
        layout,
        shape: old_shape,
        // SAFETY: the caller's promise includes that this is a valid layout.
        new_layout: unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) },
    };
    // SAFETY: the block was obtained in `old_shape` and is not in the table.
    let new = unsafe {
        match interval {
            Some(interval) => resize.sampled(interval, mark, defaults),
            None => resize.to(Shape::Plain, |_| true),
        }
    };
    match (new, store, old) {
        (Ok(new), Some(store), Some((reserved, weight, block))) => {
            store.live.release(reserved);
            note_lifetime(store, &block, weight);
            new
        }
        (Ok(new), ..) => new,
        (Err(_), Some(store), Some((reserved, weight, block))) => {
            store.live.enter(reserved, ptr.addr(), &block);
            lives_on(&block, weight);
            std::ptr::null_mut()
        }
        (Err(_), ..) => std::ptr::null_mut(),
    }
}

/// Why a block could not be resized; the old one stands.
enum Failure {
    /// The inner allocator gave nothing.
    Null,
    /// It gave an address that the table cannot hold.
    Unfit,
}

/// A block on its way to another size. It is not in the table meanwhile.
struct Resize<'a, A> {
    inner: &'a A,
    ptr: *mut u8,
    layout: Layout,
    shape: Shape,
    new_layout: Layout,
}

impl<A: GlobalAlloc> Resize<'_, A> {
    /// Resizes and enters the new block, with the mark of the old one; if the
    /// table refuses it, resizes only.
    ///
    /// # Safety
    /// As [`Resize::to`].
    unsafe fn sampled(
        &self,
        interval: u64,
        mark: Mark,
        defaults: &Defaults,
    ) -> Result<*mut u8, Failure> {
        let shape = Shape::of(self.new_layout);
        let Some(ticket) = Ticket::prepare(self.new_layout, shape, interval, mark, defaults) else {
            // SAFETY: by the caller's promise.
            return unsafe { self.to(Shape::Plain, |_| true) };
        };
        // SAFETY: by the caller's promise.
        match unsafe { self.to(shape, fits) } {
            Ok(new) if shape == Shape::Plain && !fits(new) => {
                ticket.cancel();
                Ok(new)
            }
            Ok(new) => {
                ticket.enter(new);
                Ok(new)
            }
            Err(Failure::Unfit) => {
                ticket.cancel();
                // SAFETY: by the caller's promise: the old block stands.
                unsafe { self.to(Shape::Plain, |_| true) }
            }
            Err(Failure::Null) if shape == Shape::Plain => {
                ticket.cancel();
                Err(Failure::Null)
            }
            Err(Failure::Null) => {
                ticket.cancel();
                // What the mark takes more may be what is missing.
                // SAFETY: by the caller's promise: the old block stands.
                let new = unsafe { self.to(Shape::Plain, |_| true) };
                if new.is_ok() {
                    store::count_drop(DropReason::NoMemory);
                }
                new
            }
        }
    }

    /// Brings the block to its new size in the shape given.
    ///
    /// # Safety
    /// The block must be live and in its shape, and not in the table.
    unsafe fn to(&self, shape: Shape, fits: impl Fn(*mut u8) -> bool) -> Result<*mut u8, Failure> {
        if self.shape == Shape::Plain && shape == Shape::Plain {
            // SAFETY: as the inner allocator gave it; in place if it can.
            let new = unsafe {
                self.inner
                    .realloc(self.ptr, self.layout, self.new_layout.size())
            };
            return if new.is_null() {
                Err(Failure::Null)
            } else {
                Ok(new)
            };
        }
        // One of the two is marked and so less than 4 KiB long: what is copied
        // is never more than that.
        let inner_layout = shape.inner_layout(self.new_layout).ok_or(Failure::Null)?;
        // SAFETY: a valid layout of at least the requested size.
        let base = unsafe { self.inner.alloc(inner_layout) };
        if base.is_null() {
            return Err(Failure::Null);
        }
        let new = base.wrapping_add(shape.offset(self.new_layout.align()));
        if !fits(new) {
            // SAFETY: obtained just now with this very layout.
            unsafe { self.inner.dealloc(base, inner_layout) };
            return Err(Failure::Unfit);
        }
        let len = self.layout.size().min(self.new_layout.size());
        // SAFETY: both blocks are live, distinct, and at least this long; then
        // the old one goes back in the shape that it has.
        unsafe {
            std::ptr::copy_nonoverlapping(self.ptr, new, len);
            give_back(self.inner, self.ptr, self.layout, self.shape);
        }
        Ok(new)
    }
}

/// Reallocates a piece of the arena: into another piece, or out of it.
///
/// # Safety
/// As [`GlobalAlloc::realloc`], for a block in the arena.
unsafe fn move_own<A: GlobalAlloc>(
    inner: &A,
    ptr: *mut u8,
    layout: Layout,
    new_size: usize,
    charged: bool,
    defaults: &Defaults,
) -> *mut u8 {
    // SAFETY: the caller's promise includes that this is a valid layout.
    let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
    // SAFETY: a valid layout of non-zero size; `decide` is asked exactly once.
    let new = unsafe {
        if charged || thread::charge(new_size) {
            alloc(inner, new_layout, false, defaults)
        } else {
            inner.alloc(new_layout)
        }
    };
    if !new.is_null() {
        // SAFETY: both are live, distinct, and at least this long.
        unsafe { std::ptr::copy_nonoverlapping(ptr, new, layout.size().min(new_size)) };
    }
    new
}
