//! `/healthz`.

use serde_json::json;

use crate::handlers::heap::NOT_INSTALLED;
use crate::respond::{self, Reply};

/// 200 as long as the agent answers at all; what it says tells whether
/// sampling is on.
pub(crate) fn serve() -> Reply {
    let counters = heaplens_alloc::counters();
    let mut health = json!({
        "status": "ok",
        "version": env!("CARGO_PKG_VERSION"),
        "installed": counters.installed,
        "sampling": counters.is_sampling(),
        "sample_interval_bytes": counters.sample_interval,
        "walker": counters.walker.name(),
    });
    let hint = if !counters.installed {
        Some(NOT_INSTALLED)
    } else if counters.sample_interval == 0 {
        Some(
            "sampling is off: set an interval by heaplens::set_sample_interval or HEAPLENS_SAMPLE_INTERVAL",
        )
    } else {
        None
    };
    if let (Some(hint), Some(fields)) = (hint, health.as_object_mut()) {
        fields.insert("hint".to_owned(), hint.into());
    }
    respond::json(format!("{health}\n"))
}
