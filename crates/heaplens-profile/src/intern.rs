//! Each distinct value once, found by hash.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// A map keyed by addresses or indices.
pub(crate) type IntMap<K, V> = HashMap<K, V, BuildHasherDefault<IntHasher>>;

/// A set of addresses or indices.
pub(crate) type IntSet<T> = HashSet<T, BuildHasherDefault<IntHasher>>;

/// Hashes integers by one multiplication each. Not proof against keys that are
/// chosen to collide: keys here are the program's own addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IntHasher(u64);

impl Hasher for IntHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, value: u64) {
        // 2⁶⁴ divided by the golden ratio, as multiplicative hashing wants it.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        // The product's high bits are its best ones; tables use the low ones.
        self.0 ^ (self.0 >> 32)
    }
}

/// The string table of a profile: index 0 is the empty string.
#[derive(Debug)]
pub(crate) struct StringTable<'a> {
    indices: HashMap<&'a str, i64>,
    strings: Vec<String>,
}

impl<'a> StringTable<'a> {
    pub(crate) fn new() -> Self {
        let mut table = StringTable {
            indices: HashMap::new(),
            strings: Vec::new(),
        };
        table.index("");
        table
    }

    /// The index of `text`, which is added if it is new.
    pub(crate) fn index(&mut self, text: &'a str) -> i64 {
        let next = self.strings.len() as i64;
        *self.indices.entry(text).or_insert_with(|| {
            self.strings.push(text.to_owned());
            next
        })
    }

    pub(crate) fn into_strings(self) -> Vec<String> {
        self.strings
    }
}

/// Shared values by content.
#[derive(Debug)]
pub(crate) struct Pool<T: std::hash::Hash + Eq> {
    known: HashSet<Arc<T>>,
}

impl<T: std::hash::Hash + Eq> Default for Pool<T> {
    fn default() -> Self {
        Pool {
            known: HashSet::new(),
        }
    }
}

impl<T: std::hash::Hash + Eq> Pool<T> {
    /// The one shared copy of `value`.
    pub(crate) fn share(&mut self, value: T) -> Arc<T> {
        if let Some(known) = self.known.get(&value) {
            return Arc::clone(known);
        }
        let shared = Arc::new(value);
        self.known.insert(Arc::clone(&shared));
        shared
    }
}
