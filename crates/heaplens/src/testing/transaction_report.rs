//! What a transaction left behind.

use std::fmt;

use heaplens_alloc::watch::Inexact;

use super::call_sites::{CallSite, list};
use super::heap_watch::{in_blocks, in_bytes};
use super::map_growth::MapGrowth;
use crate::units::count;

/// What the runs of a [`Transaction`](super::Transaction) left behind. Displayed as
/// the message of a failed assertion.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TransactionReport {
    /// Name of the transaction.
    pub name: String,
    /// Runs before the first look at the heap.
    pub warm_up: u64,
    /// Runs between the two looks.
    pub runs: u64,
    /// How many of those left more bytes alive than there were before. A leak shows in
    /// most runs; what is made once, or a table that doubles, in few.
    pub growing_runs: u64,
    /// Bytes by which the heap grew in all runs together; negative if it shrank.
    pub bytes: i64,
    /// Blocks by which the heap grew in all runs together; negative if it shrank.
    pub blocks: i64,
    /// Bytes by which it was allowed to grow.
    pub allowed_bytes: u64,
    /// Groups of tracked maps that gained more entries than allowed.
    pub maps: Vec<MapGrowth>,
    /// The call sites that grew the most, if anything grew by more than allowed.
    pub call_sites: Vec<CallSite>,
    /// Why the figures are too low, if they are.
    pub inexact: Option<Inexact>,
}

impl TransactionReport {
    /// Whether the heap or a map grew by more than is allowed.
    pub fn grew(&self) -> bool {
        self.heap_grew() || !self.maps.is_empty()
    }

    fn heap_grew(&self) -> bool {
        u64::try_from(self.bytes).is_ok_and(|bytes| bytes > self.allowed_bytes)
    }

    /// Asserts that nothing grew by more than is allowed.
    ///
    /// # Panics
    /// If something did, with this report; and if figures are inexact, with the
    /// remedy.
    #[track_caller]
    pub fn assert_no_growth(&self) {
        assert!(!self.grew() && self.inexact.is_none(), "{self}");
    }

    fn heap(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, blocks) = (self.bytes.unsigned_abs(), self.blocks.unsigned_abs());
        if self.bytes == 0 {
            return write!(f, "left the heap as it was");
        }
        let verb = if self.bytes > 0 { "grew" } else { "shrank" };
        write!(
            f,
            "{verb} the heap by {} in {}",
            in_bytes(bytes),
            in_blocks(blocks)
        )?;
        let a_run = bytes / self.runs.max(1);
        write!(f, ", {} a run", in_bytes(a_run))
    }
}

impl fmt::Display for TransactionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, runs) = (&self.name, count(self.runs));
        let warm_up = count(self.warm_up);
        write!(
            f,
            "transaction {name:?}: {runs} runs after {warm_up} of warm-up "
        )?;
        self.heap(f)?;
        if self.heap_grew() {
            let growing = count(self.growing_runs);
            write!(
                f,
                " ({} allowed); it grew in {growing} of them",
                in_bytes(self.allowed_bytes)
            )?;
            if self.growing_runs.saturating_mul(10) <= self.runs {
                write!(
                    f,
                    "\n  That may be something that is made once, or a table that doubled: \
                     warm up longer, or allow it by `allow_bytes`"
                )?;
            }
        }
        if !self.maps.is_empty() {
            write!(f, "\n  tracked maps that gained entries:")?;
        }
        for map in &self.maps {
            write!(f, "\n    {map}")?;
        }
        f.write_str(&list("call sites that grew", &self.call_sites))?;
        match self.inexact {
            Some(inexact) => write!(f, "\n  inexact: {inexact}"),
            None => Ok(()),
        }
    }
}
