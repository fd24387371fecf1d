//! `profile.proto` to a profile: that of any program, not ours alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flate2::read::MultiGzDecoder;
use prost::Message;

use super::DecodeError;
use super::budget::Budget;
use crate::mappings::Mapping;
use crate::model::{
    Function, Labels, Line, Location, NumberLabel, Profile, ProfileMapping, Sample, SampledCounts,
    ValueType,
};
use crate::proto;

/// Most bytes of a message, unpacked.
pub const MAX_MESSAGE: usize = 64 << 20;

const TOO_LARGE: DecodeError = DecodeError::TooLarge {
    what: "the unpacked message",
    limit: MAX_MESSAGE,
};

/// Most bytes that a message and the profile made of it may take in memory.
pub const MAX_MEMORY: usize = 512 << 20;

/// Reads a profile from a gzip file or a bare message: one of ours, of Go, of
/// jemalloc's `jemalloc_pprof`, or of any other program.
///
/// Ids need not be sequential. A label `bytes` with a number is the size class.
/// `drop_frames`, `keep_frames`, the default type, `doc_url` and the lines at
/// which functions start are not kept. Samples have no [`Variances`] and no
/// [`SampledCounts`]: the format has no place for them.
///
/// Costs some 100 ns a location of each sample. Memory is bounded by
/// [`MAX_MESSAGE`] and [`MAX_MEMORY`], whatever the input.
///
/// # Errors
///
/// If the bytes are no such message, or one that breaks a rule of the format;
/// the error says which.
///
/// [`Variances`]: crate::model::Variances
pub fn decode(bytes: &[u8]) -> Result<Profile, DecodeError> {
    let message = unpacked(bytes)?;
    if message.is_empty() {
        return Err(DecodeError::Empty);
    }
    let mut budget = Budget::new(MAX_MEMORY);
    budget.take_message(&message)?;
    let decoded = proto::Profile::decode(&*message)
        .map_err(|error| DecodeError::Message(error.to_string()))?;
    drop(message);
    Reader::new(decoded, budget)?.profile()
}

/// Whether a message can be decoded within the bounds.
pub(crate) fn check_size(message: &[u8]) -> Result<(), DecodeError> {
    if message.len() > MAX_MESSAGE {
        return Err(TOO_LARGE);
    }
    Budget::new(MAX_MEMORY).take_message(message)
}

/// The message in a gzip file, or a bare one.
pub(crate) fn unpacked(bytes: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        let fits = bytes.len() <= MAX_MESSAGE;
        return if fits {
            Ok(bytes.into())
        } else {
            Err(TOO_LARGE)
        };
    }
    let mut message = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(MAX_MESSAGE as u64 + 1)
        .read_to_end(&mut message)
        .map_err(|error| DecodeError::Gzip(error.to_string()))?;
    if message.len() > MAX_MESSAGE {
        return Err(TOO_LARGE);
    }
    Ok(message.into())
}

/// A message whose ids and indices are being checked.
struct Reader {
    message: proto::Profile,
    strings: Strings,
    mappings: Ids,
    locations: Ids,
    functions: Ids,
}

impl Reader {
    fn new(mut message: proto::Profile, budget: Budget) -> Result<Self, DecodeError> {
        let strings = std::mem::take(&mut message.string_table);
        if !strings.first().is_some_and(String::is_empty) {
            return Err(DecodeError::FirstString);
        }
        if message.sample_type.is_empty() {
            return Err(DecodeError::NoTypes);
        }
        Ok(Reader {
            strings: Strings { strings, budget },
            mappings: Ids::of("mapping", message.mapping.iter().map(|of| of.id))?,
            locations: Ids::of("location", message.location.iter().map(|of| of.id))?,
            functions: Ids::of("function", message.function.iter().map(|of| of.id))?,
            message,
        })
    }

    fn profile(mut self) -> Result<Profile, DecodeError> {
        let message = std::mem::take(&mut self.message);
        let mut types = Vec::with_capacity(message.sample_type.len());
        for of in &message.sample_type {
            types.push(self.value_type(of)?);
        }
        let period_type = self.value_type(&message.period_type.unwrap_or_default())?;
        let mut comments = Vec::with_capacity(message.comment.len());
        for &index in &message.comment {
            comments.push(self.strings.get("comment", index)?);
        }
        let mut mappings = Vec::with_capacity(message.mapping.len());
        for (index, of) in message.mapping.iter().enumerate() {
            mappings.push(self.mapping(index == 0, of)?);
        }
        let mut functions = Vec::with_capacity(message.function.len());
        for of in &message.function {
            functions.push(Arc::new(self.function(of)?));
        }
        let mut locations = Vec::with_capacity(message.location.len());
        for of in &message.location {
            locations.push(self.location(of, &functions)?);
        }
        let samples = self.samples(&message, types.len())?;
        Ok(Profile {
            time: time(message.time_nanos),
            duration: u64::try_from(message.duration_nanos)
                .ok()
                .filter(|nanos| *nanos > 0)
                .map(Duration::from_nanos),
            period: u64::try_from(message.period).unwrap_or(0),
            period_type,
            types,
            samples,
            locations,
            functions,
            mappings,
            comments,
        })
    }

    fn value_type(&mut self, of: &proto::ValueType) -> Result<ValueType, DecodeError> {
        Ok(ValueType {
            kind: self.strings.get("value type", of.r#type)?.into(),
            unit: self.strings.get("value type", of.unit)?.into(),
        })
    }

    fn mapping(&mut self, main: bool, of: &proto::Mapping) -> Result<ProfileMapping, DecodeError> {
        let path = self.strings.get("mapping", of.filename)?;
        let build_id = self.strings.get("mapping", of.build_id)?;
        let range = of.memory_start..of.memory_limit;
        let mut mapping = Mapping::recorded(range, of.file_offset, path);
        mapping.build_id = Some(build_id).filter(|id| !id.is_empty());
        mapping.main = main;
        Ok(ProfileMapping {
            mapping,
            has_functions: of.has_functions,
            has_filenames: of.has_filenames,
            has_line_numbers: of.has_line_numbers,
            has_inline_frames: of.has_inline_frames,
        })
    }

    fn function(&mut self, of: &proto::Function) -> Result<Function, DecodeError> {
        Ok(Function {
            name: self.strings.get("function", of.name)?,
            system_name: self.strings.get("function", of.system_name)?,
            file: self.strings.get("function", of.filename)?,
        })
    }

    fn location(
        &self,
        of: &proto::Location,
        functions: &[Arc<Function>],
    ) -> Result<Location, DecodeError> {
        let mut lines = Vec::with_capacity(of.line.len());
        // A line without a function says nothing.
        for line in of.line.iter().filter(|line| line.function_id != 0) {
            lines.push(Line {
                function: self.functions.index(line.function_id, "location")?,
                line: u32::try_from(line.line).unwrap_or(0),
                column: u32::try_from(line.column).unwrap_or(0),
            });
        }
        let mapping = match of.mapping_id {
            0 => None,
            id => Some(self.mappings.index(id, "location")?),
        };
        // What we wrote an address of its own to stands for no code.
        let name = lines.first().and_then(|line| functions.get(line.function));
        let pseudo = name.map_or(0, |of| super::address_of_pseudo(&of.name));
        let is_pseudo = mapping.is_none() && pseudo == of.address;
        Ok(Location {
            mapping,
            address: if is_pseudo { 0 } else { of.address },
            offset: None,
            lines,
        })
    }

    /// The samples; those that are the same but for their values are summed.
    fn samples(
        &mut self,
        message: &proto::Profile,
        types: usize,
    ) -> Result<Vec<Sample>, DecodeError> {
        let mut samples: Vec<Sample> = Vec::with_capacity(message.sample.len());
        let mut label_sets = LabelSets::default();
        let mut known: HashMap<Identity, usize> = HashMap::new();
        for (number, of) in message.sample.iter().enumerate() {
            if of.value.len() != types {
                return Err(DecodeError::ValueCount {
                    sample: number,
                    values: of.value.len(),
                    types,
                });
            }
            let mut locations = Vec::with_capacity(of.location_id.len());
            for &id in &of.location_id {
                locations.push(self.locations.index(id, "sample")?);
            }
            let (set, told) = label_sets.of(number, &of.label, &mut self.strings)?;
            let bytes = size_of::<Sample>() + 2 * 8 * (locations.len() + of.value.len());
            self.strings.budget.take(bytes)?;
            let identity = (locations.clone(), set);
            if let Some(sample) = known.get(&identity).and_then(|&at| samples.get_mut(at)) {
                for (sum, value) in sample.values.iter_mut().zip(&of.value) {
                    *sum = sum.saturating_add(*value);
                }
                continue;
            }
            known.insert(identity, samples.len());
            samples.push(Sample {
                locations,
                size_class: told.size_class,
                labels: told.labels,
                numbers: told.numbers,
                values: of.value.clone(),
                sampled: SampledCounts::default(),
                variances: None,
            });
        }
        Ok(samples)
    }
}

/// Locations and number of the set of labels.
type Identity = (Vec<usize>, usize);

/// What a sample is told apart by besides its locations.
#[derive(Clone, Default)]
struct Told {
    size_class: u64,
    labels: Labels,
    numbers: Arc<[NumberLabel]>,
}

/// Labels as the message has them: key, string, number, unit, sorted.
type RawLabels = Vec<(i64, i64, i64, i64)>;

/// Each distinct set once.
#[derive(Default)]
struct LabelSets {
    known: BTreeMap<RawLabels, (usize, Told)>,
}

impl LabelSets {
    /// The number of this set, and what it says.
    fn of(
        &mut self,
        sample: usize,
        labels: &[proto::Label],
        strings: &mut Strings,
    ) -> Result<(usize, Told), DecodeError> {
        let raw = |of: &proto::Label| (of.key, of.str, of.num, of.num_unit);
        let mut set: RawLabels = labels.iter().map(raw).collect();
        set.sort_unstable();
        set.dedup();
        if let Some(known) = self.known.get(&set) {
            return Ok(known.clone());
        }
        let told = told(sample, &set, strings)?;
        let known = (self.known.len(), told);
        self.known.insert(set, known.clone());
        Ok(known)
    }
}

fn told(sample: usize, set: &RawLabels, strings: &mut Strings) -> Result<Told, DecodeError> {
    let mut told = Told::default();
    let (mut labels, mut numbers) = (Vec::new(), Vec::new());
    for &(key, text, value, unit) in set {
        let key = strings.get("label", key)?;
        if key.is_empty() {
            return Err(DecodeError::LabelKey { sample });
        }
        if text != 0 {
            labels.push((key, strings.get("label", text)?));
            continue;
        }
        let unit = strings.get("label", unit)?;
        let is_size = key == "bytes" && matches!(unit.as_str(), "" | "bytes");
        match u64::try_from(value) {
            Ok(size) if is_size && size > 0 && told.size_class == 0 => told.size_class = size,
            _ => numbers.push(NumberLabel { key, value, unit }),
        }
    }
    labels.sort();
    told.labels = labels.into();
    told.numbers = numbers.into();
    Ok(told)
}

/// The string table; what is copied out of it counts.
struct Strings {
    strings: Vec<String>,
    budget: Budget,
}

impl Strings {
    fn get(&mut self, of: &'static str, index: i64) -> Result<String, DecodeError> {
        let found = usize::try_from(index)
            .ok()
            .and_then(|at| self.strings.get(at));
        let text = found.ok_or(DecodeError::StringIndex {
            of,
            index,
            strings: self.strings.len(),
        })?;
        self.budget.take(size_of::<String>() + text.len())?;
        Ok(text.clone())
    }
}

/// Indices by id.
struct Ids {
    of: &'static str,
    indices: HashMap<u64, usize>,
}

impl Ids {
    fn of(of: &'static str, ids: impl Iterator<Item = u64>) -> Result<Self, DecodeError> {
        let mut indices = HashMap::with_capacity(ids.size_hint().0);
        for (index, id) in ids.enumerate() {
            if id == 0 {
                return Err(DecodeError::ZeroId { of });
            }
            if indices.insert(id, index).is_some() {
                return Err(DecodeError::SameId { of, id });
            }
        }
        Ok(Ids { of, indices })
    }

    fn index(&self, id: u64, from: &'static str) -> Result<usize, DecodeError> {
        let of = self.of;
        let unknown = DecodeError::UnknownId { of, id, from };
        self.indices.get(&id).copied().ok_or(unknown)
    }
}

/// 1970 for times before it and for 0, which is no time.
fn time(nanos: i64) -> SystemTime {
    let nanos = u64::try_from(nanos).unwrap_or(0);
    UNIX_EPOCH + Duration::from_nanos(nanos)
}
