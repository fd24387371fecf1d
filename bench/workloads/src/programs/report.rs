//! The line that a run prints.

use super::measure::{Usage, peak_resident};
use super::{Figures, Job};

/// A run as one object of JSON: times in seconds, sizes in bytes. The last two are what the
/// allocator said of itself before and after.
pub(super) fn line(
    workload: &str,
    job: Job,
    usage: &Usage,
    figures: &Figures,
    [before, after]: [&[(&'static str, String)]; 2],
) -> String {
    let figures = figures
        .iter()
        .map(|(name, figure)| (*name, figure.to_string()));
    let texts = |state: &[(&'static str, String)]| {
        let fields = state.iter().map(|(name, text)| (*name, quoted(text)));
        object(&fields.collect::<Vec<_>>())
    };
    object(&[
        ("workload", quoted(workload)),
        ("count", job.count.to_string()),
        ("threads", job.threads.to_string()),
        ("cpu", format!("{:.6}", usage.user + usage.system)),
        ("system", format!("{:.6}", usage.system)),
        ("wall", format!("{:.6}", usage.wall)),
        ("faults", usage.faults.to_string()),
        ("switches", usage.switches.to_string()),
        ("peak_resident", peak_resident().to_string()),
        ("figures", object(&figures.collect::<Vec<_>>())),
        ("before", texts(before)),
        ("state", texts(after)),
    ])
}

/// An object of values that are JSON already.
fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}:{value}", quoted(name)))
        .collect();
    format!("{{{}}}", fields.join(","))
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_json() {
        let start = Usage::now();
        let job = Job {
            count: 3,
            threads: 2,
            warm_up: 0,
        };
        let state = [("version", "a \"quoted\" one".to_owned())];
        let line = line(
            "map",
            job,
            &start.to(&Usage::now()),
            &vec![("p99", 0.5)],
            [&[], &state],
        );
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["count"], 3);
        assert_eq!(value["figures"]["p99"], 0.5);
        assert_eq!(value["state"]["version"], "a \"quoted\" one");
        assert!(value["peak_resident"].as_u64() > Some(0) && value["cpu"].is_f64());
    }
}
