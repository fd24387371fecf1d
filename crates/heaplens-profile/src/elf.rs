//! What is read straight from ELF files: build ids and load segments.
//! Everything in them is taken for hostile: no size is believed, nothing panics.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use object::{CompressionFormat, Object, ObjectSection, ObjectSegment, ReadCache};

/// A load segment: which part of the file belongs at which address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    offset: u64,
    size: u64,
    address: u64,
}

/// A separate debug file, as `.gnu_debuglink` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DebugLink {
    /// A plain file name.
    pub(crate) name: OsString,
    /// CRC-32 of the whole file.
    pub(crate) checksum: u32,
}

/// What must be known of an object in order to look addresses up in it.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) build_id: Option<String>,
    /// Whether its functions and lines are told in the file itself.
    pub(crate) has_debug_information: bool,
    /// How many bytes its compressed sections come to when they are unpacked.
    pub(crate) compressed: u64,
    /// Which other file tells of them, as the file says.
    pub(crate) debug_link: Option<DebugLink>,
    segments: Vec<Segment>,
}

impl Layout {
    /// Reads headers and notes of the ELF file at `path`. `None` if it is no
    /// regular file or no ELF file.
    pub(crate) fn read(path: &Path) -> Option<Layout> {
        let cache = ReadCache::new(open_regular(path)?);
        let object = object::File::parse(&cache).ok()?;
        if object.format() != object::BinaryFormat::Elf {
            return None;
        }
        let segments = object
            .segments()
            .map(|segment| {
                let (offset, size) = segment.file_range();
                Segment {
                    offset,
                    size,
                    address: segment.address(),
                }
            })
            .collect();
        Some(Layout {
            build_id: object.build_id().ok().flatten().map(hex),
            has_debug_information: object.section_by_name(".debug_info").is_some(),
            compressed: compressed(&object),
            debug_link: debug_link(&object),
            segments,
        })
    }

    /// The address, as the file's own tables give it, of what lies at
    /// `offset` in the file.
    pub(crate) fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let inside = offset.checked_sub(segment.offset)?;
            (inside < segment.size).then(|| segment.address.checked_add(inside))?
        })
    }
}

impl Layout {
    /// Where in the file what the tables count as `address` is: the inverse of
    /// [`Layout::address_of`].
    pub(crate) fn offset_of(&self, address: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            (inside < segment.size).then(|| segment.offset.checked_add(inside))?
        })
    }
}

fn compressed<'a>(object: &impl Object<'a>) -> u64 {
    let sections = object.sections().filter_map(|section| {
        let range = section.compressed_file_range().ok()?;
        (range.format != CompressionFormat::None).then_some(range.uncompressed_size)
    });
    sections.fold(0, u64::saturating_add)
}

fn debug_link<'a>(object: &impl Object<'a>) -> Option<DebugLink> {
    let (name, checksum) = object.gnu_debuglink().ok()??;
    let name = OsStr::from_bytes(name);
    // Anything but a name could lead anywhere.
    let plain = Path::new(name).file_name() == Some(name);
    plain.then(|| DebugLink {
        name: name.to_owned(),
        checksum,
    })
}

/// The GNU build id of an ELF file in lower-case hexadecimal.
pub(crate) fn build_id(path: &Path) -> Option<String> {
    let cache = ReadCache::new(open_regular(path)?);
    let object = object::File::parse(&cache).ok()?;
    object.build_id().ok().flatten().map(hex)
}

/// Devices and pipes can be mapped or named like a file too; opening one may
/// block or have effects.
pub(crate) fn open_regular(path: &Path) -> Option<File> {
    std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    File::open(path).ok()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
