//! JSON of [speedscope](https://www.speedscope.app), written and read: each
//! value type of a profile is a sampled profile of that name.
//!
//! Names, files and lines are all that the format has a place for; addresses,
//! labels and objects are lost.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Location, Profile, ValueType};
use crate::named::Builder;

/// What marks a file as one of this format.
pub const SCHEMA: &str = "https://www.speedscope.app/file-format-schema.json";

/// Most bytes of a file that is read.
pub const MAX_TEXT: usize = 128 << 20;

/// Most value types that are read from one file.
const MAX_TYPES: usize = 64;

/// Why a profile cannot be written, or a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpeedscopeError {
    /// A value is below zero, as in differences; the format has no place for it.
    Negative {
        /// The type of the value.
        kind: String,
    },
    /// It is no JSON, or not of this format.
    Json(String),
    /// It has more bytes than [`MAX_TEXT`].
    TooLarge,
    /// It has no profile in it, or more than 64.
    Profiles(usize),
    /// A profile is of another type than `sampled`.
    NotSampled(String),
    /// A sample refers to a frame that is not there.
    Frame {
        /// Which profile, from 0.
        profile: usize,
        /// The index.
        frame: usize,
    },
    /// There are not as many weights as samples.
    Weights {
        /// Which profile, from 0.
        profile: usize,
    },
}

impl fmt::Display for SpeedscopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpeedscopeError::Negative { kind } => write!(
                f,
                "{kind} is negative somewhere, as in differences; speedscope has no place for that"
            ),
            SpeedscopeError::Json(reason) => write!(f, "it is no JSON of speedscope: {reason}"),
            SpeedscopeError::TooLarge => f.write_str("it has more than 128 MiB"),
            SpeedscopeError::Profiles(count) => {
                write!(f, "it has {count} profiles; 1 to {MAX_TYPES} can be read")
            }
            SpeedscopeError::NotSampled(kind) => write!(
                f,
                "it has a profile of type {kind:?}; only sampled ones have values by stack"
            ),
            SpeedscopeError::Frame { profile, frame } => write!(
                f,
                "a sample of profile {profile} refers to frame {frame}, which is not there"
            ),
            SpeedscopeError::Weights { profile } => {
                write!(f, "profile {profile} has not as many weights as samples")
            }
        }
    }
}

impl std::error::Error for SpeedscopeError {}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct File<'a> {
    #[serde(rename = "$schema", default, borrow)]
    schema: Cow<'a, str>,
    #[serde(borrow)]
    shared: Shared<'a>,
    #[serde(borrow)]
    profiles: Vec<Sampled<'a>>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    active_profile_index: Option<usize>,
    #[serde(default)]
    exporter: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Shared<'a> {
    #[serde(borrow)]
    frames: Vec<Frame<'a>>,
}

#[derive(Deserialize, Serialize)]
struct Frame<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow, skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    col: Option<u32>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sampled<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    unit: Cow<'a, str>,
    #[serde(default)]
    start_value: f64,
    #[serde(default)]
    end_value: f64,
    /// Frames, root first.
    #[serde(default)]
    samples: Vec<Vec<usize>>,
    #[serde(default)]
    weights: Vec<f64>,
}

/// Writes all types of `profile`; `type_index`, a place in [`Profile::types`], is
/// the one that is shown first. Inlined functions are frames of their own.
///
/// Costs some 50 ns a location of each sample and type.
///
/// # Errors
///
/// If a value is negative.
pub fn render(profile: &Profile, type_index: usize) -> Result<String, SpeedscopeError> {
    let mut frames = Frames::default();
    let of_location: Vec<Vec<usize>> = profile
        .locations
        .iter()
        .map(|location| frames.of(profile, location))
        .collect();
    let mut profiles = Vec::with_capacity(profile.types.len());
    for (index, of) in profile.types.iter().enumerate() {
        profiles.push(column(profile, index, of, &of_location)?);
    }
    let file = File {
        schema: SCHEMA.into(),
        shared: Shared {
            frames: frames.list,
        },
        profiles,
        name: Some(format!("heap {}", crate::rfc3339::format(profile.time))),
        active_profile_index: Some(type_index),
        exporter: Some(concat!("heaplens@", env!("CARGO_PKG_VERSION")).to_owned()),
    };
    serde_json::to_string(&file).map_err(|error| SpeedscopeError::Json(error.to_string()))
}

fn column<'a>(
    profile: &Profile,
    index: usize,
    of: &'a ValueType,
    frames: &[Vec<usize>],
) -> Result<Sampled<'a>, SpeedscopeError> {
    let mut column = Sampled {
        r#type: "sampled".into(),
        name: (&*of.kind).into(),
        unit: if of.unit == "bytes" { "bytes" } else { "none" }.into(),
        start_value: 0.0,
        end_value: 0.0,
        samples: Vec::new(),
        weights: Vec::new(),
    };
    for sample in &profile.samples {
        let value = sample.values.get(index).copied().unwrap_or(0);
        if value < 0 {
            let kind = of.kind.to_string();
            return Err(SpeedscopeError::Negative { kind });
        }
        if value == 0 {
            continue;
        }
        let root_first = sample.locations.iter().rev();
        let stack = root_first.filter_map(|&at| frames.get(at)).flatten();
        column.samples.push(stack.copied().collect());
        column.weights.push(value as f64);
        column.end_value += value as f64;
    }
    Ok(column)
}

/// Each frame once.
#[derive(Default)]
struct Frames<'a> {
    list: Vec<Frame<'a>>,
    numbers: HashMap<(usize, u32, u32), usize>,
    bare: HashMap<String, usize>,
}

impl<'a> Frames<'a> {
    /// Numbers of the frames at a location, outermost first.
    fn of(&mut self, profile: &'a Profile, location: &Location) -> Vec<usize> {
        let mut numbers = Vec::with_capacity(location.lines.len().max(1));
        for line in location.lines.iter().rev() {
            let Some(function) = profile.functions.get(line.function) else {
                continue;
            };
            let next = self.list.len();
            let key = (line.function, line.line, line.column);
            let number = *self.numbers.entry(key).or_insert(next);
            if number == next {
                let known = |number: u32| Some(number).filter(|number| *number > 0);
                self.list.push(Frame {
                    name: (&*function.name).into(),
                    file: Some(&*function.file)
                        .filter(|file| !file.is_empty())
                        .map(Cow::from),
                    line: known(line.line),
                    col: known(line.column),
                });
            }
            numbers.push(number);
        }
        if numbers.is_empty() {
            numbers.push(self.bare(crate::stacks::place(profile, location)));
        }
        numbers
    }

    fn bare(&mut self, name: String) -> usize {
        if let Some(&number) = self.bare.get(&name) {
            return number;
        }
        let number = self.list.len();
        self.list.push(Frame {
            name: name.clone().into(),
            file: None,
            line: None,
            col: None,
        });
        self.bare.insert(name, number);
        number
    }
}

/// Reads a file of speedscope: each sampled profile is a type of the name that it
/// has there. The result has names, files and lines, and a period of 1.
///
/// Costs some 100 ns a frame of each sample, and memory in proportion to the text.
///
/// # Errors
///
/// If it is no such file, or one with events in time in place of samples.
pub fn read(text: &str) -> Result<Profile, SpeedscopeError> {
    if text.len() > MAX_TEXT {
        return Err(SpeedscopeError::TooLarge);
    }
    let file: File<'_> =
        serde_json::from_str(text).map_err(|error| SpeedscopeError::Json(error.to_string()))?;
    if file.profiles.is_empty() || file.profiles.len() > MAX_TYPES {
        return Err(SpeedscopeError::Profiles(file.profiles.len()));
    }
    let mut builder = Builder::new(types(&file.profiles));
    let mut locations: Vec<Option<usize>> = vec![None; file.shared.frames.len()];
    for (index, column) in file.profiles.iter().enumerate() {
        if column.r#type != "sampled" {
            let kind = column.r#type.chars().take(40).collect();
            return Err(SpeedscopeError::NotSampled(kind));
        }
        if column.samples.len() != column.weights.len() {
            return Err(SpeedscopeError::Weights { profile: index });
        }
        for (stack, weight) in column.samples.iter().zip(&column.weights) {
            let mut leaf_first = Vec::with_capacity(stack.len());
            for &number in stack.iter().rev() {
                let missing = SpeedscopeError::Frame {
                    profile: index,
                    frame: number,
                };
                let (Some(frame), Some(slot)) =
                    (file.shared.frames.get(number), locations.get_mut(number))
                else {
                    return Err(missing);
                };
                let location = slot.unwrap_or_else(|| {
                    let place = frame.file.as_deref().unwrap_or("");
                    builder.location(&frame.name, place, frame.line.unwrap_or(0))
                });
                *slot = Some(location);
                leaf_first.push(location);
            }
            // Not a number becomes 0, and what is too large the largest one.
            builder.add(leaf_first, index, weight.round() as i64);
        }
    }
    Ok(builder.finish())
}

/// The types by the names of the profiles, each name once.
fn types(profiles: &[Sampled<'_>]) -> Vec<ValueType> {
    let mut types: Vec<ValueType> = Vec::with_capacity(profiles.len());
    for of in profiles {
        let mut kind = of.name.to_string();
        if kind.is_empty() {
            "value".clone_into(&mut kind);
        }
        if types.iter().any(|known| known.kind == kind) {
            kind = format!("{kind} {}", types.len() + 1);
        }
        let unit = match &*of.unit {
            "bytes" => "bytes",
            "nanoseconds" | "microseconds" | "milliseconds" | "seconds" => &*of.unit,
            _ => "count",
        };
        let unit = unit.to_owned().into();
        types.push(ValueType {
            kind: kind.into(),
            unit,
        });
    }
    types
}
