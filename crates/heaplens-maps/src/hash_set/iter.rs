//! Iterators that take entries out.

use std::collections::hash_set;
use std::fmt;
use std::iter::FusedIterator;

use crate::swiss::{Lent, Taking};

/// As [`hash_set::Drain`].
pub struct Drain<'a, T> {
    inner: hash_set::Drain<'a, T>,
    /// After `inner`, which puts the table back when it is dropped.
    _table: Lent<'a>,
}

impl<'a, T> Drain<'a, T> {
    pub(super) fn new(inner: hash_set::Drain<'a, T>, table: Lent<'a>) -> Self {
        Drain {
            inner,
            _table: table,
        }
    }
}

impl<T> Iterator for Drain<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        self.inner.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }

    fn fold<B, F: FnMut(B, T) -> B>(self, init: B, f: F) -> B {
        self.inner.fold(init, f)
    }
}

impl<T> ExactSizeIterator for Drain<'_, T> {}
impl<T> FusedIterator for Drain<'_, T> {}

impl<T: fmt::Debug> fmt::Debug for Drain<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// As [`hash_set::ExtractIf`]; publishes each entry that it takes out.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct ExtractIf<'a, T, F> {
    inner: hash_set::ExtractIf<'a, T, F>,
    taking: Taking<'a>,
}

impl<'a, T, F> ExtractIf<'a, T, F> {
    pub(super) fn new(inner: hash_set::ExtractIf<'a, T, F>, taking: Taking<'a>) -> Self {
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
