//! A value within reach of the program.

use std::collections::hash_map::OccupiedEntry;
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::account::Account;
use crate::contained::contained;

/// A value of a [`SizedHashMap`](super::SizedHashMap), measured again when this
/// is dropped. If it is leaked instead, the sum is off by what was changed until
/// [`recount`](super::SizedHashMap::recount).
pub struct SizedMut<'a, K, V, F: Fn(&K, &V) -> usize> {
    entry: OccupiedEntry<'a, K, V>,
    sizer: &'a F,
    account: &'a mut Account,
    before: i64,
}

impl<'a, K, V, F: Fn(&K, &V) -> usize> SizedMut<'a, K, V, F> {
    pub(super) fn new(
        entry: OccupiedEntry<'a, K, V>,
        sizer: &'a F,
        account: &'a mut Account,
    ) -> Self {
        let before = sizer(entry.key(), entry.get()) as i64;
        SizedMut {
            entry,
            sizer,
            account,
            before,
        }
    }

    /// The key, as the map has it.
    pub fn key(&self) -> &K {
        self.entry.key()
    }

    fn measure(&mut self) {
        let after = (self.sizer)(self.entry.key(), self.entry.get()) as i64;
        self.account.change(self.before, after);
        self.before = after;
    }
}

impl<K, V, F: Fn(&K, &V) -> usize> Drop for SizedMut<'_, K, V, F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A second panic would be the end of the process.
            contained(|| self.measure());
        } else {
            self.measure();
        }
    }
}

impl<K, V, F: Fn(&K, &V) -> usize> Deref for SizedMut<'_, K, V, F> {
    type Target = V;

    fn deref(&self) -> &V {
        self.entry.get()
    }
}

impl<K, V, F: Fn(&K, &V) -> usize> DerefMut for SizedMut<'_, K, V, F> {
    fn deref_mut(&mut self) -> &mut V {
        self.entry.get_mut()
    }
}

impl<K, V: fmt::Debug, F: Fn(&K, &V) -> usize> fmt::Debug for SizedMut<'_, K, V, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
