//! The iterator that takes entries out one by one.

use std::fmt;
use std::iter::FusedIterator;

use indexmap::map;

use crate::indexed::Extracting;

/// As [`map::ExtractIf`]; publishes each entry that it takes out.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct ExtractIf<'a, K, V, F> {
    inner: map::ExtractIf<'a, K, V, F>,
    taking: Extracting<'a>,
}

impl<'a, K, V, F> ExtractIf<'a, K, V, F> {
    pub(super) fn new(inner: map::ExtractIf<'a, K, V, F>, taking: Extracting<'a>) -> Self {
        ExtractIf { inner, taking }
    }
}

impl<K, V, F> Iterator for ExtractIf<'_, K, V, F>
where
    F: FnMut(&K, &mut V) -> bool,
{
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        let (key, value) = self.inner.next()?;
        self.taking.took();
        self.taking.release(&key);
        self.taking.release(&value);
        Some((key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<K, V, F> FusedIterator for ExtractIf<'_, K, V, F> where F: FnMut(&K, &mut V) -> bool {}

impl<K: fmt::Debug, V: fmt::Debug, F> fmt::Debug for ExtractIf<'_, K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExtractIf").finish_non_exhaustive()
    }
}
