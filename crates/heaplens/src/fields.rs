//! Fields that several JSON documents have.

use std::time::{SystemTime, UNIX_EPOCH};

use heaplens_alloc::Tally;
use serde_json::{Value, json};

/// Estimates from samples, each with its standard error.
pub(crate) fn estimate(tally: &Tally) -> Value {
    json!({
        "samples_count": tally.samples,
        "objects_count": tally.objects,
        "objects_stderr_count": tally.objects_error(),
        "space_bytes": tally.bytes,
        "space_stderr_bytes": tally.bytes_error(),
    })
}

/// Seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}
