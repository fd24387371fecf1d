//! What is known of what a group retains, as JSON and as text.

use std::fmt::Write as _;
use std::time::SystemTime;

use heaplens_maps::GroupRetained;
use heaplens_profile::rfc3339;
use serde_json::{Value, json};

use super::reason;
use crate::inquiries::Record;
use crate::units::{bytes, count, counted, duration};

/// The state, and the figures of the last answer: null where there was none.
pub(super) fn json(name: &str, record: &Record) -> Value {
    let done = record.done.as_deref();
    let of = done.map(|done| &done.retained);
    json!({
        "map": name,
        "state": record.state(),
        "taken_at": done.map(|done| rfc3339::format(done.taken_at)),
        "age_seconds": done.map(|done| age(done).as_secs_f64()),
        "bytes": of.map(|of| of.bytes),
        "blocks": of.map(|of| of.blocks),
        "classes": of.map(|of| of.classes.iter().map(|class| json!({
            "size_class": class.size_class,
            "blocks": class.blocks,
            "bytes": class.bytes,
        })).collect::<Vec<_>>()),
        "is_lower_bound": done.map(GroupRetained::is_lower_bound),
        "maps_count": done.map(|done| done.maps),
        "measured_count": done.map(|done| done.measured),
        "unmeasured_count": done.map(GroupRetained::unmeasured),
        "failures": done.map(failures),
        "sampled_bytes": of.map(|of| of.sampled.totals().inuse.bytes),
        "sampled_bytes_stderr": of.map(|of| of.sampled.totals().inuse.bytes_error()),
        "pause_seconds": of.map(|of| of.pause.as_secs_f64()),
        "duration_seconds": of.map(|of| of.duration.as_secs_f64()),
        "child_cpu_seconds": of.map(|of| of.child_cpu.as_secs_f64()),
        "child_faults_count": of.map(|of| of.child_faults),
        "error": record.failed.as_ref().map(reason),
    })
}

fn failures(done: &GroupRetained) -> Vec<String> {
    done.failed.iter().map(ToString::to_string).collect()
}

fn age(done: &GroupRetained) -> std::time::Duration {
    SystemTime::now()
        .duration_since(done.taken_at)
        .unwrap_or_default()
}

/// The same for people.
pub(super) fn text(name: &str, record: &Record) -> String {
    let mut text = format!("map {name}: {}\n", record.state());
    // Writing to a string cannot fail.
    if let Some(error) = &record.failed {
        let _ = writeln!(text, "{}", reason(error));
    }
    if let Some(done) = &record.done {
        figures(&mut text, done);
    }
    text
}

fn figures(text: &mut String, done: &GroupRetained) {
    let of = &done.retained;
    let at_least = if done.is_lower_bound() {
        "at least "
    } else {
        ""
    };
    let _ = writeln!(
        text,
        "dropping it would free {at_least}{} ({}) in {}",
        counted(of.bytes, "byte"),
        bytes(of.bytes as f64),
        counted(of.blocks, "block"),
    );
    let _ = writeln!(
        text,
        "measured {} ago, at {}: {} of {}, pause {:.1} ms, {:.1} ms in all",
        duration(age(done)),
        rfc3339::format(done.taken_at),
        count(done.measured),
        counted(done.maps, "map"),
        of.pause.as_secs_f64() * 1e3,
        of.duration.as_secs_f64() * 1e3,
    );
    for failure in failures(done) {
        let _ = writeln!(text, "not measured: {failure}");
    }
    let _ = writeln!(
        text,
        "\n{:>14} {:>14} {:>18}",
        "size up to", "blocks", "bytes"
    );
    for class in &of.classes {
        let (size, blocks) = (count(class.size_class), count(class.blocks));
        let _ = writeln!(text, "{size:>14} {blocks:>14} {:>18}", count(class.bytes));
    }
}
