//! Addresses to functions, files and lines, from the mapped ELF files.
//!
//! Names come from the symbol table, so they are there in a binary without
//! debug information too; lines and inlined functions come from DWARF.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::debug_file;
use crate::image::{Image, Mapped, function_of_symbol};
use crate::intern::{IntMap, Pool};
use crate::mappings::{Mapping, Mappings};
use crate::model::Function;

/// Answers kept at the most; some 200 bytes each.
const MAX_ANSWERS: usize = 1 << 18;

/// Answers that stay when files are closed, at the most.
const KEPT_ANSWERS: usize = 1 << 15;

/// Lookups in an object after which what was read of it is given back: what an
/// address needs is read with the whole unit around it, and kept.
const LOOKUPS: usize = 1 << 10;

/// Objects kept open at the most.
const MAX_OBJECTS: usize = 1 << 12;

/// One function at an address: the physical one, or one that was inlined.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The function. Shared between all frames of the same function.
    pub function: Arc<Function>,
    /// Line in [`Function::file`], from 1; 0 = not known.
    pub line: u32,
    /// Column, from 1; 0 = not known.
    pub column: u32,
    /// Bytes from the start of the physical function to the address.
    pub offset: Option<u64>,
}

/// Looks addresses up in the objects that [`Mappings`] lists.
///
/// Each object is opened (mapped, not read) when it is first needed and parsed
/// as far as it is needed; dropping the symbolizer gives all of it back.
/// It takes some 20 MiB at the peak and 70 µs an address, for an object with
/// 100 MB of debug information; answers are kept, and take a microsecond.
///
/// Objects that cannot be read, or whose build id is not the one that the
/// mapping has, give no names: rather none than wrong ones. Mappings that were
/// parsed from text belong to no file that could be trusted to be the same,
/// so only those of [`Mappings::of_current_process`] give names.
///
/// An object that was stripped is read together with its debug file, which is
/// looked for as debuggers do: by build id (`.build-id/ab/cdef.debug`) or by
/// `.gnu_debuglink`, under `/usr/lib/debug` and beside the object. A debug file
/// of another build is not taken.
pub struct Symbolizer {
    debug_directories: Vec<PathBuf>,
    /// Objects opened so far, found by [`Symbolizer::numbers`].
    objects: Vec<Object>,
    /// By path: indices into `objects`, several if a file was replaced.
    numbers: HashMap<String, Vec<usize>>,
    functions: Pool<Function>,
    answers: IntMap<Place, Arc<[Frame]>>,
}

/// A file that was tried.
struct Object {
    file: Option<PathBuf>,
    build_id: Option<String>,
    contents: Contents,
    /// Addresses that were looked up since it was opened.
    lookups: usize,
}

enum Contents {
    /// Not needed so far, or not any more.
    Closed,
    Open(Box<Image>),
    /// No file, or not the one that was mapped.
    Unreadable,
}

impl Object {
    /// The image, which is opened if it was not.
    fn image(&mut self, mapping: &Mapping, directories: &[PathBuf]) -> Option<&Image> {
        if matches!(self.contents, Contents::Closed) {
            let mapped = Mapped {
                name: Path::new(&mapping.path),
                build_id: mapping.build_id.as_deref(),
            };
            let image = self.file.as_deref();
            let image = image.and_then(|file| Image::open(file, mapped, directories));
            self.contents = image.map_or(Contents::Unreadable, |image| {
                Contents::Open(Box::new(image))
            });
            self.lookups = 0;
        }
        match &self.contents {
            Contents::Open(image) => Some(image),
            Contents::Closed | Contents::Unreadable => None,
        }
    }
}

/// All that the answer to an address depends on.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    object: usize,
    address: u64,
    start: u64,
    offset: u64,
}

impl Default for Symbolizer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Symbolizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Symbolizer")
            .field("objects", &self.objects.len())
            .field("answers", &self.answers.len())
            .finish_non_exhaustive()
    }
}

impl Symbolizer {
    /// A symbolizer that has read nothing yet.
    pub fn new() -> Self {
        Self::with_debug_directories([PathBuf::from(debug_file::DEFAULT_DIRECTORY)])
    }

    /// Like [`Symbolizer::new`], with debug files looked for under these
    /// directories instead of `/usr/lib/debug`, in this order.
    pub fn with_debug_directories(directories: impl IntoIterator<Item = PathBuf>) -> Self {
        Symbolizer {
            debug_directories: directories.into_iter().collect(),
            objects: Vec::new(),
            numbers: HashMap::new(),
            functions: Pool::default(),
            answers: IntMap::default(),
        }
    }

    /// The functions at `address`, innermost first: inlined ones, and last the
    /// physical one. Empty if nothing is known of the address.
    ///
    /// `address` must lie inside the instruction meant: for a caller that is
    /// its return address minus 1.
    pub fn frames(&mut self, mappings: &Mappings, address: u64) -> Vec<Frame> {
        match mappings.find(address) {
            Some(mapping) => self.lookup(mapping, address).to_vec(),
            None => Vec::new(),
        }
    }

    /// The raw symbol (mangled, as linkers see it) of the physical function
    /// at `address`.
    pub fn symbol_name(&mut self, mappings: &Mappings, address: u64) -> Option<String> {
        let mapping = mappings.find(address)?;
        let (image, address) = self.image(mapping, address)?;
        image.symbol(address).map(|symbol| symbol.name)
    }

    /// Like [`Symbolizer::frames`], with the mapping known. Answers are kept.
    pub(crate) fn lookup(&mut self, mapping: &Mapping, address: u64) -> Arc<[Frame]> {
        let place = Place {
            object: self.object(mapping),
            address,
            start: mapping.start,
            offset: mapping.offset,
        };
        if let Some(known) = self.answers.get(&place) {
            return Arc::clone(known);
        }
        if self.answers.len() >= MAX_ANSWERS {
            self.answers.clear();
            self.functions = Pool::default();
        }
        self.give_back(place.object);
        let frames: Arc<[Frame]> = self.resolve(mapping, address).into();
        self.answers.insert(place, Arc::clone(&frames));
        frames
    }

    /// Looks these addresses up ahead of [`Symbolizer::lookup`], in the order in
    /// which the objects have them: parts that are near each other are read
    /// once, and given back before the next.
    pub(crate) fn prepare(&mut self, mappings: &Mappings, mut addresses: Vec<u64>) {
        addresses.sort_unstable();
        addresses.dedup();
        // More could not be kept.
        addresses.truncate(MAX_ANSWERS / 2);
        for address in addresses {
            if let Some(mapping) = mappings.find(address) {
                self.lookup(mapping, address);
            }
        }
    }

    /// Closes all files and gives back what was read of them. Names that were
    /// found stay, so that the next profile of this process opens files for new
    /// addresses only: at most 32,768 of them, some 12 MiB for 10,000 that are
    /// all in functions of their own. Beyond that, nothing stays.
    pub fn close_files(&mut self) {
        if self.answers.len() > KEPT_ANSWERS {
            *self = Self::with_debug_directories(std::mem::take(&mut self.debug_directories));
            return;
        }
        for object in &mut self.objects {
            object.contents = Contents::Closed;
        }
        // Without a build id, another file might come to the same place; and
        // what has no name now may have one then.
        let objects = &self.objects;
        self.answers.retain(|place, frames| {
            let object = objects.get(place.object);
            !frames.is_empty() && object.is_some_and(|of| of.build_id.is_some())
        });
    }

    /// Counts a lookup in an object, and closes it after many.
    fn give_back(&mut self, object: usize) {
        let Some(object) = self.objects.get_mut(object) else {
            return;
        };
        object.lookups += 1;
        if object.lookups > LOOKUPS {
            object.contents = Contents::Closed;
        }
    }

    fn resolve(&mut self, mapping: &Mapping, address: u64) -> Vec<Frame> {
        let Some((image, address)) = self.image(mapping, address) else {
            return Vec::new();
        };
        let symbol = image.symbol(address);
        let offset = symbol
            .as_ref()
            .and_then(|symbol| address.checked_sub(symbol.start));
        let found = image.debug_frames(address);
        let physical = found.len().saturating_sub(1);
        let mut functions = Vec::with_capacity(found.len().max(1));
        for (index, frame) in found.into_iter().enumerate() {
            let (line, column) = (frame.line, frame.column);
            let symbol = symbol.as_ref().filter(|_| index == physical);
            if let Some(function) = image.function(frame, symbol) {
                functions.push((function, line, column));
            }
        }
        if let (true, Some(symbol)) = (functions.is_empty(), symbol) {
            functions.push((function_of_symbol(&symbol), 0, 0));
        }
        functions
            .into_iter()
            .map(|(function, line, column)| Frame {
                function: self.functions.share(function),
                line,
                column,
                offset,
            })
            .collect()
    }

    /// The image of `mapping`, and `address` as its own tables count.
    fn image(&mut self, mapping: &Mapping, address: u64) -> Option<(&Image, u64)> {
        let object = self.object(mapping);
        let object = self.objects.get_mut(object)?;
        let image = object.image(mapping, &self.debug_directories)?;
        let in_file = address
            .checked_sub(mapping.start)?
            .checked_add(mapping.offset)?;
        let address = image.address_of(in_file)?;
        Some((image, address))
    }

    /// The index of the object of `mapping`.
    fn object(&mut self, mapping: &Mapping) -> usize {
        // As text: paths are compared part by part, for each address of each profile.
        let file = mapping.file.as_deref().map(Path::as_os_str);
        let is_it = |object: &Object| {
            object.file.as_deref().map(Path::as_os_str) == file
                && object.build_id == mapping.build_id
        };
        let known = self.numbers.get(&mapping.path).and_then(|numbers| {
            let mut numbers = numbers.iter().copied();
            numbers.find(|&number| self.objects.get(number).is_some_and(is_it))
        });
        if let Some(number) = known {
            return number;
        }
        if self.objects.len() >= MAX_OBJECTS {
            *self = Self::with_debug_directories(std::mem::take(&mut self.debug_directories));
        }
        let number = self.objects.len();
        self.objects.push(Object {
            file: mapping.file.clone(),
            build_id: mapping.build_id.clone(),
            contents: Contents::Closed,
            lookups: 0,
        });
        self.numbers
            .entry(mapping.path.clone())
            .or_default()
            .push(number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object may come back at another address: what was known of its old
    /// place must not answer for the new one.
    #[test]
    fn an_object_that_moved_is_looked_up_anew() {
        let mappings = Mappings::of_current_process().expect("/proc/self/maps");
        let address = an_object_that_moved_is_looked_up_anew as *const () as u64;
        let here = mappings.find(address).expect("this program");
        let mut moved = here.clone();
        moved.start -= 0x100;
        let mut symbolizer = Symbolizer::new();
        let before = symbolizer.lookup(here, address);
        let after = symbolizer.lookup(&moved, address);
        assert_eq!(after, Symbolizer::new().lookup(&moved, address));
        assert_ne!(before, after);
        assert_eq!(before, symbolizer.lookup(here, address));
    }
}
