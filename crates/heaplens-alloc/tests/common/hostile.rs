//! Values whose destructors do what they should not.

use std::fs;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heaplens_alloc::allow_what_if;
use heaplens_alloc::retained::{Limits, Retained, RetainedError, start};

use super::truth::held;
use super::what_if::{ask, limits};

/// Runs `f` when it is dropped, and owns some bytes.
pub(crate) struct Hostile<F: FnMut()> {
    f: Option<F>,
    _bytes: Vec<u8>,
}

pub(crate) const BYTES: usize = 12_345;

impl<F: FnMut()> Drop for Hostile<F> {
    fn drop(&mut self) {
        if let Some(f) = &mut self.f {
            f();
        }
    }
}

/// A hostile value that is not dropped by itself: not when a test fails either.
pub(crate) fn hostile<F: FnMut()>(f: F) -> ManuallyDrop<Hostile<F>> {
    ManuallyDrop::new(Hostile {
        f: Some(f),
        _bytes: vec![7; BYTES],
    })
}

/// Makes a value harmless and drops it.
pub(crate) fn defuse<F: FnMut()>(value: ManuallyDrop<Hostile<F>>) {
    ManuallyDrop::into_inner(value).f = None;
}

/// Hostile values as what they are.
pub(crate) fn contents<F: FnMut()>(values: &[ManuallyDrop<Hostile<F>>]) -> &[Hostile<F>] {
    // SAFETY: the wrapper has the layout of what it wraps.
    unsafe { &*(std::ptr::from_ref(values) as *const [Hostile<F>]) }
}

/// Descriptors of this process.
pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("descriptors").count()
}

/// Asks, and fails if anything is left behind.
pub(crate) fn attempt<T: ?Sized>(value: &T, limits: Limits) -> Result<Retained, RetainedError> {
    allow_what_if(true);
    let before = (descriptors(), held());
    let result = start(value, limits).and_then(heaplens_alloc::retained::Measurement::finish);
    assert_eq!(descriptors(), before.0);
    if result.is_err() {
        assert_eq!(held(), before.1);
    }
    assert_no_children();
    result
}

pub(crate) fn assert_no_children() {
    // SAFETY: waits for nothing.
    let waited = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
    let error = std::io::Error::last_os_error();
    assert_eq!((waited, error.raw_os_error()), (-1, Some(libc::ECHILD)));
}

/// What a hostile value fails with. The value is not dropped for real.
pub(crate) fn failure<F: FnMut()>(f: F, limits: Limits) -> RetainedError {
    let value = hostile(f);
    let failure = attempt(&*value, limits).expect_err("it cannot end well");
    defuse(value);
    assert!(failure.to_string().len() > 20);
    // The next one is not harmed.
    assert_eq!(ask(&vec![0u8; 10]).bytes, 10);
    failure
}

/// A hostile value that is dropped completely all the same. It may check in its
/// destructor what it sees: a panic there would show.
pub(crate) fn succeeds<F: FnMut()>(f: F) {
    let value = hostile(f);
    let answer = attempt(&*value, limits()).unwrap_or_else(|error| panic!("{error}"));
    assert!(!answer.is_lower_bound, "a check in the destructor failed");
    assert_eq!((answer.bytes, answer.blocks), (BYTES as u64, 1));
    defuse(value);
}

pub(crate) fn soon() -> Limits {
    limits().with_time(Duration::from_millis(300))
}

pub(crate) const TIMED_OUT: RetainedError = RetainedError::TimedOut {
    limit: Duration::from_millis(300),
};

pub(crate) fn last_error() -> Option<i32> {
    std::io::Error::last_os_error().raw_os_error()
}

/// A path that no other test has.
pub(crate) fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("heaplens-{name}-{}", std::process::id()))
}
/// A mapping that is shared with whoever has it, too.
pub(crate) struct Shared {
    pub(crate) start: *mut libc::c_void,
    pub(crate) len: usize,
}

impl Shared {
    pub(crate) fn new(len: usize) -> Self {
        let (access, kind) = (
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
        );
        // SAFETY: a mapping of its own.
        let start = unsafe { libc::mmap(std::ptr::null_mut(), len, access, kind, -1, 0) };
        assert_ne!(start, libc::MAP_FAILED);
        Shared { start, len }
    }

    pub(crate) fn word(&self) -> &AtomicU64 {
        // SAFETY: aligned, and lives as long as the mapping.
        unsafe { &*self.start.cast() }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.word().fetch_add(1, Ordering::Relaxed);
        // SAFETY: nothing refers to it any more.
        unsafe { libc::munmap(self.start, self.len) };
    }
}
