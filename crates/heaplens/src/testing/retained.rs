//! Assertions on what a value retains.

use std::fmt;
use std::time::{Duration, Instant};

use heaplens_alloc::retained::{Limits, Measurement, Retained, RetainedError, start};
use heaplens_alloc::{allow_what_if, untracked};

use super::call_sites::{Holdings, TOP, list};
use super::heap_watch::{in_blocks, in_bytes};

/// 1,000 bytes.
pub const KB: u64 = 1000;
/// 1,000,000 bytes.
pub const MB: u64 = 1000 * KB;
/// 1,000,000,000 bytes.
pub const GB: u64 = 1000 * MB;

/// What [`assert_retained!`](crate::assert_retained) allows.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Allowed {
    Below(u64),
    AtMost(u64),
    Exactly(u64),
}

impl Allowed {
    fn includes(self, bytes: u64) -> bool {
        match self {
            Allowed::Below(bound) => bytes < bound,
            Allowed::AtMost(bound) => bytes <= bound,
            Allowed::Exactly(bound) => bytes == bound,
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Below(bound) => write!(f, "less than {}", in_bytes(*bound)),
            Allowed::AtMost(bound) => write!(f, "at most {}", in_bytes(*bound)),
            Allowed::Exactly(bound) => write!(f, "exactly {}", in_bytes(*bound)),
        }
    }
}

/// Asserts how many bytes dropping a value would free, exactly, without dropping it.
///
/// The value is given by its place, as to a reference; after the comma comes `<`, `<=`
/// or `==` and a number of bytes, an `u64`. [`KB`](crate::testing::KB),
/// [`MB`](crate::testing::MB) and [`GB`](crate::testing::GB) are there for it.
///
/// ```
/// use std::collections::HashMap;
/// use heaplens::assert_retained;
/// use heaplens::testing::MB;
///
/// #[global_allocator]
/// static ALLOC: heaplens::Alloc = heaplens::Alloc::new();
///
/// fn main() {
///     let cache: HashMap<u32, Vec<u8>> = (0..100).map(|key| (key, vec![0; 1000])).collect();
///     assert_retained!(cache, < 10 * MB);
///     assert_retained!(cache[&7], == 1000);
///     assert_eq!(cache.len(), 100); // it is still there
/// }
/// ```
///
/// What counts is said of [`retained`](mod@crate::retained): what values share with
/// others outside does not. For the content of an `Arc` give `*arc`. The value is
/// dropped in a child of this process, made by `fork` and closed in; with this
/// macro a test allows that ([`allow_what_if`](crate::allow_what_if)).
///
/// # Panics
/// If the value retains something else, with the call sites that allocated most of it, as
/// far as they were sampled (all are within a [`HeapWatch`](crate::testing::HeapWatch), or
/// with `HEAPLENS_SAMPLE_INTERVAL=1`); if it cannot be measured, with the reason; and if a
/// destructor panics, so that only a lower bound is known, unless that is too much already.
#[macro_export]
macro_rules! assert_retained {
    ($value:expr, < $bytes:expr $(,)?) => {
        $crate::testing::check_retained(
            &$value,
            stringify!($value),
            $crate::testing::Allowed::Below($bytes),
        )
    };
    ($value:expr, <= $bytes:expr $(,)?) => {
        $crate::testing::check_retained(
            &$value,
            stringify!($value),
            $crate::testing::Allowed::AtMost($bytes),
        )
    };
    ($value:expr, == $bytes:expr $(,)?) => {
        $crate::testing::check_retained(
            &$value,
            stringify!($value),
            $crate::testing::Allowed::Exactly($bytes),
        )
    };
}

/// For [`assert_retained!`](crate::assert_retained).
#[doc(hidden)]
#[track_caller]
pub fn check_retained<T: ?Sized>(value: &T, name: &str, allowed: Allowed) {
    allow_what_if(true);
    let message = untracked(|| match measured(value) {
        Ok(retained) => fault(&retained, name, allowed),
        Err(error) => Some(format!(
            "what {name} retains could not be measured: {error}"
        )),
    });
    if let Some(message) = message {
        panic!("{message}");
    }
}

/// How long tests that run side by side wait for one another.
const PATIENCE: Duration = Duration::from_secs(300);

fn measured<T: ?Sized>(value: &T) -> Result<Retained, RetainedError> {
    let begun = Instant::now();
    // A child of a debug build, on a machine that other tests keep busy.
    let limits = Limits::default().with_time(Duration::from_secs(120));
    loop {
        match start(value, limits) {
            Err(RetainedError::Busy) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            begun => return begun.and_then(Measurement::finish),
        }
    }
}

/// What is wrong, if anything is.
fn fault(retained: &Retained, name: &str, allowed: Allowed) -> Option<String> {
    let (bytes, blocks) = (in_bytes(retained.bytes), in_blocks(retained.blocks));
    if allowed.includes(retained.bytes) {
        return retained.is_lower_bound.then(|| {
            format!(
                "{name} retains at least {bytes} in {blocks}, allowed is {allowed}: how much it \
                 is is not known, because a destructor panics"
            )
        });
    }
    let at_least = if retained.is_lower_bound {
        "at least "
    } else {
        ""
    };
    let mut message = format!("{name} retains {at_least}{bytes} in {blocks}, allowed is {allowed}");
    let inuse = retained.sampled.totals().inuse;
    if inuse.samples == 0 {
        message += "\n  none of it was sampled: HEAPLENS_SAMPLE_INTERVAL=1 shows where it was \
                    allocated";
        return Some(message);
    }
    let title = if inuse.samples == retained.blocks {
        "call sites that allocated it".to_owned()
    } else {
        let samples = in_blocks(inuse.samples);
        format!("call sites of the {samples} of it that were sampled")
    };
    message += &list(&title, &Holdings::of(&retained.sampled).top(TOP));
    Some(message)
}
