//! Iterators that take entries out.

use std::fmt;
use std::iter::FusedIterator;

use hashbrown::hash_map;

use crate::leaving::{drain, extract_if};
use crate::swiss::{Lent, Taking};

drain!(hash_map::Drain<K, V>, (K, V));
extract_if!(hash_map::ExtractIf<K, V> if FnMut(&K, &mut V), (K, V), Taking, (key, value) => key, value);
