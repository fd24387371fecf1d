//! The iterator that takes entries out one by one.

use std::fmt;
use std::iter::FusedIterator;

use indexmap::set;

use crate::indexed::Extracting;

/// As [`set::ExtractIf`]; publishes each entry that it takes out.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct ExtractIf<'a, T, F> {
    inner: set::ExtractIf<'a, T, F>,
    taking: Extracting<'a>,
}

impl<'a, T, F> ExtractIf<'a, T, F> {
    pub(super) fn new(inner: set::ExtractIf<'a, T, F>, taking: Extracting<'a>) -> Self {
        ExtractIf { inner, taking }
    }
}

impl<T, F> Iterator for ExtractIf<'_, T, F>
where
    F: FnMut(&T) -> bool,
{
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let value = self.inner.next()?;
        self.taking.took();
        self.taking.release(&value);
        Some(value)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<T, F> FusedIterator for ExtractIf<'_, T, F> where F: FnMut(&T) -> bool {}

impl<T: fmt::Debug, F> fmt::Debug for ExtractIf<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtractIf").finish_non_exhaustive()
    }
}
