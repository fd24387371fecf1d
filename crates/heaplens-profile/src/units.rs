//! Names and folders of all compile units of an object, read in small pieces:
//! the debug information of a large program is larger than what symbolizing may
//! take, and of each unit only the first entry is of interest.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use addr2line::gimli::{self, AttributeValue, EndianSlice, RunTimeEndian};
use object::{CompressionFormat, Object, ObjectSection, ReadCache};

use crate::elf;

/// Most units that are looked at.
const MAX_UNITS: usize = 1 << 16;

/// Bytes that are read of a unit: its header and first entry.
const UNIT: u64 = 4 << 10;

/// Bytes that are read of a table of abbreviations: all of it, as a rule.
const ABBREVIATIONS: u64 = 64 << 10;

/// Longest name that is read, in bytes.
const NAME: u64 = 4 << 10;

/// A compile unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) name: String,
    /// Where the compiler ran.
    pub(crate) folder: String,
}

/// The compile units of the ELF file at `path`. Sections that are compressed
/// count as not there. Costs some 10 µs a unit, and memory for the result only.
pub(crate) fn read(path: &Path) -> Option<Vec<Unit>> {
    let pieces = Pieces::open(path)?;
    let mut units = Vec::new();
    let mut at = 0;
    for _ in 0..MAX_UNITS {
        let Some(length) = pieces.u32(pieces.info, at) else {
            break;
        };
        // Above are marks of the 64-bit form, which no compiler writes by itself.
        if length >= 0xffff_fff0 {
            break;
        }
        let size = u64::from(length) + 4;
        units.extend(pieces.unit(at, size));
        at += size;
    }
    Some(units)
}

/// Where a section lies in the file; none if it is missing.
#[derive(Clone, Copy, Debug, Default)]
struct Section {
    offset: u64,
    size: u64,
}

struct Pieces {
    file: File,
    endian: RunTimeEndian,
    info: Section,
    abbreviations: Section,
    strings: Section,
    line_strings: Section,
    string_offsets: Section,
}

impl Pieces {
    fn open(path: &Path) -> Option<Pieces> {
        let cache = ReadCache::new(elf::open_regular(path)?);
        let object = object::File::parse(&cache).ok()?;
        let section = |name| {
            let range = object.section_by_name(name)?.compressed_file_range().ok()?;
            (range.format == CompressionFormat::None).then_some(Section {
                offset: range.offset,
                size: range.uncompressed_size,
            })
        };
        Some(Pieces {
            file: elf::open_regular(path)?,
            endian: if object.is_little_endian() {
                RunTimeEndian::Little
            } else {
                RunTimeEndian::Big
            },
            info: section(".debug_info")?,
            abbreviations: section(".debug_abbrev")?,
            strings: section(".debug_str").unwrap_or_default(),
            line_strings: section(".debug_line_str").unwrap_or_default(),
            string_offsets: section(".debug_str_offsets").unwrap_or_default(),
        })
    }

    /// Up to `length` bytes at `at` in a section: fewer at its end.
    fn read(&self, section: Section, at: u64, length: u64) -> Option<Vec<u8>> {
        let length = length.min(section.size.checked_sub(at)?);
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        let from = section.offset.checked_add(at)?;
        self.file.read_exact_at(&mut bytes, from).ok()?;
        Some(bytes)
    }

    fn u32(&self, section: Section, at: u64) -> Option<u32> {
        let bytes: [u8; 4] = self.read(section, at, 4)?.try_into().ok()?;
        Some(match self.endian {
            RunTimeEndian::Little => u32::from_le_bytes(bytes),
            RunTimeEndian::Big => u32::from_be_bytes(bytes),
        })
    }

    /// The unit of `size` bytes at `at`.
    fn unit(&self, at: u64, size: u64) -> Option<Unit> {
        let mut bytes = self.read(self.info, at, size.min(UNIT))?;
        // As if it ended here: the first entry is all that is read of it.
        let length = u32::try_from(bytes.len().checked_sub(4)?).ok()?;
        bytes.get_mut(..4)?.copy_from_slice(&match self.endian {
            RunTimeEndian::Little => length.to_le_bytes(),
            RunTimeEndian::Big => length.to_be_bytes(),
        });
        let info = gimli::DebugInfo::new(&bytes, self.endian);
        let header = info.units().next().ok()??;
        let table = header.debug_abbrev_offset().0 as u64;
        let table = self.read(self.abbreviations, table, ABBREVIATIONS)?;
        let table = gimli::DebugAbbrev::new(&table, self.endian)
            .abbreviations(gimli::DebugAbbrevOffset(0))
            .ok()?;
        let mut entries = header.entries(&table);
        let first = entries.next_dfs().ok()??;
        let offsets = match first.attr_value(gimli::DW_AT_str_offsets_base) {
            Some(AttributeValue::DebugStrOffsetsBase(base)) => base.0 as u64,
            _ => 0,
        };
        let text = |attribute| self.text(first.attr_value(attribute)?, offsets);
        Some(Unit {
            name: text(gimli::DW_AT_name)?,
            folder: text(gimli::DW_AT_comp_dir).unwrap_or_default(),
        })
    }

    fn text(
        &self,
        value: AttributeValue<EndianSlice<'_, RunTimeEndian>>,
        offsets: u64,
    ) -> Option<String> {
        match value {
            AttributeValue::String(text) => Some(text.to_string_lossy().into_owned()),
            AttributeValue::DebugStrRef(at) => self.string(self.strings, at.0 as u64),
            AttributeValue::DebugLineStrRef(at) => self.string(self.line_strings, at.0 as u64),
            AttributeValue::DebugStrOffsetsIndex(index) => {
                let entry = offsets.checked_add((index.0 as u64).checked_mul(4)?)?;
                let at = self.u32(self.string_offsets, entry)?;
                self.string(self.strings, at.into())
            }
            _ => None,
        }
    }

    fn string(&self, section: Section, at: u64) -> Option<String> {
        let bytes = self.read(section, at, NAME)?;
        let end = bytes.iter().position(|&byte| byte == 0)?;
        Some(String::from_utf8_lossy(bytes.get(..end)?).into_owned())
    }
}
