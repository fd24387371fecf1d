//! What is set: by constructor, by environment, at run time.
//!
//! The environment wins over the constructor, and what is set at run time wins
//! over both.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::os;

/// Mean bytes between samples when nothing else is said: 512 KiB, as in Go.
pub const DEFAULT_SAMPLE_INTERVAL: u64 = 512 * 1024;

/// The largest interval, 1 TiB; larger ones are taken as this.
pub const MAX_SAMPLE_INTERVAL: u64 = 1 << 40;

/// Bytes of the profiler's own memory when nothing else is said: 16 MiB, of
/// which only what is used becomes resident.
pub const DEFAULT_MEMORY_BUDGET: usize = 16 << 20;

/// Parts in a million of a thread's time that sampling may take when nothing
/// else is said: 1 %.
pub const DEFAULT_MAX_OVERHEAD: u32 = 10_000;

/// Budgets are kept within this range, in bytes: 1 MiB to 1 GiB.
pub const MEMORY_BUDGET_RANGE: std::ops::RangeInclusive<usize> = (1 << 20)..=(1 << 30);

const INTERVAL_VARIABLE: &str = "HEAPLENS_SAMPLE_INTERVAL";
const BUDGET_VARIABLE: &str = "HEAPLENS_MEMORY_BUDGET";
const OVERHEAD_VARIABLE: &str = "HEAPLENS_MAX_OVERHEAD";
const SEED_VARIABLE: &str = "HEAPLENS_SEED";
const EXPECTED_SIZE: &str = "a number of bytes, such as 524288, 512KiB or 1MiB";
const EXPECTED_OVERHEAD: &str = "a percentage from 0 (no bound) to 100, such as 1% or 0.5%";
const EXPECTED_SEED: &str = "a decimal number below 2^64";

/// Stands for "not decided yet" in [`INTERVAL`].
const UNSET: u64 = u64::MAX;

static INTERVAL: AtomicU64 = AtomicU64::new(UNSET);

/// Stands for "not decided yet" in [`OVERHEAD`].
const UNDECIDED: u32 = u32::MAX;

static OVERHEAD: AtomicU32 = AtomicU32::new(UNDECIDED);

/// An interval other than 1 was in force at some time.
static SKIPPED: AtomicBool = AtomicBool::new(false);

/// What the constructor of [`Alloc`](crate::Alloc) said.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) interval: u64,
    pub(crate) budget: usize,
    pub(crate) overhead: u32,
}

/// Mean bytes between samples now; 0 = sampling is off. Before the first
/// allocation it is what the environment or the default says.
pub fn sample_interval() -> u64 {
    match INTERVAL.load(Ordering::Relaxed) {
        UNSET => interval_from_environment().unwrap_or(DEFAULT_SAMPLE_INTERVAL),
        interval => interval,
    }
}

/// Sets the interval, whatever was decided before.
pub(crate) fn set_interval(bytes: u64) {
    note(bytes);
    INTERVAL.store(bytes.min(MAX_SAMPLE_INTERVAL), Ordering::Relaxed);
}

/// The interval in force; decides it on the first call.
pub(crate) fn interval_or_decide(defaults: &Defaults) -> u64 {
    let interval = INTERVAL.load(Ordering::Relaxed);
    if interval != UNSET {
        return interval;
    }
    let decided = interval_from_environment().unwrap_or(defaults.interval);
    let decided = decided.min(MAX_SAMPLE_INTERVAL);
    match INTERVAL.compare_exchange(UNSET, decided, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            note(decided);
            decided
        }
        Err(set_meanwhile) => set_meanwhile,
    }
}

/// Parts in a million of a thread's time that sampling may take; 0 = no bound.
/// Before the first allocation it is what the environment or the default says.
pub(crate) fn max_overhead() -> u32 {
    match OVERHEAD.load(Ordering::Relaxed) {
        UNDECIDED => overhead_from_environment().unwrap_or(DEFAULT_MAX_OVERHEAD),
        overhead => overhead,
    }
}

/// The bound in force; decides it on the first call.
pub(crate) fn overhead_or_decide(defaults: &Defaults) -> u32 {
    let overhead = OVERHEAD.load(Ordering::Relaxed);
    if overhead != UNDECIDED {
        return overhead;
    }
    let decided = overhead_from_environment().unwrap_or(defaults.overhead);
    let decided = decided.min(1_000_000);
    match OVERHEAD.compare_exchange(UNDECIDED, decided, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => decided,
        Err(decided_meanwhile) => decided_meanwhile,
    }
}

fn note(interval: u64) {
    if interval != 1 {
        SKIPPED.store(true, Ordering::SeqCst);
    }
}

/// Whether every allocation was a sample from the first one on. A thread may
/// sample by the old interval for a while after it was changed, so one that is 1
/// now is not enough.
pub(crate) fn always_every() -> bool {
    INTERVAL.load(Ordering::Relaxed) == 1 && !SKIPPED.load(Ordering::SeqCst)
}

/// The budget in bytes: environment, else constructor, kept within
/// [`MEMORY_BUDGET_RANGE`].
pub(crate) fn budget(defaults: &Defaults) -> usize {
    os::with_env(b"HEAPLENS_MEMORY_BUDGET\0", parse_size)
        .flatten()
        .map_or(defaults.budget, |bytes| bytes as usize)
        .clamp(*MEMORY_BUDGET_RANGE.start(), *MEMORY_BUDGET_RANGE.end())
}

/// The seed of all random gaps: fixed by `HEAPLENS_SEED` for runs that must
/// repeat, else different in each process.
pub(crate) fn seed() -> u64 {
    os::with_env(b"HEAPLENS_SEED\0", parse_decimal)
        .flatten()
        .unwrap_or_else(os::process_random)
}

fn interval_from_environment() -> Option<u64> {
    os::with_env(b"HEAPLENS_SAMPLE_INTERVAL\0", parse_size).flatten()
}

fn overhead_from_environment() -> Option<u32> {
    os::with_env(b"HEAPLENS_MAX_OVERHEAD\0", parse_percentage).flatten()
}

/// Checks the variables that the allocator reads (`HEAPLENS_SAMPLE_INTERVAL`,
/// `HEAPLENS_MAX_OVERHEAD`, `HEAPLENS_MEMORY_BUDGET`, `HEAPLENS_SEED`). The allocator itself cannot
/// complain: it takes its default where a value is not usable.
///
/// # Errors
/// The first variable whose value is not usable, with what was expected.
pub fn check_environment() -> Result<(), EnvironmentError> {
    check(INTERVAL_VARIABLE, EXPECTED_SIZE, parse_size)?;
    check(OVERHEAD_VARIABLE, EXPECTED_OVERHEAD, parse_percentage)?;
    check(BUDGET_VARIABLE, EXPECTED_SIZE, parse_size)?;
    check(SEED_VARIABLE, EXPECTED_SEED, parse_decimal)
}

fn check<T>(
    name: &'static str,
    expected: &'static str,
    parse: fn(&[u8]) -> Option<T>,
) -> Result<(), EnvironmentError> {
    let Some(value) = std::env::var_os(name) else {
        return Ok(());
    };
    if parse(value.as_encoded_bytes()).is_some() {
        return Ok(());
    }
    Err(EnvironmentError {
        name,
        value: value.to_string_lossy().into_owned(),
        expected,
    })
}

/// A `HEAPLENS_*` variable whose value is not usable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnvironmentError {
    /// Name of the variable.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// What it should have been.
    pub expected: &'static str,
}

impl fmt::Display for EnvironmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EnvironmentError {
            name,
            value,
            expected,
        } = self;
        write!(f, "{name}={value:?} is not usable: expected {expected}")
    }
}

impl std::error::Error for EnvironmentError {}

/// `123`, `512K`, `512KiB`, `1M`, `1MiB`, `2G`, `2GiB`; case does not matter.
fn parse_size(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit.first() {
        None => 0,
        Some(b'k' | b'K') => 10,
        Some(b'm' | b'M') => 20,
        Some(b'g' | b'G') => 30,
        Some(_) => return None,
    };
    let rest = unit.get(1..).unwrap_or_default();
    if !(rest.is_empty() || rest.eq_ignore_ascii_case(b"ib")) {
        return None;
    }
    parse_decimal(number)?.checked_mul(1 << shift)
}

/// `1`, `1%`, `0.5%`: parts in a million, with at most four decimals.
fn parse_percentage(text: &[u8]) -> Option<u32> {
    let number = text.strip_suffix(b"%").unwrap_or(text);
    let mut parts = number.splitn(2, |byte| *byte == b'.');
    let whole = parse_decimal(parts.next()?)?;
    let decimals = parts.next().unwrap_or(b"0");
    if decimals.len() > 4 {
        return None;
    }
    let scale = 10u64.pow(4 - decimals.len() as u32);
    let parts = whole
        .checked_mul(10_000)?
        .checked_add(parse_decimal(decimals)? * scale)?;
    u32::try_from(parts)
        .ok()
        .filter(|parts| *parts <= 1_000_000)
}

fn parse_decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_units() {
        for (text, bytes) in [
            ("0", 0),
            ("524288", 524_288),
            ("512K", 524_288),
            ("512kib", 524_288),
            ("1MiB", 1 << 20),
            ("2g", 2 << 30),
        ] {
            assert_eq!(parse_size(text.as_bytes()), Some(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            " 1",
            "1 ",
            "-1",
            "1.5",
            "1e6",
            "0x10",
            "KiB",
            "1KB",
            "1KiBs",
            "1T",
            "18446744073709551616",
            "18446744073709551615K",
        ] {
            assert_eq!(parse_size(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn percentages_are_read() {
        for (text, parts) in [
            ("0", 0),
            ("1", 10_000),
            ("1%", 10_000),
            ("0.5%", 5_000),
            ("0.0001", 1),
            ("100.0000%", 1_000_000),
        ] {
            assert_eq!(parse_percentage(text.as_bytes()), Some(parts), "{text}");
        }
        for text in [
            "",
            "%",
            ".",
            ".5",
            "1.",
            "1.5.5",
            "-1",
            "1 %",
            "1%%",
            "0.00001",
            "100.0001%",
            "101",
            "1e3",
            "18446744073709551616",
        ] {
            assert_eq!(parse_percentage(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn an_error_says_variable_value_and_remedy() {
        let error = EnvironmentError {
            name: INTERVAL_VARIABLE,
            value: "half a meg".to_owned(),
            expected: EXPECTED_SIZE,
        };
        assert_eq!(
            error.to_string(),
            "HEAPLENS_SAMPLE_INTERVAL=\"half a meg\" is not usable: \
             expected a number of bytes, such as 524288, 512KiB or 1MiB"
        );
    }
}
