//! What a profile says about itself, one line each, in a fixed order.

use heaplens_alloc::{Counters, Snapshot};

use crate::rfc3339;

pub(crate) fn of(snapshot: &Snapshot) -> Vec<String> {
    let counters = &snapshot.counters;
    let drops: Vec<String> = counters
        .drops()
        .map(|(reason, count)| format!("{}={count}", reason.name()))
        .collect();
    let mut comments = vec![
        concat!("heaplens ", env!("CARGO_PKG_VERSION")).to_owned(),
        format!("sampling since: {}", rfc3339::format(snapshot.since)),
        interval(counters),
        "estimator: Horvitz-Thompson, each sample by its own size and interval".to_owned(),
        format!("live samples: {}", counters.live_samples),
        format!("drops: {}", drops.join(" ")),
        standard_error(snapshot),
        format!("stack walker: {}", counters.walker.name()),
    ];
    if let Some(window) = snapshot.window {
        let seconds = window.as_secs_f64();
        comments.push(format!(
            "alloc_objects and alloc_space: of the last {seconds:.1} s; inuse_objects and inuse_space as they are"
        ));
    }
    comments
}

fn interval(counters: &Counters) -> String {
    let set = counters.sample_interval;
    if set == 0 {
        return "sample interval: off at present".to_owned();
    }
    // Of all samples so far: threads that allocate fast sample less often.
    match counters.sample_intervals.checked_div(counters.samples) {
        Some(seen) if seen > set => {
            format!("sample interval: {set} bytes on average, {seen} seen (bounded cost)")
        }
        _ => format!("sample interval: {set} bytes on average"),
    }
}

fn standard_error(snapshot: &Snapshot) -> String {
    let inuse = snapshot.totals().inuse;
    let error = inuse.bytes_error();
    let percent = if inuse.bytes > 0.0 {
        100.0 * error / inuse.bytes
    } else {
        0.0
    };
    format!(
        "standard error of inuse_space: {error:.0} bytes ({percent:.2} % of {:.0})",
        inuse.bytes
    )
}
