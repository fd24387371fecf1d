//! The loaded objects and their unwind tables.
//!
//! The tables are read in a mapping of the *file*, for two reasons: a shared
//! object may be unloaded (dlclose) while its tables are still listed here, and
//! what has been read need not stay resident ([`Module::release_pages`]). Where the file
//! of the program itself cannot be had, its tables are read where it lies in
//! memory: it is never unloaded.

use std::ffi::{CStr, CString};
use std::ops::Range;

use super::elf::{self, Bytes, Segment, UnwindSections};
use super::mapped_file::MappedFile;
use crate::os;

/// A loaded object that the unwinder can walk through.
#[derive(Debug)]
pub(crate) struct Module {
    /// Code addresses in this process.
    pub(crate) code: Range<u64>,
    /// What to add to an address stated in the object.
    pub(crate) bias: u64,
    pub(crate) sections: UnwindSections,
    /// Where the sections lie, unless it is the program in memory.
    file: Option<MappedFile>,
}

impl Module {
    /// Makes nothing resident of what was read of this object's tables, until it is
    /// read again. A system call.
    pub(crate) fn release_pages(&self) {
        if let Some(file) = &self.file {
            file.release_pages();
        }
    }
}

/// One line of `/proc/self/maps` that maps code from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct CodeMapping {
    range: Range<u64>,
    offset: u64,
    path: Vec<u8>,
}

/// All objects whose unwind tables can be read. Allocates: to be called where
/// that is allowed.
pub(crate) fn load() -> Vec<Module> {
    let main = main_program();
    let is_main = |code: &CodeMapping| {
        main.as_ref().is_some_and(|main| {
            main.code.start < code.range.end && code.range.start < main.code.end
        })
    };
    let mut modules: Vec<Module> = code_mappings()
        .iter()
        .filter(|code| !is_main(code))
        .filter_map(shared_object)
        .collect();
    modules.extend(main);
    modules
}

/// Changes whenever an object is loaded or unloaded.
pub(crate) fn fingerprint() -> u64 {
    code_mappings().iter().fold(0, |hash: u64, code| {
        let mixed = code.range.start ^ code.range.end.rotate_left(20) ^ code.offset;
        crate::sampler::Random(hash ^ mixed).next()
    })
}

fn main_program() -> Option<Module> {
    // SAFETY: getauxval reads the auxiliary vector; AT_PHDR and AT_PHNUM give
    // the program headers, which stay mapped as long as the process runs.
    let table = unsafe {
        let address = libc::getauxval(libc::AT_PHDR) as *const u8;
        let count = libc::getauxval(libc::AT_PHNUM) as usize;
        if address.is_null() || libc::getauxval(libc::AT_PHENT) != 56 {
            return None;
        }
        std::slice::from_raw_parts(address, count.checked_mul(56)?)
    };
    let segments: Vec<Segment> = elf::segments(table, usize::MAX).collect();
    let headers = segments.iter().find(|segment| segment.is_headers());
    // Without PT_PHDR the program is not relocated.
    let bias = headers.map_or(0, |headers| {
        (table.as_ptr() as u64).wrapping_sub(headers.address())
    });
    let code = segments.iter().find(|segment| segment.is_code())?;
    let start = bias.wrapping_add(code.address());
    let in_memory = elf::unwind_sections(segments.iter().copied(), &InMemory { bias })?;
    let (sections, file) = match file_of_program(table, &in_memory) {
        Some((sections, file)) => (sections, Some(file)),
        None => (in_memory, None),
    };
    Some(Module {
        code: start..start.checked_add(code.memory_size())?,
        bias,
        sections,
        file,
    })
}

/// The sections of the program in its file; `None` unless it is the file that was
/// loaded, which a program that unpacked itself or runs under an emulator has not.
fn file_of_program(
    table: &[u8],
    in_memory: &UnwindSections,
) -> Option<(UnwindSections, MappedFile)> {
    let (file, segments) = open_object(c"/proc/self/exe")?;
    let (range, _) = elf::header_table(file.bytes())?;
    if file.bytes().get(range)? != table {
        return None;
    }
    let (sections, file) = sections_in(file, &segments)?;
    // Each entry of the search table names a function.
    let some = in_memory.header.len().min(4096);
    let is_same = sections.header_address == in_memory.header_address
        && sections.header.len() == in_memory.header.len()
        && sections.header.get(..some) == in_memory.header.get(..some)
        && sections.frames.len() == in_memory.frames.len();
    is_same.then_some((sections, file))
}

struct InMemory {
    bias: u64,
}

impl Bytes for InMemory {
    fn of_segment(&self, segment: &Segment, skip: u64) -> Option<&'static [u8]> {
        let len = usize::try_from(segment.file_size().checked_sub(skip)?).ok()?;
        let address = self.bias.wrapping_add(segment.address()).wrapping_add(skip);
        // SAFETY: the loader mapped `file_size` bytes of this segment of the
        // program at this address, readable, for as long as the process runs.
        // The unwind tables are not written to.
        Some(unsafe { std::slice::from_raw_parts(address as *const u8, len) })
    }
}

fn shared_object(code: &CodeMapping) -> Option<Module> {
    let path = CString::new(code.path.as_slice()).ok()?;
    let (file, segments) = open_object(&path)?;
    let segment = segments
        .iter()
        .find(|segment| segment.is_code_at(code.offset, PAGE))?;
    let page_address = segment.address() - segment.offset() % PAGE;
    let (sections, file) = sections_in(file, &segments)?;
    Some(Module {
        code: code.range.clone(),
        bias: code.range.start.wrapping_sub(page_address),
        sections,
        file: Some(file),
    })
}

const PAGE: u64 = 4096;

/// An object's file and its program headers.
fn open_object(path: &CStr) -> Option<(MappedFile, Vec<Segment>)> {
    let file = MappedFile::open(path)?;
    let (range, count) = elf::header_table(file.bytes())?;
    let segments = elf::segments(file.bytes().get(range)?, count).collect();
    Some((file, segments))
}

/// An object's sections, and of its file the pages that hold them.
fn sections_in(mut file: MappedFile, segments: &[Segment]) -> Option<(UnwindSections, MappedFile)> {
    let sections = elf::unwind_sections(segments.iter().copied(), &InFile(file.bytes()))?;
    let (header, frames) = (
        sections.header.as_ptr_range(),
        sections.frames.as_ptr_range(),
    );
    let offset =
        |address: *const u8| (address as usize).checked_sub(file.bytes().as_ptr() as usize);
    let range = offset(header.start.min(frames.start))?..offset(header.end.max(frames.end))?;
    // SAFETY: the sections are all that was kept of it.
    unsafe { file.cut_to(range) };
    file.release_pages();
    Some((sections, file))
}

struct InFile(&'static [u8]);

impl Bytes for InFile {
    fn of_segment(&self, segment: &Segment, skip: u64) -> Option<&'static [u8]> {
        let start = usize::try_from(segment.offset().checked_add(skip)?).ok()?;
        let len = usize::try_from(segment.file_size().checked_sub(skip)?).ok()?;
        self.0.get(start..start.checked_add(len)?)
    }
}

fn code_mappings() -> Vec<CodeMapping> {
    let maps = os::read_file(c"/proc/self/maps");
    maps.split(|byte| *byte == b'\n')
        .filter_map(parse_line)
        .collect()
}

/// A line such as
/// `7f12a000-7f12c000 r-xp 00026000 fe:00 1234   /usr/lib/libc.so.6`.
fn parse_line(line: &[u8]) -> Option<CodeMapping> {
    let line = std::str::from_utf8(line).ok()?;
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?;
    let offset = fields.next()?;
    let (_device, _inode) = (fields.next()?, fields.next()?);
    let path = fields.next()?.trim_start();
    if permissions.as_bytes().get(2) != Some(&b'x') || !path.starts_with('/') {
        return None;
    }
    Some(CodeMapping {
        range: u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?,
        offset: u64::from_str_radix(offset, 16).ok()?,
        path: path.as_bytes().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_lines() {
        let line = b"7f12a000-7f12c000 r-xp 00026000 fe:00 1234    /usr/lib/my lib.so.6";
        let code = parse_line(line).expect("code");
        assert_eq!(code.range, 0x7f12_a000..0x7f12_c000);
        assert_eq!(code.offset, 0x26000);
        assert_eq!(code.path, b"/usr/lib/my lib.so.6");
        for other in [
            &b"7f12a000-7f12c000 r--p 00000000 fe:00 1234 /usr/lib/libc.so.6"[..],
            b"7ffd1000-7ffd3000 r-xp 00000000 00:00 0 [vdso]",
            b"7f12a000-7f12c000 rwxp 00000000 00:00 0 ",
            b"7f12a000-7f12c000",
            b"",
        ] {
            assert_eq!(parse_line(other), None);
        }
    }

    #[test]
    fn this_program_and_libc_are_found() {
        let modules = load();
        let here = this_program_and_libc_are_found as fn() as usize as u64;
        let main: Vec<_> = modules.iter().filter(|m| m.code.contains(&here)).collect();
        assert_eq!(main.len(), 1);
        assert!(main[0].file.is_some() && !main[0].sections.frames.is_empty());
        let libc = libc::qsort as *const () as usize as u64;
        let libc: Vec<_> = modules.iter().filter(|m| m.code.contains(&libc)).collect();
        assert_eq!(libc.len(), 1);
        assert!(libc[0].file.is_some());
        assert_eq!(fingerprint(), fingerprint());
    }

    #[test]
    fn the_file_of_the_program_says_what_lies_in_memory() {
        let main = main_program().expect("this program");
        let bias = main.bias;
        // SAFETY: the program's own tables, which nothing writes to.
        let lies = |address: u64, bytes: &[u8]| unsafe {
            std::slice::from_raw_parts(bias.wrapping_add(address) as *const u8, bytes.len())
                == bytes
        };
        let sections = &main.sections;
        assert!(main.file.is_some());
        assert!(lies(sections.header_address, sections.header));
        assert!(lies(sections.frames_address, sections.frames));
        main.release_pages();
        assert!(lies(sections.frames_address, sections.frames));
    }

    #[test]
    fn another_file_is_not_taken_for_the_programs() {
        let main = main_program().expect("this program");
        let (file, _) = open_object(c"/proc/self/exe").expect("readable");
        let (range, _) = elf::header_table(file.bytes()).expect("an object");
        let table = file.bytes().get(range).expect("there");
        assert!(file_of_program(table, &main.sections).is_some());
        assert!(file_of_program(&table[56..], &main.sections).is_none());
        let other = UnwindSections {
            header: &[1, 0x1b, 3, 0x3b],
            ..main.sections.clone()
        };
        assert!(file_of_program(table, &other).is_none());
    }
}
