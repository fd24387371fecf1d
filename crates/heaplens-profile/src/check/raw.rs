//! A profile off the wire. The messages are declared here once more, so that a
//! wrong field number or type in the library is not mirrored.

// The names are those of the format, and documented there.
#![allow(missing_docs)]

use std::collections::HashMap;

use prost::Message as _;

use super::Fault;
use crate::pprof::{self, DecodeError};

/// How a gzip file begins.
pub(super) const GZIP: &[u8] = &[0x1f, 0x8b];

#[derive(Clone, PartialEq, prost::Message)]
pub struct Raw {
    #[prost(message, repeated, tag = "1")]
    pub types: Vec<Type>,
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub mappings: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    pub locations: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    pub functions: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    pub strings: Vec<String>,
    #[prost(int64, tag = "7")]
    pub drop_frames: i64,
    #[prost(int64, tag = "8")]
    pub keep_frames: i64,
    #[prost(int64, tag = "9")]
    pub time: i64,
    #[prost(int64, tag = "10")]
    pub duration: i64,
    #[prost(message, optional, tag = "11")]
    pub period_type: Option<Type>,
    #[prost(int64, tag = "12")]
    pub period: i64,
    #[prost(int64, repeated, tag = "13")]
    pub comments: Vec<i64>,
    #[prost(int64, tag = "14")]
    pub default_type: i64,
    #[prost(int64, tag = "15")]
    pub doc_url: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Type {
    #[prost(int64, tag = "1")]
    pub kind: i64,
    #[prost(int64, tag = "2")]
    pub unit: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    pub locations: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    pub values: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    pub labels: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Label {
    #[prost(int64, tag = "1")]
    pub key: i64,
    #[prost(int64, tag = "2")]
    pub text: i64,
    #[prost(int64, tag = "3")]
    pub number: i64,
    #[prost(int64, tag = "4")]
    pub unit: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Mapping {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(uint64, tag = "2")]
    pub start: u64,
    #[prost(uint64, tag = "3")]
    pub limit: u64,
    #[prost(int64, tag = "5")]
    pub file: i64,
    #[prost(int64, tag = "6")]
    pub build_id: i64,
    #[prost(bool, tag = "7")]
    pub has_functions: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Location {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(uint64, tag = "2")]
    pub mapping: u64,
    #[prost(uint64, tag = "3")]
    pub address: u64,
    #[prost(message, repeated, tag = "4")]
    pub lines: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Line {
    #[prost(uint64, tag = "1")]
    pub function: u64,
    #[prost(int64, tag = "2")]
    pub line: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub struct Function {
    #[prost(uint64, tag = "1")]
    pub id: u64,
    #[prost(int64, tag = "2")]
    pub name: i64,
    #[prost(int64, tag = "3")]
    pub system_name: i64,
    #[prost(int64, tag = "4")]
    pub file: i64,
}

impl Raw {
    /// Decodes a body as it was served: gzip around one message.
    ///
    /// # Errors
    ///
    /// If it is none, or too large.
    pub fn decode(body: &[u8]) -> Result<Raw, Fault> {
        if body.is_empty() {
            return Err(Fault::broken("not empty", "there is nothing in it"));
        }
        if !body.starts_with(GZIP) {
            return Err(Fault::broken("whole gzip file", "it does not begin as one"));
        }
        let message = pprof::unpacked(body).map_err(|error| refused(&error))?;
        Raw::decode_message(&message)
    }

    /// Decodes a message.
    ///
    /// # Errors
    ///
    /// If it is none, or would take too much memory.
    pub fn decode_message(message: &[u8]) -> Result<Raw, Fault> {
        pprof::check_size(message).map_err(|error| refused(&error))?;
        <Raw as prost::Message>::decode(message)
            .map_err(|error| Fault::broken("wire types", error.to_string()))
    }

    /// The message as bytes.
    pub fn encode_message(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// A string of the table; empty where the index is out of range, which
    /// rules of their own refuse.
    pub fn text(&self, index: i64) -> &str {
        let at = usize::try_from(index).ok();
        at.and_then(|at| self.strings.get(at)).map_or("", |s| s)
    }

    /// Whether `index` is one of the string table.
    pub fn has_string(&self, index: i64) -> bool {
        usize::try_from(index).is_ok_and(|at| at < self.strings.len())
    }

    /// Types and units in their order.
    pub fn type_names(&self) -> Vec<(&str, &str)> {
        let name = |of: &Type| (self.text(of.kind), self.text(of.unit));
        self.types.iter().map(name).collect()
    }

    /// Its tables by id.
    pub fn index(&self) -> Index<'_> {
        Index {
            locations: self.locations.iter().map(|of| (of.id, of)).collect(),
            mappings: self.mappings.iter().map(|of| (of.id, of)).collect(),
            functions: self.functions.iter().map(|of| (of.id, of)).collect(),
        }
    }

    /// Sum of each value over all samples.
    pub fn totals(&self) -> Vec<i64> {
        let mut totals = vec![0_i64; self.types.len()];
        for sample in &self.samples {
            for (total, value) in totals.iter_mut().zip(&sample.values) {
                *total = total.saturating_add(*value);
            }
        }
        totals
    }
}

fn refused(error: &DecodeError) -> Fault {
    let rule = match error {
        DecodeError::Empty => "not empty",
        DecodeError::Gzip(_) => "whole gzip file",
        DecodeError::TooLarge { .. } => "of bounded size",
        _ => "wire types",
    };
    Fault::broken(rule, error.to_string())
}

/// Locations, mappings and functions by their ids.
#[derive(Debug)]
pub struct Index<'a> {
    locations: HashMap<u64, &'a Location>,
    mappings: HashMap<u64, &'a Mapping>,
    functions: HashMap<u64, &'a Function>,
}

impl<'a> Index<'a> {
    pub fn location(&self, id: u64) -> Option<&'a Location> {
        self.locations.get(&id).copied()
    }

    pub fn mapping(&self, id: u64) -> Option<&'a Mapping> {
        self.mappings.get(&id).copied()
    }

    pub fn function(&self, id: u64) -> Option<&'a Function> {
        self.functions.get(&id).copied()
    }
}
