//! Iterators that take entries out.

use std::fmt;
use std::iter::FusedIterator;

use indexmap::map;

use crate::indexed::Extracting;
use crate::leaving::extract_if;

extract_if!(map::ExtractIf<K, V> if FnMut(&K, &mut V), (K, V), Extracting, (key, value) => key, value);
