//! Where addresses lie: in which object, and how far from the beginning of its mapping. So
//! they mean the same to another run of the program, which has its objects elsewhere, and are
//! never taken for those of another build.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use heaplens_profile::{Mapping, Mappings};

use super::varint::{Reader, write, write_text};

/// Where objects are put that this process has not: no program has addresses from here on.
const PAST: u64 = 1 << 62;
/// Room for each of them.
const ROOM: u64 = 1 << 40;
/// Addresses of no object, of another process.
const NOWHERE: u64 = 1 << 63;

/// An executable part of an object, as it was mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Segment {
    path: String,
    build_id: Option<String>,
    /// Tells files without a build id apart; 0 is not known.
    stamp: u64,
    /// In the file.
    offset: u64,
    length: u64,
}

impl Segment {
    fn of(mapping: &Mapping) -> Self {
        Segment {
            path: mapping.path.clone(),
            build_id: mapping.build_id.clone(),
            stamp: stamp(mapping),
            offset: mapping.offset,
            length: mapping.limit.saturating_sub(mapping.start),
        }
    }

    /// Whether this mapping is of the same object, and has all of it.
    fn is_in(&self, mapping: &Mapping) -> bool {
        let is_same = match (&self.build_id, &mapping.build_id) {
            (Some(then), Some(now)) => then == now,
            // Without an id the same file, which nobody has written to since.
            (None, None) => {
                self.path == mapping.path && self.stamp != 0 && self.stamp == stamp(mapping)
            }
            _ => false,
        };
        let end = self.offset.saturating_add(self.length);
        let behind = mapping
            .offset
            .saturating_add(mapping.limit.saturating_sub(mapping.start));
        is_same && mapping.offset <= self.offset && end <= behind
    }
}

/// Of a file without a build id: when it was last written to, and how long it is.
fn stamp(mapping: &Mapping) -> u64 {
    if mapping.build_id.is_some() || mapping.deleted || !mapping.path.starts_with('/') {
        return 0;
    }
    let Ok(told) = fs::metadata(Path::new(&mapping.path)) else {
        return 0;
    };
    let parts = [told.len(), told.mtime() as u64, told.mtime_nsec() as u64];
    super::index::hash(&parts).max(1)
}

/// The objects that addresses lie in, numbered as they come.
#[derive(Debug)]
pub(super) struct Objects<'a> {
    mappings: &'a Mappings,
    list: Vec<Segment>,
    /// By where the mapping starts.
    numbers: HashMap<u64, u64>,
}

impl<'a> Objects<'a> {
    pub(super) fn new(mappings: &'a Mappings) -> Self {
        Objects {
            mappings,
            list: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    /// The number of the object, from 1, and how far into it; or 0 and the address itself.
    pub(super) fn place(&mut self, address: u64) -> (u64, u64) {
        // A return address may lie behind the last instruction.
        let Some(call) = address.checked_sub(1) else {
            return (0, 0);
        };
        let found = self.mappings.find(call);
        let Some(mapping) = found.filter(|of| of.limit - of.start < ROOM) else {
            return (0, address);
        };
        let number = *self.numbers.entry(mapping.start).or_insert_with(|| {
            self.list.push(Segment::of(mapping));
            self.list.len() as u64
        });
        (number, call - mapping.start)
    }

    /// Appends all objects that had addresses so far.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write(out, self.list.len() as u64);
        for segment in &self.list {
            write_text(out, &segment.path);
            write_text(out, segment.build_id.as_deref().unwrap_or_default());
            for number in [segment.stamp, segment.offset, segment.length] {
                write(out, number);
            }
        }
    }
}

/// Where the objects of another run are in this process.
#[derive(Debug)]
pub(super) struct Bases {
    /// Of each object, by its number less one: where it begins, and how long it is.
    list: Vec<(u64, u64)>,
    /// Those that this process has not, as if they were mapped where nothing is.
    pub(super) past: Vec<Mapping>,
}

impl Bases {
    /// Reads what [`Objects::write`] wrote; `taken` are those already put where nothing is.
    pub(super) fn read(from: &mut Reader<'_>, mappings: &Mappings, taken: usize) -> Option<Self> {
        let count = from.count()?;
        let mut bases = Bases {
            list: Vec::with_capacity(count),
            past: Vec::new(),
        };
        for _ in 0..count {
            let (path, build_id) = (from.text()?, from.text()?);
            let segment = Segment {
                path,
                build_id: Some(build_id).filter(|id| !id.is_empty()),
                stamp: from.read()?,
                offset: from.read()?,
                length: from.read().filter(|length| *length < ROOM)?,
            };
            let start = bases.start(&segment, mappings, taken)?;
            bases.list.push((start, segment.length));
        }
        Some(bases)
    }

    fn start(&mut self, segment: &Segment, mappings: &Mappings, taken: usize) -> Option<u64> {
        // Those that are loaded first: their names are at hand.
        let here = || mappings.iter().filter(|of| segment.is_in(of));
        let mapping = here().find(|of| of.loaded).or_else(|| here().next());
        if let Some(mapping) = mapping {
            return Some(mapping.start + (segment.offset - mapping.offset));
        }
        let place = (taken + self.past.len()) as u64;
        let start = place.checked_mul(ROOM).filter(|of| *of < PAST)? + PAST;
        self.past.push(Mapping::of_the_past(
            start..start + segment.length,
            segment.offset,
            &*segment.path,
            segment.build_id.clone(),
        ));
        Some(start)
    }

    /// The address in this process of what [`Objects::place`] gave.
    pub(super) fn address(&self, number: u64, place: u64) -> Option<u64> {
        let Some(object) = number.checked_sub(1) else {
            return Some(if place == 0 { 0 } else { place | NOWHERE });
        };
        let (start, length) = self.list.get(usize::try_from(object).ok()?)?;
        (place < *length).then(|| start + place + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mappings `start, limit, offset, path, build id`.
    fn mappings(list: &[(u64, u64, u64, &str, &str)]) -> Mappings {
        let mut mappings = Mappings::default();
        let list: Vec<Mapping> = list
            .iter()
            .map(|(start, limit, offset, path, id)| {
                let id = Some((*id).to_owned()).filter(|id| !id.is_empty());
                let mut mapping = Mapping::of_the_past(*start..*limit, *offset, *path, id);
                (mapping.loaded, mapping.deleted) = (true, false);
                mapping
            })
            .collect();
        mappings.add_past(&list);
        mappings
    }

    /// What addresses of one process are in another.
    fn carried(from: &Mappings, to: &Mappings, addresses: &[u64]) -> (Vec<u64>, Vec<Mapping>) {
        let mut objects = Objects::new(from);
        let places: Vec<(u64, u64)> = addresses.iter().map(|of| objects.place(*of)).collect();
        let mut bytes = Vec::new();
        objects.write(&mut bytes);
        let mut reader = Reader::new(&bytes);
        let bases = Bases::read(&mut reader, to, 0).unwrap();
        assert!(reader.is_at_end());
        let address = |(number, place): &(u64, u64)| bases.address(*number, *place).unwrap();
        (places.iter().map(address).collect(), bases.past)
    }

    #[test]
    fn the_same_build_elsewhere() {
        let then = mappings(&[
            (0x1000, 0x5000, 0x1000, "/svc", "ab"),
            (0x9000, 0xa000, 0, "/lib/c.so", "cd"),
        ]);
        let now = mappings(&[
            (0x7000, 0x8000, 0, "/lib/c.so", "cd"),
            (0x21000, 0x25000, 0x1000, "/opt/svc", "ab"),
        ]);
        // The last one is the end of its mapping: a call may be the last instruction.
        let (moved, past) = carried(&then, &now, &[0x1001, 0x9100, 0x5000]);
        assert_eq!(moved, [0x21001, 0x7100, 0x25000]);
        assert_eq!(past, []);
    }

    #[test]
    fn another_build_is_never_taken_for_this_one() {
        let then = mappings(&[
            (0x1000, 0x5000, 0x1000, "/svc", "ab"),
            (0x9000, 0xa000, 0, "/lib/none.so", ""),
        ]);
        let now = mappings(&[
            (0x1000, 0x5000, 0x1000, "/svc", "ef"),
            (0x9000, 0xa000, 0, "/lib/none.so", ""),
        ]);
        let (moved, past) = carried(&then, &now, &[0x1001, 0x9001, 0x50_0000, 0]);
        assert_eq!(moved[..2], [PAST + 1, PAST + ROOM + 1]);
        // Code in no object, and no address.
        assert_eq!(moved[2..], [0x50_0000 | NOWHERE, 0]);
        assert!(moved[..3].iter().all(|of| now.find(of - 1).is_none()));
        let told: Vec<_> = past
            .iter()
            .map(|of| (&*of.path, of.build_id.as_deref(), of.offset, of.loaded))
            .collect();
        let svc = ("/svc", Some("ab"), 0x1000, false);
        assert_eq!(told, [svc, ("/lib/none.so", None, 0, false)]);
        // Once more, by a third run: still the first one's.
        let mut both = now.clone();
        both.add_past(&past);
        let (again, past) = carried(&both, &then, &moved);
        assert_eq!(again[0], 0x1001);
        assert_eq!((again[2], past.len()), (moved[2], 1));
    }

    #[test]
    fn a_file_without_a_build_id_is_the_same_while_it_is_not_written_to() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lib.so");
        fs::write(&file, "one").unwrap();
        let path = file.to_str().unwrap();
        let then = mappings(&[(0x1000, 0x2000, 0, path, "")]);
        let now = mappings(&[(0x5000, 0x6000, 0, path, "")]);
        assert_eq!(carried(&then, &now, &[0x1801]).0, [0x5801]);
        let mut objects = Objects::new(&then);
        objects.place(0x1801);
        let mut bytes = Vec::new();
        objects.write(&mut bytes);
        fs::write(&file, "longer").unwrap();
        let bases = Bases::read(&mut Reader::new(&bytes), &now, 0).unwrap();
        assert_eq!(bases.address(1, 0x800), Some(PAST + 0x801));
    }

    #[test]
    fn what_is_not_within_its_object_is_refused() {
        let then = mappings(&[(0x1000, 0x2000, 0, "/svc", "ab")]);
        let mut objects = Objects::new(&then);
        objects.place(0x1001);
        let mut bytes = Vec::new();
        objects.write(&mut bytes);
        let bases = Bases::read(&mut Reader::new(&bytes), &then, 0).unwrap();
        assert_eq!(bases.address(1, 0xfff), Some(0x2000));
        assert_eq!(bases.address(1, 0x1000), None);
        assert_eq!(bases.address(2, 0), None);
        for cut in 0..bytes.len() {
            assert!(Bases::read(&mut Reader::new(&bytes[..cut]), &then, 0).is_none());
        }
    }
}
