//! A CPU profile of the whole process, by the crate `pprof`: a timer counts the
//! processor time of all threads, and the signal that it sends to the one that runs
//! records its stack.
//!
//! What the handler does must be safe wherever a thread is interrupted. So stacks are
//! walked by framehop, which allocates nothing and takes no locks, and reads memory
//! only after the system has confirmed that it is readable; the unwinder of libgcc,
//! which is the default of that crate, is known to crash programs from here. What is
//! left of libgcc, looking up where a function begins, is kept from interrupting
//! itself or the loader by the list of [`BLOCKED`] objects.

use std::sync::Once;

use nix::sys::signal::{SigSet, Signal, raise};
use pprof::protos::Message as _;
use pprof::{ProfilerGuard, ProfilerGuardBuilder};

/// Samples a second of processor time, as Go's.
const FREQUENCY: i32 = 100;

/// Where no sample is taken. Not libc, as its `memcpy` may be what a program does.
const BLOCKED: [&str; 3] = ["libgcc", "ld-linux", "vdso"];

/// A profile in the making. Dropped, it ends: the timer is switched off, and the
/// signal is ignored from then on.
pub(crate) struct Profiler(ProfilerGuard<'static>);

/// Why none was begun.
#[derive(Debug)]
pub(crate) enum StartError {
    /// One is being taken.
    Busy,
    Other(String),
}

impl From<pprof::Error> for StartError {
    fn from(error: pprof::Error) -> Self {
        match error {
            pprof::Error::Running => StartError::Busy,
            other => StartError::Other(other.to_string()),
        }
    }
}

impl Profiler {
    /// Begins a profile. The first one in a process reads the unwind tables of all
    /// objects, which may take some hundred milliseconds.
    pub(crate) fn start() -> Result<Self, StartError> {
        warm_up()?;
        let builder = ProfilerGuardBuilder::default()
            .frequency(FREQUENCY)
            .blocklist(&BLOCKED);
        Ok(Profiler(builder.build()?))
    }
}

/// Has the handler run once on this thread, at a moment when it may allocate: it
/// reads the unwind tables when it is first called, and that must not happen to a
/// thread that was interrupted in the midst of an allocation.
fn warm_up() -> Result<(), StartError> {
    static WARM: Once = Once::new();
    if WARM.is_completed() {
        return Ok(());
    }
    // A signal each second of processor time: none before this is over.
    let guard = ProfilerGuardBuilder::default().frequency(1).build()?;
    WARM.call_once(|| {
        let before = SigSet::thread_get_mask();
        let mut signal = SigSet::empty();
        signal.add(Signal::SIGPROF);
        // Sent to this thread, it is handled before the call returns.
        // Neither fails for a signal that exists.
        let _ = signal
            .thread_unblock()
            .and_then(|()| raise(Signal::SIGPROF));
        if let Ok(before) = before {
            // Fails for a mask that is none; this one came from the kernel.
            let _ = before.thread_set_mask();
        }
    });
    drop(guard);
    Ok(())
}

/// Ends a profile and encodes it: gzip'ed `profile.proto` with the types `samples`
/// and `cpu`. Resolving names reads the debug information of all objects on the
/// stacks, and keeps it.
pub(crate) fn finish(profiler: Profiler) -> Result<Vec<u8>, String> {
    let report = profiler.0.report().build();
    drop(profiler);
    let profile = report.and_then(|report| report.pprof());
    let profile = profile.map_err(|error| format!("cannot make the CPU profile: {error}"))?;
    Ok(heaplens_profile::pprof::compress(&profile.encode_to_vec()))
}
