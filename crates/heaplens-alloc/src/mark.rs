//! Who holds a sampled block, in sixteen bits beside its generation.

use std::num::NonZeroU16;

use crate::holder::{Holder, Part};

const PART: u16 = 1 << 15;

/// A holder and a part of it, or nobody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Mark(u16);

impl Mark {
    /// Held by nobody.
    pub(crate) const NONE: Mark = Mark(0);

    pub(crate) fn new(holder: Holder, part: Part) -> Self {
        Mark(match part {
            Part::Contents => holder.id().get(),
            Part::Table => holder.id().get() | PART,
        })
    }

    /// Who holds it.
    pub(crate) fn holder(self) -> Option<Holder> {
        NonZeroU16::new(self.0 & !PART).map(Holder::from_id)
    }

    /// As what it is held; without meaning if nobody holds it.
    pub(crate) fn part(self) -> Part {
        if self.0 & PART == 0 {
            Part::Contents
        } else {
            Part::Table
        }
    }

    /// This mark, or `other` if this is none.
    pub(crate) fn or_else(self, other: impl FnOnce() -> Mark) -> Mark {
        if self == Mark::NONE { other() } else { self }
    }

    pub(crate) fn bits(self) -> u16 {
        self.0
    }

    pub(crate) fn from_bits(bits: u16) -> Self {
        Mark(bits)
    }
}
