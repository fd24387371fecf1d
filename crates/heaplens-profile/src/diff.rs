//! What changed between two profiles of the same program.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::intern::IntMap;
use crate::model::{
    Function, Labels, Location, NumberLabel, Profile, ProfileMapping, Sample, SampledCounts,
};

/// What becomes of the values in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Inuse {
    /// They are subtracted as all others are: what was freed meanwhile is
    /// negative.
    #[default]
    Change,
    /// They stay as they were last. Nothing is negative then, as readers want
    /// that leave out samples with a negative value.
    Last,
}

/// The two profiles have no type in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiffError {
    /// The types of the later one.
    pub types: Vec<String>,
    /// The types of the base.
    pub base: Vec<String>,
}

impl fmt::Display for DiffError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (types, base) = (self.types.join(", "), self.base.join(", "));
        write!(
            f,
            "the profiles have no sample type in common: {types} here, {base} in the base"
        )
    }
}

impl std::error::Error for DiffError {}

impl Profile {
    /// This profile less `base`, for the types that both have. Samples that did
    /// not change are left out; types and period stay, even if nothing changed
    /// at all. [`duration`](Profile::duration) is left to the caller.
    ///
    /// Samples are the same if their locations, size classes and labels are;
    /// locations are, if they have the same offset in the same object, so that
    /// the two may be of different runs of a program. How far differences may be
    /// off is not known from the two.
    ///
    /// Costs some 20 ns a location of each sample.
    ///
    /// # Errors
    ///
    /// If no type is in both.
    pub fn since(mut self, base: &Profile, inuse: Inuse) -> Result<Profile, DiffError> {
        let columns = self.keep_common_types(base)?;
        let scales: Vec<i64> = self
            .types
            .iter()
            .map(|of| match inuse {
                Inuse::Last if of.kind.starts_with("inuse_") => 0,
                _ => 1,
            })
            .collect();
        let samples = std::mem::take(&mut self.samples);
        let mut rows = Rows::new(samples, &self, base);
        for of in &base.samples {
            let values = columns.iter().zip(&scales).map(|(&column, scale)| {
                let value = of.values.get(column).copied().unwrap_or(0);
                value.saturating_mul(*scale)
            });
            rows.subtract(of, &values.collect::<Vec<_>>());
        }
        let (samples, gone) = rows.finish();
        self.samples = samples;
        Importer::new(&mut self, base).import(gone);
        Ok(self)
    }

    /// Leaves the values of types that `base` has too; returns their places in
    /// the base.
    fn keep_common_types(&mut self, base: &Profile) -> Result<Vec<usize>, DiffError> {
        let in_base = |of| base.types.iter().position(|other| other == of);
        let places: Vec<Option<usize>> = self.types.iter().map(in_base).collect();
        if places.iter().all(Option::is_none) {
            let names = |profile: &Profile| {
                let types = profile.types.iter();
                types.map(|of| format!("{}/{}", of.kind, of.unit)).collect()
            };
            return Err(DiffError {
                types: names(self),
                base: names(base),
            });
        }
        keep(&mut self.types, &places);
        for sample in &mut self.samples {
            keep(&mut sample.values, &places);
        }
        Ok(places.into_iter().flatten().collect())
    }
}

/// Keeps the values in whose place there is something.
fn keep<T>(values: &mut Vec<T>, places: &[Option<usize>]) {
    let mut places = places.iter();
    values.retain(|_| places.next().is_some_and(Option::is_some));
}

/// Samples of the later profile by what makes them the same.
struct Rows<'a> {
    samples: Vec<Row>,
    of_stack: HashMap<Stack, Vec<usize>>,
    /// Numbers of the base's locations, which locations of the later profile
    /// that are the same have as well.
    numbers: Vec<usize>,
    gone: Vec<Gone<'a>>,
}

/// A sample that only the base has.
struct Gone<'a> {
    /// Where it belongs in the list of samples.
    place: usize,
    sample: &'a Sample,
    values: Vec<i64>,
}

struct Row {
    sample: Sample,
    /// Whether a sample of the base was found to be the same.
    found: bool,
}

/// Numbers of locations, and size class.
type Stack = (Vec<usize>, u64);

impl<'a> Rows<'a> {
    fn new(samples: Vec<Sample>, later: &Profile, base: &Profile) -> Self {
        let mut known = HashMap::new();
        let later = numbers(later, &mut known);
        let numbers = numbers(base, &mut known);
        let mut of_stack: HashMap<Stack, Vec<usize>> = HashMap::new();
        for (index, sample) in samples.iter().enumerate() {
            let same = of_stack.entry(stack(sample, &later)).or_default();
            same.push(index);
        }
        let found = false;
        let samples = samples.into_iter().map(|sample| Row { sample, found });
        Rows {
            samples: samples.collect(),
            of_stack,
            numbers,
            gone: Vec::new(),
        }
    }

    /// Takes these values of a sample of the base away.
    fn subtract(&mut self, base: &'a Sample, values: &[i64]) {
        let same = self.of_stack.get(&stack(base, &self.numbers));
        let same = same.map_or(&[][..], Vec::as_slice);
        let is_it = |at: usize, found: bool| {
            self.samples
                .get(at)
                .is_some_and(|row| row.found == found && told_by(&row.sample) == told_by(base))
        };
        let place = [false, true]
            .into_iter()
            .find_map(|found| same.iter().copied().find(|&at| is_it(at, found)));
        if let Some(row) = place.and_then(|at| self.samples.get_mut(at)) {
            row.found = true;
            less(&mut row.sample.values, values);
            return;
        }
        let mut negative = vec![0; values.len()];
        less(&mut negative, values);
        self.gone.push(Gone {
            // Next to those of its stack, or else at the end.
            place: same.last().copied().unwrap_or(usize::MAX),
            sample: base,
            values: negative,
        });
    }

    /// Samples that changed, and those that are gone, each with the number of
    /// the sample that it stands before.
    fn finish(self) -> (Vec<Sample>, Vec<Gone<'a>>) {
        let mut gone = self.gone;
        gone.retain(|of| of.values.iter().any(|&value| value != 0));
        let mut places = vec![0; self.samples.len()];
        let mut changed = Vec::new();
        for (row, place) in self.samples.into_iter().zip(&mut places) {
            let mut sample = row.sample;
            if sample.values.iter().any(|&value| value != 0) {
                sample.sampled = SampledCounts::default();
                sample.variances = None;
                changed.push(sample);
            }
            *place = changed.len();
        }
        for of in &mut gone {
            of.place = places.get(of.place).copied().unwrap_or(usize::MAX);
        }
        (changed, gone)
    }
}

fn told_by(sample: &Sample) -> (&Labels, &Arc<[NumberLabel]>) {
    (&sample.labels, &sample.numbers)
}

fn less(values: &mut [i64], base: &[i64]) {
    for (value, base) in values.iter_mut().zip(base) {
        *value = value.saturating_sub(*base);
    }
}

fn stack(sample: &Sample, numbers: &[usize]) -> Stack {
    let number = |&index| numbers.get(index).copied();
    let frames = sample.locations.iter().filter_map(number).collect();
    (frames, sample.size_class)
}

/// The number of each location of a profile: equal ones have one number.
fn numbers<'a>(profile: &'a Profile, known: &mut HashMap<Place<'a>, usize>) -> Vec<usize> {
    let locations = profile.locations.iter();
    locations
        .map(|location| {
            let next = known.len();
            *known.entry(Place::of(profile, location)).or_insert(next)
        })
        .collect()
}

/// What makes a location the same in two profiles.
#[derive(PartialEq, Eq, Hash)]
struct Place<'a> {
    object: &'a str,
    /// In the file of the object, if it is in one.
    address: u64,
    /// Innermost first. Of a location with an address the innermost one only: it
    /// tells locations apart that are cut short at the leaf end.
    lines: Vec<(&'a str, u32)>,
}

impl<'a> Place<'a> {
    fn of(profile: &'a Profile, location: &Location) -> Self {
        let mapping = location.mapping.and_then(|at| profile.mappings.get(at));
        let in_file = |of: &ProfileMapping| {
            let of = &of.mapping;
            let distance = location.address.wrapping_sub(of.start);
            distance.wrapping_add(of.offset)
        };
        let has_address = location.address != 0;
        let name = |function| {
            let function = profile.functions.get(function);
            function.map_or("", |function: &Arc<Function>| function.name.as_str())
        };
        let lines = location.lines.iter();
        let lines = lines.take(if has_address { 1 } else { usize::MAX });
        Place {
            object: mapping.map_or("", object),
            address: mapping
                .filter(|_| has_address)
                .map_or(location.address, in_file),
            lines: lines
                .map(|of| (name(of.function), if has_address { 0 } else { of.line }))
                .collect(),
        }
    }
}

/// What a mapping is told by: its build id, or else its file.
fn object(of: &ProfileMapping) -> &str {
    of.mapping.build_id.as_deref().unwrap_or(&of.mapping.path)
}

/// Takes samples of another profile into this one, with all they refer to.
struct Importer<'a> {
    into: &'a mut Profile,
    from: &'a Profile,
    locations: IntMap<usize, usize>,
    functions: IntMap<usize, usize>,
    mappings: IntMap<usize, usize>,
}

impl<'a> Importer<'a> {
    /// Locations that both have are found again, so that samples which differ
    /// in labels only still have the same.
    fn new(into: &'a mut Profile, from: &'a Profile) -> Self {
        let mut known = HashMap::new();
        let ours: HashMap<usize, usize> = numbers(into, &mut known)
            .into_iter()
            .enumerate()
            .map(|(index, number)| (number, index))
            .collect();
        let theirs = numbers(from, &mut known).into_iter().enumerate();
        let locations = theirs
            .filter_map(|(index, number)| Some((index, *ours.get(&number)?)))
            .collect();
        Importer {
            into,
            from,
            locations,
            functions: IntMap::default(),
            mappings: IntMap::default(),
        }
    }

    /// Puts each sample before the one of this number, in order.
    fn import(&mut self, gone: Vec<Gone<'_>>) {
        let mut samples: Vec<(usize, Sample)> = gone
            .into_iter()
            .map(|of| (of.place, self.sample(of.sample, of.values)))
            .collect();
        samples.sort_by_key(|(place, _)| *place);
        let mut samples = samples.into_iter().peekable();
        let before = std::mem::take(&mut self.into.samples);
        let mut all = Vec::with_capacity(before.len() + samples.len());
        for (index, sample) in before.into_iter().enumerate() {
            while let Some((_, gone)) = samples.next_if(|(place, _)| *place <= index) {
                all.push(gone);
            }
            all.push(sample);
        }
        all.extend(samples.map(|(_, gone)| gone));
        self.into.samples = all;
    }

    fn sample(&mut self, of: &Sample, values: Vec<i64>) -> Sample {
        let locations = of.locations.iter();
        Sample {
            locations: locations.filter_map(|&at| self.location(at)).collect(),
            size_class: of.size_class,
            labels: Labels::clone(&of.labels),
            numbers: Arc::clone(&of.numbers),
            values,
            sampled: SampledCounts::default(),
            variances: None,
        }
    }

    fn location(&mut self, index: usize) -> Option<usize> {
        if let Some(&known) = self.locations.get(&index) {
            return Some(known);
        }
        let mut location = self.from.locations.get(index)?.clone();
        location.mapping = location.mapping.and_then(|at| self.mapping(at));
        for line in &mut location.lines {
            line.function = self.function(line.function)?;
        }
        let number = self.into.locations.len();
        self.into.locations.push(location);
        self.locations.insert(index, number);
        Some(number)
    }

    fn mapping(&mut self, index: usize) -> Option<usize> {
        if let Some(&known) = self.mappings.get(&index) {
            return Some(known);
        }
        let mapping = self.from.mappings.get(index)?;
        let mut ours = self.into.mappings.iter();
        let same = ours.position(|of| of.mapping == mapping.mapping);
        let number = same.unwrap_or_else(|| {
            self.into.mappings.push(mapping.clone());
            self.into.mappings.len() - 1
        });
        self.mappings.insert(index, number);
        Some(number)
    }

    fn function(&mut self, index: usize) -> Option<usize> {
        if let Some(&known) = self.functions.get(&index) {
            return Some(known);
        }
        let function = Arc::clone(self.from.functions.get(index)?);
        let number = self.into.functions.len();
        self.into.functions.push(function);
        self.functions.insert(index, number);
        Some(number)
    }
}
