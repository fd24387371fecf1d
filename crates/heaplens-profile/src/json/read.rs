//! The JSON that [`render`](super::render) writes, read back.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::SCHEMA;
use crate::mappings::Mapping;
use crate::model::{
    Function, Line, Location, Profile, ProfileMapping, SPACE, Sample, SampledCounts, ValueType,
    Variances,
};
use crate::rfc3339;

/// Most bytes of text.
pub const MAX_TEXT: usize = 256 << 20;

/// Why text is not such JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JsonError {
    /// What is wrong, on one line.
    pub reason: String,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is no {SCHEMA}: {}", self.reason)
    }
}

impl std::error::Error for JsonError {}

fn fault<T>(reason: impl Into<String>) -> Result<T, JsonError> {
    let reason = reason.into();
    Err(JsonError { reason })
}

#[derive(Deserialize)]
struct Document {
    schema: String,
    time: String,
    duration_seconds: Option<f64>,
    sample_interval_bytes: u64,
    types: Vec<String>,
    #[serde(default)]
    comments: Vec<String>,
    #[serde(default)]
    objects: Vec<Object>,
    sites: Vec<Site>,
}

#[derive(Deserialize)]
struct Object {
    file: String,
    build_id: Option<String>,
    start: String,
    limit: String,
    offset: u64,
}

#[derive(Deserialize)]
struct Site {
    values: HashMap<String, Figure>,
    samples: Option<Samples>,
    size_class_bytes: Option<u64>,
    #[serde(default)]
    labels: serde_json::Map<String, Value>,
    /// Leaf first; none where there was no room for it.
    stack: Option<Vec<Frame>>,
}

#[derive(Deserialize)]
struct Figure {
    value: i64,
    standard_error: Option<f64>,
}

#[derive(Deserialize)]
struct Samples {
    alloc: u64,
    inuse: u64,
}

#[derive(Clone, Deserialize, PartialEq, Eq, Hash)]
struct Frame {
    function: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    address: Option<String>,
    object: Option<usize>,
}

/// Reads what [`render`](super::render) wrote, with the standard errors. What the
/// JSON does not tell is missing: parts of a second and system names. A function that
/// was inlined into itself is taken for one that called itself. Labels with numbers
/// become text. Sites whose stacks were left out have none.
///
/// Costs some 500 ns a frame of each site.
///
/// # Errors
///
/// If the text is no such JSON, or has more than [`MAX_TEXT`] bytes.
pub fn read(text: &str) -> Result<Profile, JsonError> {
    if text.len() > MAX_TEXT {
        return fault("it has more than 256 MiB");
    }
    let document: Document = serde_json::from_str(text).map_err(|error| JsonError {
        reason: error.to_string(),
    })?;
    if document.schema != SCHEMA {
        let found: String = document.schema.chars().take(40).collect();
        return fault(format!("its schema is {found:?}"));
    }
    if document.types.is_empty() {
        return fault("it states no type");
    }
    let Some(time) = rfc3339::parse(&document.time) else {
        return fault("its time is no time of RFC 3339");
    };
    let duration = document.duration_seconds.map(Duration::try_from_secs_f64);
    let Ok(duration) = duration.transpose() else {
        return fault("its duration is no duration");
    };
    let mut tables = Tables::default();
    for (index, object) in document.objects.into_iter().enumerate() {
        tables.mappings.push(mapping(index == 0, object)?);
    }
    let mut samples = Vec::with_capacity(document.sites.len());
    for site in &document.sites {
        samples.push(tables.sample(site, &document.types)?);
    }
    tables.tell_what_is_known();
    Ok(Profile {
        time,
        duration,
        period: document.sample_interval_bytes,
        period_type: SPACE,
        types: document.types.into_iter().map(value_type).collect(),
        samples,
        locations: tables.locations,
        functions: tables.functions,
        mappings: tables.mappings,
        comments: document.comments,
    })
}

/// Units go with names in heap profiles.
fn value_type(kind: String) -> ValueType {
    let is_count = kind.ends_with("_objects") || kind == "objects";
    ValueType {
        kind: kind.into(),
        unit: if is_count { "count" } else { "bytes" }.into(),
    }
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

fn mapping(is_first: bool, of: Object) -> Result<ProfileMapping, JsonError> {
    let (Some(start), Some(limit)) = (hexadecimal(&of.start), hexadecimal(&of.limit)) else {
        return fault("start or limit of an object is no hexadecimal number");
    };
    let mut mapping = Mapping::recorded(start..limit, of.offset, of.file);
    mapping.build_id = of.build_id;
    mapping.main = is_first;
    Ok(ProfileMapping {
        mapping,
        has_functions: true,
        has_filenames: true,
        has_line_numbers: true,
        has_inline_frames: false,
    })
}

#[derive(Default)]
struct Tables {
    locations: Vec<Location>,
    functions: Vec<Arc<Function>>,
    mappings: Vec<ProfileMapping>,
    numbers_of_locations: HashMap<Vec<Frame>, usize>,
    numbers_of_functions: HashMap<Arc<Function>, usize>,
}

impl Tables {
    fn sample(&mut self, site: &Site, types: &[String]) -> Result<Sample, JsonError> {
        let mut values = Vec::with_capacity(types.len());
        for kind in types {
            let Some(figure) = site.values.get(kind) else {
                let kind: String = kind.chars().take(40).collect();
                return fault(format!("a site has no {kind:?}"));
            };
            values.push(figure.value);
        }
        let text = |value: &Value| {
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned)
        };
        let labels = site.labels.iter();
        let counts = SampledCounts {
            alloc_objects: site.samples.as_ref().map_or(0, |of| of.alloc),
            inuse_objects: site.samples.as_ref().map_or(0, |of| of.inuse),
            ..SampledCounts::default()
        };
        let mut locations = Vec::new();
        let stack = site.stack.as_deref().unwrap_or_default();
        for frames in of_locations(stack) {
            locations.push(self.location(frames)?);
        }
        Ok(Sample {
            locations,
            size_class: site.size_class_bytes.unwrap_or(0),
            labels: labels
                .map(|(key, value)| (key.clone(), text(value)))
                .collect(),
            numbers: Arc::default(),
            values,
            sampled: counts,
            variances: variances(&site.values),
        })
    }

    fn location(&mut self, frames: &[Frame]) -> Result<usize, JsonError> {
        if let Some(&known) = self.numbers_of_locations.get(frames) {
            return Ok(known);
        }
        let first = frames.first();
        let address = match first.and_then(|of| of.address.as_deref()) {
            None => 0,
            Some(text) => match hexadecimal(text) {
                Some(address) => address,
                None => return fault("an address is no hexadecimal number"),
            },
        };
        let mapping = first.and_then(|of| of.object);
        if mapping.is_some_and(|at| at >= self.mappings.len()) {
            return fault("a frame refers to an object that is not there");
        }
        let mut lines = Vec::with_capacity(frames.len());
        for frame in frames {
            let Some(name) = &frame.function else {
                continue;
            };
            lines.push(Line {
                function: self.function(name, frame.file.as_deref()),
                line: frame.line.unwrap_or(0),
                column: frame.column.unwrap_or(0),
            });
        }
        let number = self.locations.len();
        self.locations.push(Location {
            mapping,
            address,
            offset: None,
            lines,
        });
        self.numbers_of_locations.insert(frames.to_vec(), number);
        Ok(number)
    }

    fn function(&mut self, name: &str, file: Option<&str>) -> usize {
        let function = Arc::new(Function {
            name: name.to_owned(),
            system_name: String::new(),
            file: file.unwrap_or_default().to_owned(),
        });
        let next = self.functions.len();
        let number = *self
            .numbers_of_functions
            .entry(Arc::clone(&function))
            .or_insert(next);
        if number == next {
            self.functions.push(function);
        }
        number
    }

    /// Takes back what is not true of every location in a mapping.
    fn tell_what_is_known(&mut self) {
        for location in &self.locations {
            let Some(of) = location.mapping.and_then(|at| self.mappings.get_mut(at)) else {
                continue;
            };
            let file = |line: &Line| self.functions.get(line.function).map(|of| &of.file);
            let mut lines = location.lines.iter();
            of.has_functions &= !location.lines.is_empty();
            of.has_filenames &= of.has_functions
                && lines
                    .clone()
                    .all(|of| file(of).is_some_and(|of| !of.is_empty()));
            of.has_line_numbers &= of.has_functions && lines.all(|of| of.line > 0);
        }
    }
}

/// The frames of one location after the other: those of one address, up to where
/// they begin anew, which is another call from the same place.
fn of_locations(stack: &[Frame]) -> impl Iterator<Item = &[Frame]> {
    let mut rest = stack;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let is_same =
            |of: &Frame| first.address.is_some() && place(of) == place(first) && of != first;
        let more = rest.iter().skip(1).take_while(|of| is_same(of)).count();
        let (frames, behind) = rest.split_at_checked(more + 1)?;
        rest = behind;
        Some(frames)
    })
}

fn place(frame: &Frame) -> (Option<&str>, Option<usize>) {
    (frame.address.as_deref(), frame.object)
}

/// Of the four types of a heap profile, if all their errors are known.
fn variances(values: &HashMap<String, Figure>) -> Option<Variances> {
    let of = |kind: &str| {
        let error = values.get(kind)?.standard_error?;
        Some(error * error).filter(|variance| variance.is_finite())
    };
    Some(Variances {
        alloc_objects: of("alloc_objects")?,
        alloc_space: of("alloc_space")?,
        inuse_objects: of("inuse_objects")?,
        inuse_space: of("inuse_space")?,
    })
}
