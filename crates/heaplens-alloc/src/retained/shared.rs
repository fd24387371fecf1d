//! Shared memory is none of a child's business.
//!
//! The filter stops system calls, not stores. A destructor that releases a slot of a
//! ring in shared memory would do so in the parent's ring. So each mapping that is
//! shared and can be written to is replaced before anything is dropped: by a private
//! copy of its content, or by nothing where it is too large to copy or cannot be read,
//! such as a device's. There the child ends if it goes near it.
//!
//! Shared mappings that cannot be written to stay as they are; the filter lets nothing
//! become writable.

use std::ptr::{self, NonNull};

use crate::os;

/// So many bytes of shared memory are copied, all in all.
const COPIED: usize = 16 << 20;

/// The most mappings that are replaced.
const MOST: usize = 1 << 16;

/// A mapping, by first address and end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Range {
    start: usize,
    end: usize,
}

/// Replaces all shared mappings of this process that can be written to. `Err` with the
/// cause if any may be left.
///
/// # Safety
/// No other thread exists, and nothing relies on such memory being shared.
pub(super) unsafe fn replace() -> Result<(), i32> {
    let memory = os::map_zeroed(MOST * size_of::<Range>()).ok_or(libc::ENOMEM)?;
    // SAFETY: zeroed memory of that length, for which zero is a value. It stays mapped.
    let found = unsafe { NonNull::slice_from_raw_parts(memory.cast::<Range>(), MOST).as_mut() };
    let mut count = 0;
    each_shared(|range| {
        let place = found.get_mut(count).ok_or(libc::E2BIG)?;
        *place = range;
        count += 1;
        Ok(())
    })?;
    let mut left = COPIED;
    for range in found.iter().take(count) {
        // SAFETY: a mapping of this process; see above.
        left -= unsafe { replace_one(*range, left) }?;
    }
    Ok(())
}

/// Returns how many bytes were copied, at most `left`.
///
/// # Safety
/// As [`replace`], for a whole mapping.
unsafe fn replace_one(range: Range, left: usize) -> Result<usize, i32> {
    let len = range.end.saturating_sub(range.start);
    let at = ptr::without_provenance_mut::<libc::c_void>(range.start);
    if len <= left
        && let Some(copy) = copy_of(range)
    {
        // SAFETY: moves a mapping of our own over this one.
        let moved = unsafe {
            let how = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            libc::mremap(copy, len, len, how, at)
        };
        return if moved == at {
            Ok(len)
        } else {
            Err(os::errno())
        };
    }
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_FIXED;
    // SAFETY: puts memory that cannot be accessed over the mapping.
    let nothing = unsafe { libc::mmap(at, len, libc::PROT_NONE, kind, -1, 0) };
    if nothing == at {
        Ok(0)
    } else {
        Err(os::errno())
    }
}

/// Private memory with the content of a mapping; `None` if it cannot be read. The
/// kernel reads, so that what is behind the mapping is not a matter of luck.
fn copy_of(range: Range) -> Option<*mut libc::c_void> {
    let len = range.end.saturating_sub(range.start);
    let copy = os::map_zeroed(len)?;
    let to = libc::iovec {
        iov_base: copy.as_ptr().cast(),
        iov_len: len,
    };
    let from = libc::iovec {
        iov_base: ptr::without_provenance_mut(range.start),
        iov_len: len,
    };
    // SAFETY: `to` is valid for writing its length; the kernel checks `from`.
    let count =
        unsafe { libc::process_vm_readv(libc::getpid(), &raw const to, 1, &raw const from, 1, 0) };
    if usize::try_from(count) == Ok(len) {
        return Some(copy.as_ptr().cast());
    }
    // SAFETY: the mapping just made, to which nothing refers.
    unsafe { os::unmap(copy, len) };
    None
}

/// Calls `visit` with each shared mapping that can be written to, and stops at its
/// first error.
fn each_shared(mut visit: impl FnMut(Range) -> Result<(), i32>) -> Result<(), i32> {
    // SAFETY: a descriptor of our own.
    let file = unsafe {
        libc::open(
            c"/proc/self/maps".as_ptr(),
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    };
    if file < 0 {
        return Err(os::errno());
    }
    let mut lines = Lines::default();
    let mut chunk = [0u8; 4096];
    let result = loop {
        // SAFETY: `chunk` is valid for writing its length.
        let count = unsafe { libc::read(file, chunk.as_mut_ptr().cast(), chunk.len()) };
        let Ok(count) = usize::try_from(count) else {
            break Err(os::errno());
        };
        if count == 0 {
            break Ok(());
        }
        let mut found = chunk
            .iter()
            .take(count)
            .filter_map(|byte| lines.feed(*byte));
        if let Some(error) = found.find_map(|range| visit(range).err()) {
            break Err(error);
        }
    };
    // SAFETY: opened above.
    unsafe { libc::close(file) };
    result
}

/// Reads `/proc/self/maps` byte by byte.
#[derive(Debug, Default)]
struct Lines {
    range: Range,
    shared: bool,
    writable: bool,
    field: Field,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Field {
    #[default]
    Start,
    End,
    Permissions,
    Rest,
}

impl Lines {
    /// The mapping of the line that ends here, if it is one to replace.
    fn feed(&mut self, byte: u8) -> Option<Range> {
        if byte == b'\n' {
            let line = std::mem::take(self);
            return (line.shared && line.writable).then_some(line.range);
        }
        match (self.field, byte) {
            (Field::Start, b'-') => self.field = Field::End,
            (Field::Start, digit) => self.range.start = self.range.start << 4 | nibble(digit),
            (Field::End, b' ') => self.field = Field::Permissions,
            (Field::End, digit) => self.range.end = self.range.end << 4 | nibble(digit),
            (Field::Permissions, b' ') => self.field = Field::Rest,
            (Field::Permissions, b's') => self.shared = true,
            (Field::Permissions, b'w') => self.writable = true,
            (Field::Permissions | Field::Rest, _) => {}
        }
        None
    }
}

fn nibble(digit: u8) -> usize {
    char::from(digit).to_digit(16).unwrap_or_default() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let text = "\
            55d5c0000000-55d5c0001000 r--p 00000000 fe:00 123 /usr/bin/a s w\n\
            7f0000000000-7f0000002000 rw-s 00000000 00:01 5 /dev/zero (deleted)\n\
            7f0000003000-7f0000004000 r--s 00000000 00:01 5 /some where\n\
            7f0000005000-7f0000006000 -w-s 00000000 00:01 5 anon_inode:[io_uring]\n\
            7f0000007000-7f0000008000 rwxp 00000000 00:00 0\n\
            ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n";
        let mut lines = Lines::default();
        let found: Vec<_> = text.bytes().filter_map(|byte| lines.feed(byte)).collect();
        let expected = [
            (0x7f00_0000_0000, 0x7f00_0000_2000),
            (0x7f00_0000_5000, 0x7f00_0000_6000),
        ];
        assert_eq!(found, expected.map(|(start, end)| Range { start, end }));
    }
}
