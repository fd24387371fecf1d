//! The unwind tables of a loaded object, from its program headers.
//!
//! Only what the unwinder needs of ELF is read, with every offset checked: the
//! file may be anything. Formats: the ELF64 specification, and for
//! `.eh_frame_hdr` the LSB core specification, "Exception Frames".

use std::ops::Range;

const PT_LOAD: u32 = 1;
const PT_PHDR: u32 = 6;
const PT_GNU_EH_FRAME: u32 = 0x6474_e550;
const PF_X: u32 = 1;
const HEADER_SIZE: usize = 56;

/// One program header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
}

/// Reads a range of an object, by file offset or by address.
pub(crate) trait Bytes {
    /// The bytes of `segment` from `skip` on, to its end.
    fn of_segment(&self, segment: &Segment, skip: u64) -> Option<&'static [u8]>;
}

/// Addresses as stated in the object, and the bytes there.
#[derive(Clone, Debug)]
pub(crate) struct UnwindSections {
    pub(crate) header_address: u64,
    pub(crate) header: &'static [u8],
    pub(crate) frames_address: u64,
    pub(crate) frames: &'static [u8],
}

/// The program headers in a table of `count` entries of the ELF64 size.
pub(crate) fn segments(table: &[u8], count: usize) -> impl Iterator<Item = Segment> + '_ {
    table
        .chunks_exact(HEADER_SIZE)
        .take(count)
        .filter_map(Segment::parse)
}

/// The range of the program-header table in a file that starts with `start`,
/// and its number of entries; `None` unless it is a 64-bit little-endian ELF.
pub(crate) fn header_table(start: &[u8]) -> Option<(Range<usize>, usize)> {
    if start.get(..6)? != b"\x7fELF\x02\x01" {
        return None;
    }
    let offset = usize::try_from(u64_at(start, 32)?).ok()?;
    if usize::from(u16_at(start, 54)?) != HEADER_SIZE {
        return None;
    }
    let count = usize::from(u16_at(start, 56)?);
    let end = offset.checked_add(count.checked_mul(HEADER_SIZE)?)?;
    Some((offset..end, count))
}

impl Segment {
    fn parse(bytes: &[u8]) -> Option<Self> {
        Some(Segment {
            kind: u32_at(bytes, 0)?,
            flags: u32_at(bytes, 4)?,
            offset: u64_at(bytes, 8)?,
            address: u64_at(bytes, 16)?,
            file_size: u64_at(bytes, 32)?,
            memory_size: u64_at(bytes, 40)?,
        })
    }

    /// Whether this is the segment of code that was mapped from `offset` on.
    pub(crate) fn is_code_at(&self, offset: u64, page: u64) -> bool {
        self.is_code() && self.offset / page == offset / page
    }

    /// Whether this is a segment of code.
    pub(crate) fn is_code(&self) -> bool {
        self.kind == PT_LOAD && self.flags & PF_X != 0
    }

    /// Whether this header says where the headers themselves are.
    pub(crate) fn is_headers(&self) -> bool {
        self.kind == PT_PHDR
    }

    /// Address of the first byte, as stated in the object.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// Offset of the first byte in the file.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes that lie in the file.
    pub(crate) fn file_size(&self) -> u64 {
        self.file_size
    }

    /// Bytes in memory.
    pub(crate) fn memory_size(&self) -> u64 {
        self.memory_size
    }

    /// How far into the segment an address lies, if it does.
    fn skip_to(&self, address: u64) -> Option<u64> {
        address
            .checked_sub(self.address)
            .filter(|skip| *skip < self.file_size)
    }
}

/// The unwind tables that the headers point to; `None` if there are none or
/// they are in a form that no linker of the day writes.
pub(crate) fn unwind_sections(
    segments: impl Iterator<Item = Segment> + Clone,
    bytes: &impl Bytes,
) -> Option<UnwindSections> {
    let header_segment = segments.clone().find(|s| s.kind == PT_GNU_EH_FRAME)?;
    let size = usize::try_from(header_segment.file_size).ok()?;
    let header = bytes.of_segment(&header_segment, 0)?.get(..size)?;
    // Version 1, and the pointer to .eh_frame as a signed 32-bit distance from
    // where it stands (DW_EH_PE_pcrel | DW_EH_PE_sdata4).
    if header.get(..2)? != [1, 0x1b] {
        return None;
    }
    let distance = i64::from(u32_at(header, 4)? as i32);
    let header_address = header_segment.address;
    let frames_address = header_address
        .checked_add(4)?
        .checked_add_signed(distance)?;
    let (holder, skip) = segments
        .filter(|segment| segment.kind == PT_LOAD)
        .find_map(|segment| Some((segment, segment.skip_to(frames_address)?)))?;
    Some(UnwindSections {
        header_address,
        header,
        frames_address,
        frames: bytes.of_segment(&holder, skip)?,
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    bytes.try_into().ok().map(u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    bytes.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    bytes.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct None_;
    impl Bytes for None_ {
        fn of_segment(&self, _: &Segment, _: u64) -> Option<&'static [u8]> {
            Some(&[1, 0x1b, 3, 0x3b, 0xff, 0xff, 0xff, 0x7f])
        }
    }

    proptest! {
        /// Whatever a file holds, reading it ends without a panic.
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            if let Some((range, count)) = header_table(&bytes) {
                let table = bytes.get(range).unwrap_or_default();
                let _ = unwind_sections(segments(table, count).collect::<Vec<_>>().into_iter(), &None_);
            }
            let all = segments(&bytes, usize::MAX).collect::<Vec<_>>();
            let _ = unwind_sections(all.into_iter(), &None_);
        }
    }
}
