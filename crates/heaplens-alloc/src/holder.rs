//! Who holds sampled blocks: a map, a cache, a queue.
//!
//! A sample knows where its block was allocated. A holder says what keeps the
//! block alive. Whoever puts a value somewhere marks the sampled blocks that the
//! value owns; in a [`Snapshot`](crate::Snapshot) what is marked and alive shows
//! in rows of its own, labelled for example `map=sessions`. A mark goes when the
//! block is freed, when the value leaves its holder, or when another holder
//! marks the block: the last one wins.
//!
//! ```
//! use std::alloc::System;
//! use std::collections::HashMap;
//! use heaplens_alloc::holder::{Holder, held};
//!
//! #[global_allocator]
//! static ALLOC: heaplens_alloc::Alloc<System> = heaplens_alloc::Alloc::with(System);
//!
//! fn main() {
//!     heaplens_alloc::set_sample_interval(1); // every allocation
//!     let sessions = Holder::register("map", "sessions").expect("not 1,000 holders yet");
//!     let mut map = HashMap::new();
//!     let name = String::from("a name on the heap");
//!     sessions.hold_value(&name);
//!     map.insert(1, name);
//!     let held = held().into_iter().find(|held| held.holder == sessions).expect("registered");
//!     assert_eq!(held.contents.bytes, 18.0);
//! }
//! ```
//!
//! Only values whose blocks begin where one of their words points are found:
//! `Box`, `Vec`, `String`, `Arc` and their kin are; a hash table that is itself
//! a value is not, since its pointer leads into the middle of its block. What
//! lies behind the first pointer is not followed. A word of a value that was
//! never written may happen to be the address of any block, which then counts as
//! held until it is freed or marked anew.

use std::cell::Cell;
use std::marker::PhantomData;
use std::num::NonZeroU16;

pub use crate::held::{Held, held};
pub use crate::live::any_live;
use crate::live::{self, Live};
use crate::mark::Mark;
use crate::registry::Registry;
pub use crate::scan::words;
use crate::{scan, store, thread};

/// Holders that can be registered, plus one.
pub const MAX_HOLDERS: usize = 1024;

/// What holds sampled live blocks, by a key and a value: two labels that are
/// equal are one holder.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Holder(NonZeroU16);

/// As what a block is held.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Part {
    /// By a key or value that the holder contains.
    Contents,
    /// The holder's own table, nodes or buffer.
    Table,
}

static LABELS: Registry<MAX_HOLDERS> = Registry::new();

impl Holder {
    /// The holder of this label. The same `key` and `value` give the same
    /// holder. `None` when [`MAX_HOLDERS`] − 1 others are registered.
    ///
    /// The value is copied once, for good; the copy is not sampled. Takes about
    /// 100 ns, more when nearly all are taken. Not to be called from inside an
    /// allocator.
    pub fn register(key: &'static str, value: &str) -> Option<Holder> {
        LABELS.register(key, value).map(Holder)
    }

    /// Key and value, as registered.
    pub fn label(self) -> (&'static str, &'static str) {
        LABELS.get(self.0).unwrap_or_default()
    }

    /// Marks the sampled live block that begins at exactly this address as held.
    /// `false` if there is none. Some 10 to 50 ns, a nanosecond where no sampled
    /// block is alive.
    pub fn hold(self, part: Part, address: usize) -> bool {
        self.hold_if(part, address, |_| true)
    }

    /// As [`Holder::hold`], only if that block was requested with exactly `size`
    /// bytes: for guesses at where a table may begin.
    pub fn hold_sized(self, part: Part, address: usize, size: u64) -> bool {
        self.hold_if(part, address, |found| found == size)
    }

    fn hold_if(self, part: Part, address: usize, wanted: impl Fn(u64) -> bool) -> bool {
        live::may_hold(address)
            && table().is_some_and(|live| {
                let mark = Mark::new(self, part);
                live.mark(address, |_, size| wanted(size).then_some(mark))
            })
    }

    /// Reads every aligned word of the inline bytes of `value` and marks the
    /// sampled live blocks that begin where one of them points as held, as
    /// [`Part::Contents`].
    ///
    /// Compiles to nothing for types that own nothing (without drop glue) or
    /// have no room for an aligned pointer. Otherwise one load where no sampled
    /// block is alive, about a nanosecond a word where some are.
    #[inline]
    pub fn hold_value<T>(self, value: &T) {
        each_candidate(value, |address| self.hold_found(address));
    }

    /// Takes this holder's marks off the blocks that a value owns, found as
    /// [`Holder::hold_value`] finds them. Marks of other holders stay.
    #[inline]
    pub fn release_value<T>(self, value: &T) {
        each_candidate(value, |address| self.release_found(address));
    }

    #[cold]
    #[inline(never)]
    fn hold_found(self, address: usize) {
        if let Some(live) = table() {
            let mark = Mark::new(self, Part::Contents);
            live.mark(address, |_, _| Some(mark));
        }
    }

    #[cold]
    #[inline(never)]
    fn release_found(self, address: usize) {
        if let Some(live) = table() {
            live.mark(address, |mark, _| {
                (mark.holder() == Some(self)).then_some(Mark::NONE)
            });
        }
    }

    /// Until the guard is dropped, blocks that this thread samples are held by
    /// this holder from birth. Guards nest: the innermost one counts. Two
    /// accesses to thread-local state each.
    pub fn enter(self, part: Part) -> Scope {
        Scope {
            outer: thread::replace_mark(Mark::new(self, part)),
            not_send: PhantomData,
        }
    }

    pub(crate) fn id(self) -> NonZeroU16 {
        self.0
    }

    /// The holder of an id that [`Holder::id`] gave.
    pub(crate) fn from_id(id: NonZeroU16) -> Self {
        Holder(id)
    }

    /// All that are registered.
    pub(crate) fn all() -> impl Iterator<Item = Holder> {
        LABELS.ids().map(Holder)
    }
}

/// Calls `visit` with the words of a value at which a sampled live block may begin.
#[inline(always)]
fn each_candidate<T>(value: &T, visit: impl Fn(usize)) {
    if const { scan::may_own::<T>() } && any_live() {
        words(value, |word| {
            if live::may_hold(word) {
                visit(word);
            }
        });
    }
}

/// Who holds the sampled live block that begins at exactly this address; `None` if
/// nobody does or there is no such block. Costs as [`Holder::hold`].
pub fn holder_at(address: usize) -> Option<Holder> {
    let found = Cell::new(None);
    table()?.mark(address, |mark, _| {
        found.set(mark.holder());
        None
    });
    found.get()
}

/// While it lives, what its thread samples has a holder from birth: see
/// [`Holder::enter`]. Guards must be dropped in the reverse order of their
/// making, as they are when each is a local variable.
#[must_use = "the scope ends when the guard is dropped"]
#[derive(Debug)]
pub struct Scope {
    outer: Mark,
    /// Its thread alone may drop it.
    not_send: PhantomData<*const ()>,
}

impl Drop for Scope {
    fn drop(&mut self) {
        thread::replace_mark(self.outer);
    }
}

fn table() -> Option<&'static Live> {
    store::get().map(|store| &store.live)
}
