//! The answer.

use std::time::Duration;

use super::counts::Sum;
use super::pipe::Reader;
use super::wire::{Ended, Frame, Usage};
use super::{RetainedError, error};
use crate::snapshot::{self, Snapshot};

/// What dropping a value would free.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Retained {
    /// Requested bytes. Exact, unless [`Retained::is_lower_bound`].
    pub bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Those blocks by size, ascending; only sizes that occur.
    pub classes: Vec<RetainedClass>,
    /// The sampled blocks among them, by call site and labels: a snapshot in which
    /// nothing else was ever allocated. Its `inuse` values estimate `bytes` and
    /// `blocks`, with the errors that they carry.
    pub sampled: Snapshot,
    /// A destructor panicked: what would have been dropped after it in the same
    /// collection may be missing.
    pub is_lower_bound: bool,
    /// From the call to the answer, as the caller's clock has it.
    pub duration: Duration,
    /// How long the calling thread was in the fork. For so long the value had to stand
    /// still.
    pub pause: Duration,
    /// CPU time of the child.
    pub child_cpu: Duration,
    /// Pages that were copied or filled for the child: by how many pages the memory of
    /// the two grew. Without huge pages, a page has 4 KiB.
    pub child_faults: u64,
}

impl Retained {
    /// An answer put together from parts, for tools that read recorded ones and for
    /// tests: of these totals and sampled blocks, without classes and times.
    pub fn from_parts(bytes: u64, blocks: u64, sampled: Snapshot) -> Self {
        Retained {
            bytes,
            blocks,
            classes: Vec::new(),
            sampled,
            is_lower_bound: false,
            duration: Duration::ZERO,
            pause: Duration::ZERO,
            child_cpu: Duration::ZERO,
            child_faults: 0,
        }
    }

    /// Adds what another value retains, so that the answer is that of two drops, each for
    /// itself: what the two share is in neither. Times and faults add up, but for the
    /// longer pause.
    pub fn add(&mut self, other: Retained) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.blocks = self.blocks.saturating_add(other.blocks);
        for class in other.classes {
            self.add_class(class);
        }
        self.sampled.add_inuse(other.sampled);
        self.is_lower_bound |= other.is_lower_bound;
        self.duration += other.duration;
        self.pause = self.pause.max(other.pause);
        self.child_cpu += other.child_cpu;
        self.child_faults = self.child_faults.saturating_add(other.child_faults);
    }

    fn add_class(&mut self, class: RetainedClass) {
        let place = self
            .classes
            .binary_search_by_key(&class.size_class, |of| of.size_class);
        match place {
            Ok(at) => {
                if let Some(known) = self.classes.get_mut(at) {
                    known.blocks = known.blocks.saturating_add(class.blocks);
                    known.bytes = known.bytes.saturating_add(class.bytes);
                }
            }
            Err(at) => self.classes.insert(at, class),
        }
    }
}

/// Blocks of about one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetainedClass {
    /// Upper bound in requested bytes; classes as [`Site::size_class`](crate::Site).
    pub size_class: u64,
    /// Blocks of this class.
    pub blocks: u64,
    /// Their requested bytes.
    pub bytes: u64,
}

/// Makes an answer of what was read from a child, if it said anything. Times of the
/// parent are filled in by the caller.
pub(super) fn answer(read: Reader) -> Option<Result<Retained, RetainedError>> {
    Some(match read.last? {
        Frame::End {
            ended,
            usage,
            all,
            classes,
        } => match ended {
            Ended::Whole | Ended::Panicked => {
                let sampled = snapshot::of_list(&read.samples);
                let is_lower_bound = ended == Ended::Panicked;
                Ok(figures(all, &classes, usage, sampled, is_lower_bound))
            }
            Ended::Crashed(signal) => Err(RetainedError::Crashed { signal }),
            Ended::StackOverflow => Err(RetainedError::StackOverflow),
        },
        Frame::Refused { step, errno } => Err(refusal(step, errno)),
        Frame::Samples(_) => return None,
    })
}

fn refusal(step: u32, errno: i32) -> RetainedError {
    match error::STEPS.get(step as usize) {
        Some(step) => RetainedError::NotClosedIn { step, errno },
        None => RetainedError::Garbled,
    }
}

fn figures(
    all: Sum,
    classes: &[(u64, Sum)],
    usage: Usage,
    sampled: Snapshot,
    is_lower_bound: bool,
) -> Retained {
    Retained {
        bytes: all.bytes,
        blocks: all.blocks,
        classes: classes
            .iter()
            .map(|&(size_class, sum)| RetainedClass {
                size_class,
                blocks: sum.blocks,
                bytes: sum.bytes,
            })
            .collect(),
        sampled,
        is_lower_bound,
        duration: Duration::ZERO,
        pause: Duration::ZERO,
        child_cpu: Duration::from_nanos(usage.cpu_nanos),
        child_faults: usage.minor_faults,
    }
}
