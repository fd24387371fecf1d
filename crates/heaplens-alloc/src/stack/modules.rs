//! The loaded objects and their unwind tables.
//!
//! The program itself is read where it lies in memory: it is never unloaded.
//! Of shared objects the *file* is mapped, because an object may be unloaded
//! (dlclose) while its tables are still listed here.

use std::ops::Range;
use std::ptr::NonNull;

use super::elf::{self, Bytes, Segment};
use crate::os;

/// A loaded object that the unwinder can walk through.
#[derive(Debug)]
pub(crate) struct Module {
    /// Code addresses in this process.
    pub(crate) code: Range<u64>,
    /// What to add to an address stated in the object.
    pub(crate) bias: u64,
    pub(crate) sections: elf::UnwindSections,
    /// Keeps the file mapped; `None` for the program itself.
    #[cfg_attr(not(test), expect(dead_code, reason = "held for its Drop"))]
    file: Option<FileMapping>,
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
    let segments = elf::segments(table, usize::MAX);
    let segments: Vec<Segment> = segments.collect();
    let headers = segments.iter().find(|segment| segment.is_headers());
    // Without PT_PHDR the program is not relocated.
    let bias = headers.map_or(0, |headers| {
        (table.as_ptr() as u64).wrapping_sub(headers.address())
    });
    let code = segments.iter().find(|segment| segment.is_code())?;
    let start = bias.wrapping_add(code.address());
    Some(Module {
        code: start..start.checked_add(code.memory_size())?,
        bias,
        sections: elf::unwind_sections(segments.into_iter(), &InMemory { bias })?,
        file: None,
    })
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
    let file = FileMapping::open(&code.path)?;
    let (range, count) = elf::header_table(file.bytes())?;
    let table = file.bytes().get(range)?;
    let segments: Vec<Segment> = elf::segments(table, count).collect();
    let segment = segments
        .iter()
        .find(|segment| segment.is_code_at(code.offset, PAGE))?;
    let sections = elf::unwind_sections(segments.iter().copied(), &InFile(file.bytes()))?;
    let page_address = segment.address() - segment.offset() % PAGE;
    Some(Module {
        code: code.range.clone(),
        bias: code.range.start.wrapping_sub(page_address),
        sections,
        file: Some(file),
    })
}

const PAGE: u64 = 4096;

struct InFile(&'static [u8]);

impl Bytes for InFile {
    fn of_segment(&self, segment: &Segment, skip: u64) -> Option<&'static [u8]> {
        let start = usize::try_from(segment.offset().checked_add(skip)?).ok()?;
        let len = usize::try_from(segment.file_size().checked_sub(skip)?).ok()?;
        self.0.get(start..start.checked_add(len)?)
    }
}

/// A file mapped for reading. Its slices pose as `'static`; whoever keeps one
/// keeps the mapping too ([`Module`] does).
#[derive(Debug)]
struct FileMapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is read-only and owned.
unsafe impl Send for FileMapping {}
// SAFETY: as above.
unsafe impl Sync for FileMapping {}

impl FileMapping {
    fn open(path: &[u8]) -> Option<Self> {
        let path = std::ffi::CString::new(path).ok()?;
        // SAFETY: open, fstat and mmap on a descriptor of our own, which is
        // closed here; the private read-only mapping touches nothing else.
        unsafe {
            let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
            if file < 0 {
                return None;
            }
            let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed().assume_init();
            let len = if libc::fstat(file, &raw mut status) == 0 {
                usize::try_from(status.st_size).unwrap_or(0)
            } else {
                0
            };
            let address = libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_PRIVATE,
                file,
                0,
            );
            libc::close(file);
            if address == libc::MAP_FAILED {
                return None;
            }
            let start = NonNull::new(address.cast())?;
            Some(FileMapping { start, len })
        }
    }

    fn bytes(&self) -> &'static [u8] {
        // SAFETY: `len` bytes are mapped until this is dropped, which
        // `Module` puts off for as long as it keeps slices of them.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl Drop for FileMapping {
    fn drop(&mut self) {
        // SAFETY: the whole mapping; its slices die with the `Module`.
        unsafe { os::unmap(self.start, self.len) };
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
        assert!(main[0].file.is_none() && !main[0].sections.frames.is_empty());
        let libc = libc::qsort as *const () as usize as u64;
        let libc: Vec<_> = modules.iter().filter(|m| m.code.contains(&libc)).collect();
        assert_eq!(libc.len(), 1);
        assert!(libc[0].file.is_some());
        assert_eq!(fingerprint(), fingerprint());
    }
}
