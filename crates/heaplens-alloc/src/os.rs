//! The few calls to the system that the allocator makes. None of them
//! allocates through the Rust allocator.

use std::ptr::NonNull;
use std::time::{Duration, SystemTime};

/// Restores `errno` when dropped: bookkeeping must not show in the value that
/// the program reads after its own failed call.
pub(crate) struct ErrnoGuard(libc::c_int);

impl ErrnoGuard {
    pub(crate) fn new() -> Self {
        // SAFETY: always points to this thread's errno.
        ErrnoGuard(unsafe { *libc::__errno_location() })
    }
}

impl Drop for ErrnoGuard {
    fn drop(&mut self) {
        // SAFETY: always points to this thread's errno.
        unsafe { *libc::__errno_location() = self.0 };
    }
}

/// This thread's `errno`.
pub(crate) fn errno() -> i32 {
    // SAFETY: always points to this thread's errno.
    unsafe { *libc::__errno_location() }
}

/// Reserves `len` bytes of zeroed private memory, committed page by page as
/// they are touched. `None` if the system refuses.
#[cfg(not(miri))]
pub(crate) fn map_zeroed(len: usize) -> Option<NonNull<u8>> {
    // SAFETY: an anonymous private mapping at an address of the kernel's choice
    // touches nothing that exists.
    let address = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return None;
    }
    // Hash tables touch pages at random: huge pages would commit them all.
    // SAFETY: advice on the mapping just made; a refusal changes nothing.
    unsafe { libc::madvise(address, len, libc::MADV_NOHUGEPAGE) };
    NonNull::new(address.cast())
}

/// Miri knows neither the flags nor the advice: its own allocator serves.
#[cfg(miri)]
pub(crate) fn map_zeroed(len: usize) -> Option<NonNull<u8>> {
    let layout = std::alloc::Layout::from_size_align(len, 4096).ok()?;
    // SAFETY: no caller asks for nothing.
    NonNull::new(unsafe { std::alloc::alloc_zeroed(layout) })
}

/// As [`map_zeroed`], and zero again in the child after a fork.
pub(crate) fn map_wiped_on_fork(len: usize) -> Option<NonNull<u8>> {
    let memory = map_zeroed(len)?;
    // SAFETY: advice on the mapping just made.
    let refused = unsafe { libc::madvise(memory.as_ptr().cast(), len, libc::MADV_WIPEONFORK) };
    if refused == 0 {
        return Some(memory);
    }
    // SAFETY: the mapping just made, to which nothing refers.
    unsafe { unmap(memory, len) };
    None
}

/// Gives a mapping back.
///
/// # Safety
/// `memory` and `len` must be one whole mapping that nothing refers to.
pub(crate) unsafe fn unmap(memory: NonNull<u8>, len: usize) {
    // SAFETY: by the caller's promise.
    unsafe { libc::munmap(memory.as_ptr().cast(), len) };
}

/// A monotonic clock, in nanoseconds since an arbitrary start. Some tens of
/// nanoseconds to read.
pub(crate) fn now() -> u64 {
    clock(libc::CLOCK_MONOTONIC)
}

/// A new counter that a thread can wait for ([`signal_event`] wakes it); `None` if
/// the system refuses.
pub(crate) fn event() -> Option<libc::c_int> {
    // SAFETY: makes a descriptor, touches nothing that exists.
    let event = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    (event >= 0).then_some(event)
}

/// Wakes who waits for this event. One system call that never blocks; may be made
/// in a signal handler. Changes `errno`.
pub(crate) fn signal_event(event: libc::c_int) {
    let one = 1u64;
    // SAFETY: eight bytes that live for the length of the call. It fails only if
    // the counter is full, and then whoever waits is awake already.
    unsafe { libc::write(event, (&raw const one).cast(), size_of::<u64>()) };
}

/// Sets an event back: it is not signalled until the next [`signal_event`].
pub(crate) fn clear_event(event: libc::c_int) {
    let mut count = 0u64;
    // SAFETY: eight bytes that are valid for writing. It fails only if the event
    // was not signalled.
    unsafe { libc::read(event, (&raw mut count).cast(), size_of::<u64>()) };
}

/// CPU time that this process has taken, in nanoseconds.
pub(crate) fn cpu_now() -> u64 {
    clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Wall-clock time in nanoseconds since 1970.
pub(crate) fn wall_now() -> u64 {
    clock(libc::CLOCK_REALTIME)
}

/// A wall-clock reading of [`wall_now`] as a `SystemTime`.
pub(crate) fn wall_time(nanos: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
}

fn clock(which: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing; these clocks exist on every Linux.
    unsafe { libc::clock_gettime(which, &raw mut time) };
    (time.tv_sec as u64)
        .wrapping_mul(1_000_000_000)
        .wrapping_add(time.tv_nsec as u64)
}

/// A random number that the kernel gave this process at its start.
pub(crate) fn process_random() -> u64 {
    // SAFETY: getauxval reads the auxiliary vector; AT_RANDOM, where present,
    // points to 16 bytes that live as long as the process.
    unsafe {
        let bytes = libc::getauxval(libc::AT_RANDOM) as *const [u8; 8];
        if bytes.is_null() {
            return now() ^ u64::from(std::process::id());
        }
        u64::from_ne_bytes(*bytes)
    }
}

/// Runs `read` on the value of an environment variable, without copying it.
/// `name` must end in a NUL byte; otherwise the variable counts as unset.
pub(crate) fn with_env<T>(name: &'static [u8], read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let name = std::ffi::CStr::from_bytes_with_nul(name).ok()?;
    // SAFETY: getenv takes a C string. The value stays where it is until the
    // variable is changed, which a program that shares its environment with
    // threads must not do (std::env::set_var is unsafe for this reason); it is
    // read here during the first allocation of the process.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        if value.is_null() {
            return None;
        }
        Some(read(std::ffi::CStr::from_ptr(value).to_bytes()))
    }
}

/// Bounds of the calling thread's stack as `(lowest, end)`.
///
/// glibc may call its own `malloc` here (the main thread's bounds come from
/// `/proc/self/maps`), never the Rust allocator.
pub(crate) fn stack_bounds() -> Option<(usize, usize)> {
    let mut attributes = std::mem::MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut lowest = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: the attributes are initialised by pthread_getattr_np, read only
    // if it succeeded, and destroyed once.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let result =
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        if result != 0 || lowest.is_null() {
            return None;
        }
    }
    let lowest = lowest as usize;
    Some((lowest, lowest.checked_add(size)?))
}

/// The whole of a file such as those under `/proc`, whose size is not known
/// before it is read; what could be read if that fails midway. Allocates.
pub(crate) fn read_file(path: &std::ffi::CStr) -> Vec<u8> {
    let mut content = Vec::new();
    // SAFETY: a descriptor of our own; read writes into the spare capacity and
    // the length grows by what it wrote.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return content;
        }
        loop {
            content.reserve(16 * 1024);
            let spare = content.spare_capacity_mut();
            let count = libc::read(file, spare.as_mut_ptr().cast(), spare.len());
            match usize::try_from(count) {
                Ok(0) => break,
                Ok(count) => content.set_len(content.len() + count),
                Err(_) if *libc::__errno_location() == libc::EINTR => {}
                Err(_) => break,
            }
        }
        libc::close(file);
    }
    content
}

/// The beginning of a file, as much as one read gives; how long that is. Allocates
/// nothing.
pub(crate) fn read_once(path: &std::ffi::CStr, into: &mut [u8]) -> Option<usize> {
    // SAFETY: a descriptor of our own; `into` is valid for writing its length.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if file < 0 {
            return None;
        }
        let count = libc::read(file, into.as_mut_ptr().cast(), into.len());
        libc::close(file);
        usize::try_from(count).ok()
    }
}

/// The number at this place among those that a file has, separated by what is no
/// digit.
pub(crate) fn number_in(text: &[u8], place: usize) -> Option<u64> {
    let digits = text.split(|byte| !byte.is_ascii_digit()).nth(place)?;
    (!digits.is_empty()).then(|| {
        digits.iter().fold(0u64, |number, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit - b'0'))
        })
    })
}

/// Bytes of a page.
pub(crate) fn page_size() -> u64 {
    // SAFETY: takes a number and gives one.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    u64::try_from(size).unwrap_or(4096)
}
