//! Iterators that take entries out.

use std::fmt;
use std::iter::FusedIterator;

use hashbrown::hash_map;

use crate::swiss::{Lent, Taking};

/// As [`hash_map::Drain`].
pub struct Drain<'a, K, V> {
    inner: hash_map::Drain<'a, K, V>,
    /// After `inner`, which puts the table back when it is dropped.
    _table: Lent<'a>,
}

impl<'a, K, V> Drain<'a, K, V> {
    pub(super) fn new(inner: hash_map::Drain<'a, K, V>, table: Lent<'a>) -> Self {
        Drain {
            inner,
            _table: table,
        }
    }
}

impl<K, V> Iterator for Drain<'_, K, V> {
    type Item = (K, V);

    #[inline]
    fn next(&mut self) -> Option<(K, V)> {
        self.inner.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }

    fn fold<B, F: FnMut(B, (K, V)) -> B>(self, init: B, f: F) -> B {
        self.inner.fold(init, f)
    }
}

impl<K, V> ExactSizeIterator for Drain<'_, K, V> {}
impl<K, V> FusedIterator for Drain<'_, K, V> {}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Drain<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// As [`hash_map::ExtractIf`]; publishes each entry that it takes out.
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct ExtractIf<'a, K, V, F> {
    inner: hash_map::ExtractIf<'a, K, V, F>,
    taking: Taking<'a>,
}

impl<'a, K, V, F> ExtractIf<'a, K, V, F> {
    pub(super) fn new(inner: hash_map::ExtractIf<'a, K, V, F>, taking: Taking<'a>) -> Self {
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
