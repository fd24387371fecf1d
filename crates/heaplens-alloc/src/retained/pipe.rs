//! The one way out of a child: a socket pair that both ends close on exec.

use std::cell::{Cell, UnsafeCell};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use super::wire::{self, Frame, Garbled, SAMPLE_WORDS};
use crate::live::Block;
use crate::os::{self, ErrnoGuard};

/// The two ends, the parent's first. The parent's does not block.
pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [RawFd; 2] = [-1; 2];
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: `ends` is valid for writing two descriptors.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: two descriptors that are nobody else's.
    let (ours, theirs) = unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) };
    // SAFETY: sets a flag of a descriptor of ours.
    if unsafe { libc::fcntl(ours.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((ours, theirs))
}

/// Lets the child begin. A child that is gone already is found out later.
pub(super) fn release(end: &OwnedFd) {
    // SAFETY: one byte that lives for the length of the call. No SIGPIPE.
    unsafe {
        libc::send(
            end.as_raw_fd(),
            [1u8].as_ptr().cast(),
            1,
            libc::MSG_NOSIGNAL,
        )
    };
}

/// Waits in the child until the parent lets it begin; `false` if it never will.
pub(super) fn await_release(end: RawFd) -> bool {
    let mut byte = 0u8;
    loop {
        // SAFETY: one byte that is valid for writing.
        let count = unsafe { libc::read(end, (&raw mut byte).cast(), 1) };
        if count >= 0 || os::errno() != libc::EINTR {
            return count == 1;
        }
    }
}

/// Samples that are sent together: 4 KiB.
const BATCH: usize = 127;

/// A frame of samples as it is sent.
#[repr(C)]
struct Batch {
    header: u64,
    samples: [[u64; SAMPLE_WORDS]; BATCH],
}

/// The child's end. It allocates nothing.
pub(super) struct Writer {
    end: Cell<RawFd>,
    batch: UnsafeCell<Batch>,
    count: Cell<usize>,
}

impl Writer {
    pub(super) const fn new() -> Self {
        Writer {
            end: Cell::new(-1),
            batch: UnsafeCell::new(Batch {
                header: 0,
                samples: [[0; SAMPLE_WORDS]; BATCH],
            }),
            count: Cell::new(0),
        }
    }

    pub(super) fn open(&self, end: RawFd) {
        self.end.set(end);
    }

    /// Sends a sampled block, some time.
    pub(super) fn sample(&self, block: &Block) {
        let count = self.count.get();
        // SAFETY: the writer is one thread's, and no reference to it is held while
        // another is made.
        let batch = unsafe { &mut *self.batch.get() };
        if let Some(place) = batch.samples.get_mut(count) {
            *place = wire::sample(block);
            self.count.set(count + 1);
        }
        if count + 1 >= BATCH {
            self.flush();
        }
    }

    /// Sends what was not sent yet.
    pub(super) fn flush(&self) {
        let count = self.count.replace(0).min(BATCH);
        if count == 0 {
            return;
        }
        // SAFETY: as in `sample`.
        unsafe {
            (*self.batch.get()).header = wire::samples_header(count);
            // The header and what follows it without a gap.
            self.send(self.batch.get().cast(), 8 * (1 + count * SAMPLE_WORDS));
        }
    }

    /// Sends these words.
    pub(super) fn words(&self, words: &[u64]) {
        // SAFETY: a slice is valid for its length.
        unsafe { self.send(words.as_ptr().cast(), size_of_val(words)) };
    }

    /// Ends the process if nobody listens.
    ///
    /// # Safety
    /// `bytes` is valid for reading `len` bytes.
    unsafe fn send(&self, mut bytes: *const u8, mut len: usize) {
        let _errno = ErrnoGuard::new();
        while len > 0 {
            // SAFETY: by the caller's promise.
            let count = unsafe { libc::write(self.end.get(), bytes.cast(), len) };
            match usize::try_from(count) {
                Ok(count) => {
                    bytes = bytes.wrapping_add(count);
                    len = len.saturating_sub(count);
                }
                Err(_) if os::errno() == libc::EINTR => {}
                // SAFETY: ends this process, which is the child.
                Err(_) => unsafe { libc::_exit(1) },
            }
        }
    }
}

/// What the parent has read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// Bytes of whole frames, which are no longer in the buffer.
    taken: usize,
    pub(super) samples: Vec<Block>,
    /// The child's last word.
    pub(super) last: Option<Frame>,
}

impl Reader {
    /// Reads what there is. `true` when no more will come.
    ///
    /// # Errors
    /// [`Garbled`], also if it is more than a child has to say.
    pub(super) fn fill(&mut self, end: &OwnedFd) -> Result<bool, Garbled> {
        let mut chunk = [0u8; 16 * 1024];
        while self.last.is_none() {
            // SAFETY: `chunk` is valid for writing its length.
            let count =
                unsafe { libc::read(end.as_raw_fd(), chunk.as_mut_ptr().cast(), chunk.len()) };
            match usize::try_from(count) {
                Ok(0) => return Ok(true),
                Ok(count) => self.take(chunk.get(..count).unwrap_or_default())?,
                Err(_) => match io::Error::last_os_error().kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(false),
                    // Nobody is there any more.
                    _ => return Ok(true),
                },
            }
        }
        Ok(true)
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Garbled> {
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        while let Some((frame, len)) = wire::read(self.buffer.get(at..).unwrap_or_default())? {
            at += len;
            match frame {
                Frame::Samples(samples) => self.samples.extend(samples),
                last => {
                    self.last = Some(last);
                    break;
                }
            }
        }
        self.buffer.drain(..at.min(self.buffer.len()));
        self.taken += at;
        if self.taken + self.buffer.len() > wire::MOST_BYTES {
            return Err(Garbled);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mark::Mark;
    use crate::retained::counts::Counts;
    use crate::retained::wire::{Ended, Usage};
    use crate::tag::Shape;
    use crate::watches::Tag;

    fn block(size: u64) -> Block {
        Block {
            size,
            interval: 1,
            born: 2,
            site: 3,
            shape: Shape::Plain,
            mark: Mark::NONE,
            tag: Tag::NONE,
        }
    }

    /// More than a socket holds, so that writer and reader wait for each other.
    #[test]
    #[cfg_attr(miri, ignore = "sockets")]
    fn all_samples_arrive_in_order() {
        let (ours, theirs) = pair().expect("a socket pair");
        let child = std::thread::spawn(move || {
            assert!(await_release(theirs.as_raw_fd()));
            let writer = Writer::new();
            writer.open(theirs.as_raw_fd());
            (1..=50_000).for_each(|size| writer.sample(&block(size)));
            writer.flush();
            writer.words(&wire::end(Ended::Whole, Usage::default(), &Counts::new()));
        });
        let mut reader = Reader::default();
        assert_eq!(reader.fill(&ours), Ok(false), "it was not let go yet");
        release(&ours);
        while !reader.fill(&ours).expect("as written") {
            std::thread::yield_now();
        }
        child.join().expect("no panic");
        assert!(matches!(reader.last, Some(Frame::End { .. })));
        let expected: Vec<_> = (1..=50_000).map(block).collect();
        assert_eq!(reader.samples, expected);
    }

    #[test]
    #[cfg_attr(miri, ignore = "sockets")]
    fn a_parent_that_is_gone_lets_nobody_begin() {
        let (ours, theirs) = pair().expect("a socket pair");
        drop(ours);
        assert!(!await_release(theirs.as_raw_fd()));
    }

    /// A child cannot fill its parent's memory.
    #[test]
    #[cfg_attr(miri, ignore = "sockets")]
    fn too_much_is_refused() {
        let (ours, theirs) = pair().expect("a socket pair");
        let child = std::thread::spawn(move || {
            let writer = Writer::new();
            writer.open(theirs.as_raw_fd());
            // The last few fit the socket, whether they are read or not.
            let most = wire::MOST_BYTES / (8 * SAMPLE_WORDS) + 1;
            (0..most as u64).for_each(|size| writer.sample(&block(size + 1)));
        });
        let mut reader = Reader::default();
        let refused = loop {
            match reader.fill(&ours) {
                Ok(true) => break false,
                Ok(false) => std::thread::yield_now(),
                Err(Garbled) => break true,
            }
        };
        assert!(refused);
        drop(reader);
        let mut rest = Reader::default();
        while !rest.fill(&ours).unwrap_or(true) {}
        child.join().expect("no panic");
    }
}
