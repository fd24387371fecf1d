//! Names for profiles that were made without: from files of the same builds, on
//! whatever machine those are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::debug_file;
use crate::elf::{self, Layout};
use crate::mappings::Mapping;
use crate::model::{
    Function, Labels, Line, Location, NumberLabel, Profile, ProfileMapping, Sample,
};
use crate::symbolize::{Frame, Symbolizer};
use crate::trim::{self, Role};

/// Files in which names may be found.
#[derive(Clone, Debug, Default)]
pub struct Files {
    binaries: Vec<Binary>,
    trees: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
struct Binary {
    path: PathBuf,
    build_id: Option<String>,
}

/// What became of one object of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Object {
    /// Its path as the profile has it.
    pub path: String,
    /// Its build id, in hexadecimal.
    pub build_id: Option<String>,
    /// The file that was read; `None` if there was none of the same build.
    pub file: Option<PathBuf>,
    /// Whether build ids prove that the file is of the same build. Where the profile
    /// has none, a file of the same name is taken.
    pub is_proved: bool,
    /// Locations that had no name.
    pub locations: usize,
    /// Those that have one now.
    pub named: usize,
}

impl Files {
    /// None so far: objects are looked for under the paths that the profile has.
    pub fn new() -> Self {
        Files::default()
    }

    /// Adds a program or library as it was linked, or stripped where its debug file
    /// is in a [`tree`](Files::tree).
    ///
    /// # Errors
    ///
    /// If it is no ELF file that can be read.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> std::io::Result<Self> {
        let path = path.into();
        // For the system's own words where it cannot be opened.
        std::fs::File::open(&path)?;
        let layout = Layout::read(&path).ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::InvalidData, "it is no ELF file")
        })?;
        self.binaries.push(Binary {
            path,
            build_id: layout.build_id,
        });
        Ok(self)
    }

    /// Adds a tree of files by build id: `ab/cdef….debug`, or the same below
    /// `.build-id`.
    #[must_use]
    pub fn tree(mut self, path: impl Into<PathBuf>) -> Self {
        self.trees.push(path.into());
        self
    }

    /// Where debug files of stripped objects are looked for: the system's own come last.
    fn debug_directories(&self) -> Vec<PathBuf> {
        let system = PathBuf::from(debug_file::DEFAULT_DIRECTORY);
        self.trees.iter().cloned().chain([system]).collect()
    }

    /// The file of an object, and whether it is proved to be of the same build.
    fn find(&self, mapping: &Mapping) -> Option<(PathBuf, bool)> {
        let Some(id) = &mapping.build_id else {
            let name = Path::new(&mapping.path).file_name()?;
            let same = |of: &&Binary| of.path.file_name() == Some(name);
            return Some((self.binaries.iter().find(same)?.path.clone(), false));
        };
        let given = self
            .binaries
            .iter()
            .find(|of| of.build_id.as_ref() == Some(id));
        let file = given.map(|of| of.path.clone()).or_else(|| {
            let own = PathBuf::from(&mapping.path);
            let in_trees = self.trees.iter().flat_map(|tree| in_tree(tree, id));
            let mut found = std::iter::once(own)
                .filter(|of| of.is_absolute())
                .chain(in_trees);
            found.find(|file| elf::build_id(file).as_ref() == Some(id))
        });
        Some((file?, true))
    }
}

fn in_tree(tree: &Path, id: &str) -> Vec<PathBuf> {
    let Some((first, rest)) = id.split_at_checked(2) else {
        return Vec::new();
    };
    let name = format!("{rest}.debug");
    [tree.join(".build-id"), tree.to_owned()]
        .map(|folder| folder.join(first).join(&name))
        .into()
}

impl Profile {
    /// Puts names to the locations that have none, and takes the allocator's own
    /// frames off the leaf end, as is done where names are known at once. Samples
    /// that become the same are summed.
    ///
    /// Tells what became of each object that has such locations. Costs what
    /// [`Symbolizer`] takes for their addresses.
    pub fn symbolize(&mut self, files: &Files) -> Vec<Object> {
        let mut symbolizer = Symbolizer::with_debug_directories(files.debug_directories());
        let mut names = Names::of(self);
        let mut objects = Vec::new();
        for index in 0..self.mappings.len() {
            let nameless: Vec<usize> = nameless(self, index).collect();
            let Some(mapping) = self.mappings.get(index).filter(|_| !nameless.is_empty()) else {
                continue;
            };
            let found = files.find(&mapping.mapping);
            let mut object = Object {
                path: mapping.mapping.path.clone(),
                build_id: mapping.mapping.build_id.clone(),
                is_proved: found.as_ref().is_some_and(|(_, is_proved)| *is_proved),
                file: found.map(|(file, _)| file),
                locations: nameless.len(),
                named: 0,
            };
            if let Some(file) = object.file.clone() {
                let place = Place::new(mapping.mapping.clone(), file);
                for number in nameless {
                    object.named += usize::from(names.put(self, number, &place, &mut symbolizer));
                }
            }
            objects.push(object);
        }
        self.functions = names.functions;
        if objects.iter().any(|of| of.named > 0) {
            trim_leaves(self);
            merge(self);
            self.compact();
            tell_what_is_known(self);
        }
        objects
    }
}

/// Locations of a mapping without names.
fn nameless(profile: &Profile, mapping: usize) -> impl Iterator<Item = usize> {
    let locations = profile.locations.iter().enumerate();
    locations
        .filter(move |(_, of)| {
            of.mapping == Some(mapping) && of.lines.is_empty() && of.address != 0
        })
        .map(|(number, _)| number)
}

/// A mapping, and how its addresses lead to places in its file.
struct Place {
    mapping: Mapping,
    /// For profiles that give addresses as the file's own tables count, with a
    /// mapping of everything.
    layout: Option<Layout>,
}

impl Place {
    fn new(mut mapping: Mapping, file: PathBuf) -> Self {
        let is_whole = mapping.start == 0 && mapping.limit > u64::MAX / 2;
        let layout = Layout::read(&file).filter(|_| is_whole);
        mapping.file = Some(file);
        Place { mapping, layout }
    }

    fn frames(&self, address: u64, symbolizer: &mut Symbolizer) -> Arc<[Frame]> {
        let address = match &self.layout {
            Some(layout) => layout.offset_of(address),
            None => Some(address),
        };
        address.map_or_else(Arc::default, |address| {
            symbolizer.lookup(&self.mapping, address)
        })
    }
}

/// Functions, each once.
struct Names {
    functions: Vec<Arc<Function>>,
    numbers: HashMap<Arc<Function>, usize>,
}

impl Names {
    fn of(profile: &Profile) -> Self {
        let functions = profile.functions.clone();
        let numbers = functions.iter().cloned().zip(0..).collect();
        Names { functions, numbers }
    }

    /// Names a location; whether there was a name.
    fn put(
        &mut self,
        profile: &mut Profile,
        number: usize,
        place: &Place,
        symbolizer: &mut Symbolizer,
    ) -> bool {
        let Some(location) = profile.locations.get_mut(number) else {
            return false;
        };
        let frames = place.frames(location.address, symbolizer);
        location.offset = frames.first().and_then(|frame| frame.offset);
        location.lines = frames
            .iter()
            .map(|frame| Line {
                function: self.number(&frame.function),
                line: frame.line,
                column: frame.column,
            })
            .collect();
        !location.lines.is_empty()
    }

    fn number(&mut self, function: &Arc<Function>) -> usize {
        let next = self.functions.len();
        let number = *self.numbers.entry(Arc::clone(function)).or_insert(next);
        if number == next {
            self.functions.push(Arc::clone(function));
        }
        number
    }
}

/// How far from the leaf an entry point of the allocator is looked for.
const ENTRY_DEPTH: usize = 32;

/// Leaves the allocator's own frames out, unless there are no others.
fn trim_leaves(profile: &mut Profile) {
    let roles: Vec<Role> = profile
        .functions
        .iter()
        .map(|of| Role::of(&of.name))
        .collect();
    let of_location: Vec<Vec<Role>> = profile
        .locations
        .iter()
        .map(|of| {
            let lines = of.lines.iter();
            lines
                .filter_map(|line| roles.get(line.function).copied())
                .collect()
        })
        .collect();
    // Locations without their innermost lines, by location and number of lines.
    let mut cut: HashMap<(usize, usize), usize> = HashMap::new();
    for sample in &mut profile.samples {
        let Some((from, lines_out)) = leaf(&sample.locations, &of_location) else {
            continue;
        };
        sample.locations.drain(..from);
        let Some(first) = sample.locations.first_mut().filter(|_| lines_out > 0) else {
            continue;
        };
        let next = profile.locations.len();
        let number = *cut.entry((*first, lines_out)).or_insert(next);
        if let Some(whole) = profile.locations.get(*first).filter(|_| number == next) {
            let lines = whole.lines.get(lines_out..).unwrap_or_default().to_vec();
            let location = Location {
                lines,
                ..whole.clone()
            };
            profile.locations.push(location);
        }
        *first = number;
    }
}

/// Where a stack leaves the allocator: the place of the first location that has
/// other lines, and how many of its lines are the allocator's.
fn leaf(locations: &[usize], roles: &[Vec<Role>]) -> Option<(usize, usize)> {
    let at = |place: usize| roles.get(*locations.get(place)?);
    let entry = (0..locations.len().min(ENTRY_DEPTH))
        .rev()
        .find_map(|place| Some((place, trim::entry_prefix(at(place)?)?)));
    let from = entry.map_or(0, |(place, _)| place);
    (from..locations.len()).find_map(|place| {
        let roles = at(place)?;
        let prefix = match entry {
            Some((entry, prefix)) if entry == place => prefix,
            _ => trim::leaf_prefix(roles.iter().copied()),
        };
        let is_whole = !roles.is_empty() && prefix == roles.len();
        (!is_whole).then_some((place, prefix))
    })
}

/// Locations, size class, labels, numbers.
type Identity = (Vec<usize>, u64, Labels, Arc<[NumberLabel]>);

/// Sums samples that differ in nothing but their values.
fn merge(profile: &mut Profile) {
    let mut known: HashMap<Identity, usize> = HashMap::new();
    let mut merged: Vec<Sample> = Vec::with_capacity(profile.samples.len());
    for sample in std::mem::take(&mut profile.samples) {
        let identity = (
            sample.locations.clone(),
            sample.size_class,
            Arc::clone(&sample.labels),
            Arc::clone(&sample.numbers),
        );
        let next = merged.len();
        let number = *known.entry(identity).or_insert(next);
        match merged.get_mut(number) {
            None => merged.push(sample),
            Some(sum) => {
                for (sum, value) in sum.values.iter_mut().zip(&sample.values) {
                    *sum = sum.saturating_add(*value);
                }
                sum.variances = None;
            }
        }
    }
    profile.samples = merged;
}

/// The flags of each mapping, true to fact.
fn tell_what_is_known(profile: &mut Profile) {
    for (index, mapping) in profile.mappings.iter_mut().enumerate() {
        let mut locations = profile
            .locations
            .iter()
            .filter(|of| of.mapping == Some(index))
            .peekable();
        if locations.peek().is_none() {
            continue;
        }
        set(mapping, true);
        for location in locations {
            let is_named = !location.lines.is_empty();
            let file = |line: &Line| profile.functions.get(line.function).map(|of| &of.file);
            let mut lines = location.lines.iter();
            mapping.has_functions &= is_named;
            mapping.has_inline_frames &= is_named;
            mapping.has_filenames &= is_named
                && lines
                    .clone()
                    .all(|of| file(of).is_some_and(|of| !of.is_empty()));
            mapping.has_line_numbers &= is_named && lines.all(|of| of.line > 0);
        }
    }
}

fn set(mapping: &mut ProfileMapping, flag: bool) {
    mapping.has_functions = flag;
    mapping.has_filenames = flag;
    mapping.has_line_numbers = flag;
    mapping.has_inline_frames = flag;
}
