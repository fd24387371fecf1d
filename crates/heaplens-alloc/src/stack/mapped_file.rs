//! A file mapped for reading, of which little stays resident.

use std::ffi::CStr;
use std::ops::Range;
use std::ptr::NonNull;

use crate::os;

/// A read-only mapping of our own. Its slices pose as `'static`; whoever keeps
/// one keeps the mapping too.
#[derive(Debug)]
pub(crate) struct MappedFile {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping is read-only and owned.
unsafe impl Send for MappedFile {}
// SAFETY: as above.
unsafe impl Sync for MappedFile {}

impl MappedFile {
    /// `None` if the file cannot be read or is empty.
    pub(crate) fn open(path: &CStr) -> Option<Self> {
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
            Some(MappedFile { start, len })
        }
    }

    pub(crate) fn bytes(&self) -> &'static [u8] {
        // SAFETY: `len` bytes are mapped until this is dropped, which who keeps
        // slices of them puts off.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }

    /// Unmaps the pages outside of a range of the bytes.
    ///
    /// # Safety
    /// No slice of what lies outside is used any more.
    pub(crate) unsafe fn cut_to(&mut self, range: Range<usize>) {
        let page = usize::try_from(os::page_size()).unwrap_or(usize::MAX);
        let before = range.start / page * page;
        let Some(kept) = range
            .end
            .checked_next_multiple_of(page)
            .map(|end| end.min(self.len))
            .and_then(|end| end.checked_sub(before))
            .filter(|kept| *kept > 0)
        else {
            return;
        };
        // SAFETY: whole pages of the mapping, which by the caller's promise
        // nothing refers to.
        unsafe {
            let start = self.start.add(before);
            let behind = self.len - before - kept;
            if before > 0 {
                os::unmap(self.start, before);
            }
            if behind > 0 {
                os::unmap(start.add(kept), behind);
            }
            self.start = start;
        }
        self.len = kept;
    }

    /// Makes nothing of it resident until it is read again, from the page cache.
    pub(crate) fn release_pages(&self) {
        // SAFETY: advice on a mapping of our own, which nobody writes to: the
        // bytes stay what they are. A refusal changes nothing.
        unsafe { libc::madvise(self.start.as_ptr().cast(), self.len, libc::MADV_DONTNEED) };
    }
}

impl Drop for MappedFile {
    fn drop(&mut self) {
        // SAFETY: the whole mapping; its slices die with it.
        unsafe { os::unmap(self.start, self.len) };
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::ffi::OsStrExt;

    /// Ten pages, each of its own byte, and half of another.
    fn file() -> (tempfile::NamedTempFile, std::ffi::CString, Vec<u8>) {
        let page = usize::try_from(os::page_size()).expect("small");
        let bytes: Vec<u8> = (0..10 * page + page / 2)
            .map(|at| (at / page) as u8 + 1)
            .collect();
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&bytes).expect("written");
        let path = std::ffi::CString::new(file.path().as_os_str().as_bytes()).expect("no NUL");
        (file, path, bytes)
    }

    /// How many kilobytes are resident of the mapping that holds an address;
    /// `None` if there is none.
    pub(crate) fn resident(address: *const u8) -> Option<u64> {
        let maps = std::fs::read_to_string("/proc/self/smaps").expect("readable");
        let mut lines = maps.lines().skip_while(|line| {
            let range = line
                .split_once(' ')
                .and_then(|(range, _)| range.split_once('-'));
            !range.is_some_and(|(start, end)| {
                let parse = |text| u64::from_str_radix(text, 16).unwrap_or(u64::MAX);
                (parse(start)..parse(end)).contains(&(address as u64))
            })
        });
        let line = lines.find(|line| line.starts_with("Rss:"))?;
        line.split_ascii_whitespace().nth(1)?.parse().ok()
    }

    #[test]
    fn what_is_released_reads_as_before_and_is_not_resident() {
        let (_file, path, bytes) = file();
        let mapped = MappedFile::open(&path).expect("readable");
        assert_eq!(mapped.bytes(), bytes);
        assert_ne!(resident(mapped.bytes().as_ptr()), Some(0));
        mapped.release_pages();
        assert_eq!(resident(mapped.bytes().as_ptr()), Some(0));
        assert_eq!(mapped.bytes(), bytes);
    }

    #[test]
    fn what_lies_outside_is_unmapped() {
        let (_file, path, bytes) = file();
        let page = usize::try_from(os::page_size()).expect("small");
        for (range, kept) in [
            (0..bytes.len(), 0..bytes.len()),
            (3 * page + 1..5 * page - 1, 3 * page..5 * page),
            (page..2 * page, page..2 * page),
            (9 * page..bytes.len(), 9 * page..bytes.len()),
            (0..1, 0..page),
        ] {
            let mut mapped = MappedFile::open(&path).expect("readable");
            let whole = mapped.bytes().as_ptr();
            // SAFETY: only addresses are kept.
            unsafe { mapped.cut_to(range) };
            assert_eq!(mapped.bytes(), &bytes[kept.clone()]);
            assert_eq!(mapped.bytes().as_ptr(), whole.wrapping_add(kept.start));
            assert!(resident(mapped.bytes().as_ptr()).is_some());
        }
    }

    #[test]
    fn no_file_no_mapping() {
        assert!(MappedFile::open(c"/nowhere").is_none());
        assert!(MappedFile::open(c"/dev/null").is_none(), "it is empty");
    }
}
