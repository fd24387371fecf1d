//! Iterators that take entries out.

use std::fmt;
use std::iter::FusedIterator;

use indexmap::set;

use crate::indexed::Extracting;
use crate::leaving::extract_if;

extract_if!(set::ExtractIf<T> if FnMut(&T), T, Extracting, value => value);
