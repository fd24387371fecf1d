//! Iterators that take entries out.

use std::collections::hash_set;
use std::fmt;
use std::iter::FusedIterator;

use crate::leaving::{drain, extract_if};
use crate::swiss::{Lent, Taking};

drain!(hash_set::Drain<T>, T);
extract_if!(hash_set::ExtractIf<T> if FnMut(&T), T, Taking, value => value);
