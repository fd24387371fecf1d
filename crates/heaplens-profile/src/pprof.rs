//! gzip'ed `profile.proto`, as `go tool pprof` and its kin write and read it.

mod budget;
mod decode;
mod fault;

use std::time::{SystemTime, UNIX_EPOCH};

use flate2::{Compression, GzBuilder};
use prost::Message;

use crate::intern::StringTable;
use crate::model::{self, Profile};
use crate::proto;
use crate::retained::MAP_FRAME;
use crate::rows::PSEUDO_FRAMES;

pub use decode::{MAX_MEMORY, MAX_MESSAGE, decode};
pub(crate) use decode::{check_size, unpacked};
pub use fault::DecodeError;

/// The sample type that a viewer shows first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DefaultType {
    /// Not stated, as in Go's `/heap`: viewers take the last type, `inuse_space`.
    #[default]
    InuseSpace,
    /// `alloc_space`, as in Go's `/allocs`.
    AllocSpace,
    /// `alloc_objects`.
    AllocObjects,
    /// `inuse_objects`.
    InuseObjects,
}

impl DefaultType {
    /// The one of this name.
    pub fn named(kind: &str) -> Option<Self> {
        match kind {
            "inuse_space" => Some(DefaultType::InuseSpace),
            "alloc_space" => Some(DefaultType::AllocSpace),
            "alloc_objects" => Some(DefaultType::AllocObjects),
            "inuse_objects" => Some(DefaultType::InuseObjects),
            _ => None,
        }
    }

    /// The name that is stated, if any is.
    fn kind(self) -> Option<&'static str> {
        match self {
            DefaultType::InuseSpace => None,
            DefaultType::AllocSpace => Some("alloc_space"),
            DefaultType::AllocObjects => Some("alloc_objects"),
            DefaultType::InuseObjects => Some("inuse_objects"),
        }
    }
}

/// Encodes `profile`. Equal profiles give equal bytes: the gzip header has no
/// time stamp. Costs some 50 ns a location of each sample, most of it for
/// compression.
pub fn encode(profile: &Profile, default_type: DefaultType) -> Vec<u8> {
    compress(&message(profile, default_type).encode_to_vec())
}

/// The message that [`encode`] compresses.
pub fn message(profile: &Profile, default_type: DefaultType) -> proto::Profile {
    let mut strings = StringTable::new();
    let types = profile.types.iter();
    let sample_type = types.map(|of| value_type(of, &mut strings)).collect();
    let period_type = Some(value_type(&profile.period_type, &mut strings));
    let default_sample_type = default_type.kind().map_or(0, |kind| strings.index(kind));
    let bytes = strings.index("bytes");
    let mut samples = Vec::with_capacity(profile.samples.len());
    for of in &profile.samples {
        samples.push(sample(of, bytes, &mut strings));
    }
    let mut message = proto::Profile {
        sample_type,
        sample: samples,
        location: (1..)
            .zip(&profile.locations)
            .map(|(id, of)| location(id, of, profile))
            .collect(),
        time_nanos: nanos_since_epoch(profile.time),
        duration_nanos: profile
            .duration
            .map_or(0, |of| i64::try_from(of.as_nanos()).unwrap_or(i64::MAX)),
        period_type,
        period: i64::try_from(profile.period).unwrap_or(i64::MAX),
        default_sample_type,
        ..proto::Profile::default()
    };
    for (id, of) in (1..).zip(&profile.mappings) {
        message.mapping.push(mapping(id, of, &mut strings));
    }
    for (id, of) in (1..).zip(&profile.functions) {
        message.function.push(function(id, of, &mut strings));
    }
    for comment in &profile.comments {
        message.comment.push(strings.index(comment));
    }
    message.string_table = strings.into_strings();
    message
}

fn value_type<'a>(of: &'a model::ValueType, strings: &mut StringTable<'a>) -> proto::ValueType {
    proto::ValueType {
        r#type: strings.index(&of.kind),
        unit: strings.index(&of.unit),
    }
}

/// An id as the format counts them, from an index.
fn id(index: usize) -> u64 {
    index as u64 + 1
}

fn sample<'a>(
    sample: &'a model::Sample,
    bytes: i64,
    strings: &mut StringTable<'a>,
) -> proto::Sample {
    let size_class = i64::try_from(sample.size_class).unwrap_or(i64::MAX);
    let mut label = Vec::with_capacity(1 + sample.labels.len() + sample.numbers.len());
    if size_class > 0 {
        label.push(proto::Label {
            key: bytes,
            num: size_class,
            // The key and its unit are the same word.
            num_unit: bytes,
            ..proto::Label::default()
        });
    }
    label.extend(sample.labels.iter().map(|(key, value)| proto::Label {
        key: strings.index(key),
        str: strings.index(value),
        ..proto::Label::default()
    }));
    label.extend(sample.numbers.iter().map(|of| proto::Label {
        key: strings.index(&of.key),
        num: of.value,
        num_unit: strings.index(&of.unit),
        ..proto::Label::default()
    }));
    proto::Sample {
        location_id: sample.locations.iter().map(|&index| id(index)).collect(),
        value: sample.values.clone(),
        label,
    }
}

fn location(number: u64, location: &model::Location, profile: &Profile) -> proto::Location {
    let address = match location.address {
        0 => pseudo_address(location, profile),
        address => address,
    };
    proto::Location {
        id: number,
        mapping_id: location.mapping.map_or(0, id),
        address,
        line: location
            .lines
            .iter()
            .map(|line| proto::Line {
                function_id: id(line.function),
                line: line.line.into(),
                column: line.column.into(),
            })
            .collect(),
        is_folded: false,
    }
}

fn pseudo_address(location: &model::Location, profile: &Profile) -> u64 {
    let line = location.lines.first();
    let function = line.and_then(|line| profile.functions.get(line.function));
    function.map_or(0, |of| address_of_pseudo(&of.name))
}

/// Pseudo frames have no address, but scrapers that make deltas by themselves
/// know stacks by their addresses alone: each kind of frame gets one of its
/// own, far below any that a program can have. 0 for the name of anything else.
fn address_of_pseudo(name: &str) -> u64 {
    if name.starts_with(MAP_FRAME) {
        return 1 + PSEUDO_FRAMES.len() as u64;
    }
    let frames = (1..).zip(PSEUDO_FRAMES);
    let mut found = frames.filter(|(_, pseudo)| *pseudo == name);
    found.next().map_or(0, |(address, _)| address)
}

fn mapping<'a>(
    id: u64,
    of: &'a model::ProfileMapping,
    strings: &mut StringTable<'a>,
) -> proto::Mapping {
    proto::Mapping {
        id,
        memory_start: of.mapping.start,
        memory_limit: of.mapping.limit,
        file_offset: of.mapping.offset,
        filename: strings.index(&of.mapping.path),
        build_id: strings.index(of.mapping.build_id.as_deref().unwrap_or_default()),
        has_functions: of.has_functions,
        has_filenames: of.has_filenames,
        has_line_numbers: of.has_line_numbers,
        has_inline_frames: of.has_inline_frames,
    }
}

fn function<'a>(
    id: u64,
    of: &'a model::Function,
    strings: &mut StringTable<'a>,
) -> proto::Function {
    proto::Function {
        id,
        name: strings.index(&of.name),
        system_name: strings.index(&of.system_name),
        filename: strings.index(&of.file),
        start_line: 0,
    }
}

fn nanos_since_epoch(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_nanos()).ok())
        .unwrap_or(0)
}

/// Compresses an encoded profile as [`encode`] does, with the header that Go writes:
/// fastest level, no time, no name, unknown system.
pub fn compress(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::with_capacity(bytes.len() / 2), Compression::fast());
    // Writing to a vector cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
