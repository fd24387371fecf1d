//! A profile off the wire. The messages are declared here once more, so that a
//! wrong field number or type in the library is not mirrored.

use std::io::Read as _;

use prost::Message as _;

use super::Fault;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Raw {
    #[prost(message, repeated, tag = "1")]
    pub(crate) types: Vec<Type>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) mappings: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) locations: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    pub(crate) functions: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    pub(crate) strings: Vec<String>,
    #[prost(int64, tag = "7")]
    pub(crate) drop_frames: i64,
    #[prost(int64, tag = "8")]
    pub(crate) keep_frames: i64,
    #[prost(int64, tag = "9")]
    pub(crate) time: i64,
    #[prost(int64, tag = "10")]
    pub(crate) duration: i64,
    #[prost(message, optional, tag = "11")]
    pub(crate) period_type: Option<Type>,
    #[prost(int64, tag = "12")]
    pub(crate) period: i64,
    #[prost(int64, repeated, tag = "13")]
    pub(crate) comments: Vec<i64>,
    #[prost(int64, tag = "14")]
    pub(crate) default_type: i64,
    #[prost(int64, tag = "15")]
    pub(crate) doc_url: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Type {
    #[prost(int64, tag = "1")]
    pub(crate) kind: i64,
    #[prost(int64, tag = "2")]
    pub(crate) unit: i64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Sample {
    #[prost(uint64, repeated, tag = "1")]
    pub(crate) locations: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    pub(crate) values: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    pub(crate) labels: Vec<Label>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Label {
    #[prost(int64, tag = "1")]
    pub(crate) key: i64,
    #[prost(int64, tag = "2")]
    pub(crate) text: i64,
    #[prost(int64, tag = "3")]
    pub(crate) number: i64,
    #[prost(int64, tag = "4")]
    pub(crate) unit: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Mapping {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) start: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) limit: u64,
    #[prost(int64, tag = "5")]
    pub(crate) file: i64,
    #[prost(int64, tag = "6")]
    pub(crate) build_id: i64,
    #[prost(bool, tag = "7")]
    pub(crate) has_functions: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Location {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) mapping: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) address: u64,
    #[prost(message, repeated, tag = "4")]
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Line {
    #[prost(uint64, tag = "1")]
    pub(crate) function: u64,
    #[prost(int64, tag = "2")]
    pub(crate) line: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(crate) struct Function {
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    #[prost(int64, tag = "2")]
    pub(crate) name: i64,
    #[prost(int64, tag = "3")]
    pub(crate) system_name: i64,
    #[prost(int64, tag = "4")]
    pub(crate) file: i64,
}

impl Raw {
    /// Decodes a body as it was served: gzip around one message.
    pub(crate) fn decode(body: &[u8]) -> Result<Raw, Fault> {
        let fault = |rule, detail: String| Fault { rule, detail };
        if body.is_empty() {
            return Err(fault("not empty", String::new()));
        }
        let mut message = Vec::new();
        flate2::read::GzDecoder::new(body)
            .read_to_end(&mut message)
            .map_err(|error| fault("whole gzip file", error.to_string()))?;
        Raw::decode_message(&message)
    }

    pub(crate) fn decode_message(message: &[u8]) -> Result<Raw, Fault> {
        <Raw as prost::Message>::decode(message).map_err(|error| Fault {
            rule: "wire types",
            detail: error.to_string(),
        })
    }

    pub(crate) fn encode_message(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// A string of the table; empty where the index is out of range, which
    /// rules of their own refuse.
    pub(crate) fn text(&self, index: i64) -> &str {
        let at = usize::try_from(index).ok();
        at.and_then(|at| self.strings.get(at)).map_or("", |s| s)
    }

    /// Whether `index` is one of the string table.
    pub(crate) fn has_string(&self, index: i64) -> bool {
        usize::try_from(index).is_ok_and(|at| at < self.strings.len())
    }

    /// Types and units in their order.
    pub(crate) fn type_names(&self) -> Vec<(&str, &str)> {
        let name = |of: &Type| (self.text(of.kind), self.text(of.unit));
        self.types.iter().map(name).collect()
    }

    pub(crate) fn location(&self, id: u64) -> Option<&Location> {
        by_id(&self.locations, id, |of| of.id)
    }

    pub(crate) fn mapping(&self, id: u64) -> Option<&Mapping> {
        by_id(&self.mappings, id, |of| of.id)
    }

    pub(crate) fn function(&self, id: u64) -> Option<&Function> {
        by_id(&self.functions, id, |of| of.id)
    }

    /// Sum of each value over all samples.
    pub(crate) fn totals(&self) -> Vec<i64> {
        let mut totals = vec![0; self.types.len()];
        for sample in &self.samples {
            for (total, value) in totals.iter_mut().zip(&sample.values) {
                *total += value;
            }
        }
        totals
    }
}

/// The entry of this id: found at once where ids run from 1, as they should.
fn by_id<T>(table: &[T], id: u64, id_of: impl Fn(&T) -> u64) -> Option<&T> {
    let at = usize::try_from(id.wrapping_sub(1)).ok()?;
    let there = table.get(at).filter(|of| id_of(of) == id);
    there.or_else(|| table.iter().find(|of| id_of(of) == id))
}
