//! What B-tree maps and sets have in common: nodes that come and go with the
//! entries, whose bytes are estimated from how many entries there are.

use heaplens_alloc::holder::{self, Part};

use crate::handle::Handle;
use crate::table_bytes;
use crate::watched::{Container, Watched};

/// A container of nodes.
pub(crate) trait Tree: Container {}

fn bytes<C: Tree>(len: usize) -> u64 {
    table_bytes::btree::<C::Key, C::Value>(len)
}

/// As [`Container::publish`].
#[inline]
pub(crate) fn publish<C: Tree>(inner: &C, handle: &mut Handle) {
    let len = inner.count();
    if handle.publish_nodes(len, bytes::<C>(len)) {
        handle.answer(inner);
    }
}

/// As [`Container::heal`].
#[inline]
pub(crate) fn heal<C: Tree>(inner: &C, handle: &Handle) {
    let len = inner.count();
    if handle.read(len, len) {
        handle.answer(inner);
        handle.heal_nodes(len, bytes::<C>(len));
    }
}

/// As [`Container::adopt`]. Of the nodes only the root is within reach.
pub(crate) fn adopt<C: Tree>(inner: &C, handle: &mut Handle, _high_water: usize) {
    publish(inner, handle);
    if holder::any_live()
        && let Some(holder) = handle.holder()
    {
        holder::words(inner, |word| {
            holder.hold(Part::Table, word);
        });
    }
}

impl<C: Tree> Watched<C> {
    /// What `build` makes.
    pub(crate) fn built(mut handle: Handle, build: impl FnOnce() -> C) -> Self {
        let nodes = handle.enter_nodes();
        let inner = build();
        drop(nodes);
        Watched::adopted(inner, handle)
    }

    /// Another of the same group with the same entries.
    pub(crate) fn duplicate(&self) -> Self
    where
        C: Clone,
    {
        Watched::built(self.handle.sibling(), || self.read().clone())
    }

    /// Changes the container by its `clear`.
    pub(crate) fn clear_nodes(&mut self, clear: impl FnOnce(&mut C)) {
        self.publish();
        self.release_all();
        self.change(|inner, _| clear(inner));
    }

    /// Changes both containers by their `append`.
    pub(crate) fn append(&mut self, other: &mut Self, append: impl FnOnce(&mut C, &mut C)) {
        other.publish();
        if Handle::marks::<C::Key, C::Value>() {
            // The last mark counts.
            other.inner.each(|key, value| {
                self.handle.hold(key);
                self.handle.hold(value);
            });
        }
        other.change(|theirs, _| {
            self.change(|ours, handle| {
                let _nodes = handle.enter_nodes();
                append(ours, theirs);
            });
        });
    }

    /// Changes the container by its `split_off`.
    pub(crate) fn split_off(&mut self, split_off: impl FnOnce(&mut C) -> C) -> Self {
        self.publish();
        let split = self.change(|inner, handle| {
            let _nodes = handle.enter_nodes();
            split_off(inner)
        });
        Watched::adopted(split, self.handle.sibling())
    }
}
