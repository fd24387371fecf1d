//! Why bytes are not a profile.

use std::fmt;

/// Why [`decode`](super::decode) refuses its input.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is nothing in it, before or after unpacking.
    Empty,
    /// It begins as a gzip file and is none, or is cut short.
    Gzip(String),
    /// It takes more bytes than are allowed, unpacked or in memory.
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The most bytes that it may be.
        limit: usize,
    },
    /// It is no protobuf message of this kind: another format, a field of
    /// another wire type, a length beyond the end, or text that is not UTF-8.
    Message(String),
    /// No sample type is stated.
    NoTypes,
    /// The first entry of the string table is missing or not empty.
    FirstString,
    /// An index into the string table that has no entry.
    StringIndex {
        /// Whose it is.
        of: &'static str,
        /// The index.
        index: i64,
        /// How many entries there are.
        strings: usize,
    },
    /// A mapping, location or function has the id 0.
    ZeroId {
        /// Which of the three.
        of: &'static str,
    },
    /// Two mappings, locations or functions have the same id.
    SameId {
        /// Which of the three.
        of: &'static str,
        /// The id.
        id: u64,
    },
    /// There is no mapping, location or function of this id.
    UnknownId {
        /// Which of the three.
        of: &'static str,
        /// The id.
        id: u64,
        /// What refers to it.
        from: &'static str,
    },
    /// A sample has another number of values than there are types.
    ValueCount {
        /// Which sample, from 0.
        sample: usize,
        /// How many values it has.
        values: usize,
        /// How many types there are.
        types: usize,
    },
    /// A label has no key.
    LabelKey {
        /// Of which sample, from 0.
        sample: usize,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Empty => f.write_str("it is empty"),
            DecodeError::Gzip(reason) => write!(f, "it cannot be unpacked: {reason}"),
            DecodeError::TooLarge { what, limit } => {
                write!(f, "{what} takes more than {limit} bytes")
            }
            DecodeError::Message(reason) => write!(f, "it is no profile.proto: {reason}"),
            DecodeError::NoTypes => f.write_str("it states no sample type"),
            DecodeError::FirstString => {
                f.write_str("the first entry of its string table is not the empty string")
            }
            DecodeError::StringIndex { of, index, strings } => write!(
                f,
                "a {of} refers to string {index}, but the string table has {strings} entries"
            ),
            DecodeError::ZeroId { of } => write!(f, "a {of} has the id 0; ids begin at 1"),
            DecodeError::SameId { of, id } => write!(f, "two of its {of}s have the id {id}"),
            DecodeError::UnknownId { of, id, from } => {
                write!(f, "a {from} refers to {of} {id}, which is not there")
            }
            DecodeError::ValueCount {
                sample,
                values,
                types,
            } => write!(
                f,
                "sample {sample} has {values} values, but there are {types} sample types"
            ),
            DecodeError::LabelKey { sample } => {
                write!(f, "a label of sample {sample} has no key")
            }
        }
    }
}

impl std::error::Error for DecodeError {}
