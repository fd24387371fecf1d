//! `OpenMetrics` 1.0 from Prometheus' text format, for counters and gauges
//! without time stamps: this registry has nothing else.
//!
//! It starts from text because the library's model of a metric has two forms
//! (feature `protobuf` on or off, which any crate of the program may decide),
//! with different accessors; the text is one. The two formats differ in the
//! names of counters' families, in the escapes of help, and in the end.

use std::collections::HashSet;

/// Rewrites what [`prometheus::TextEncoder`] wrote.
pub(crate) fn from_text(text: &str) -> String {
    let families: HashSet<&str> = text
        .lines()
        .filter_map(|line| metadata(line, "# TYPE "))
        .map(|(name, _)| name)
        .collect();
    let mut open = String::with_capacity(text.len() + 64);
    // Help comes before the type, and may hold nothing that looks like either.
    let mut help: Option<(&str, &str)> = None;
    for line in text.lines() {
        if let Some(found) = metadata(line, "# HELP ") {
            help = Some(found);
        } else if let Some((name, kind)) = metadata(line, "# TYPE ") {
            let (family, kind) = family(name, kind, &families);
            push(&mut open, &["# TYPE ", family, " ", kind, "\n"]);
            if let Some((_, help)) = help.take().filter(|(of, _)| *of == name) {
                // Backslashes and newlines are escaped already.
                push(
                    &mut open,
                    &["# HELP ", family, " ", &help.replace('"', "\\\""), "\n"],
                );
            }
        } else {
            push(&mut open, &[line, "\n"]);
        }
    }
    open.push_str("# EOF\n");
    open
}

/// Name and rest of a line of metadata.
fn metadata<'a>(line: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    line.strip_prefix(prefix)?.split_once(' ')
}

/// A counter's family has its name without `_total`. Where a gauge has that
/// name already, as in Go's `alloc_bytes` and `alloc_bytes_total`, the format
/// leaves the type `unknown` only, under the full name.
fn family<'a>(name: &'a str, kind: &'a str, families: &HashSet<&str>) -> (&'a str, &'a str) {
    match (kind, name.strip_suffix("_total")) {
        ("counter", Some(base)) if !families.contains(base) => (base, kind),
        ("counter", _) => (name, "unknown"),
        _ => (name, kind),
    }
}

fn push(text: &mut String, pieces: &[&str]) {
    text.extend(pieces.iter().copied());
}

#[cfg(test)]
mod tests {
    use prometheus::{Counter, Gauge, GaugeVec, Opts, Registry, TextEncoder};

    use super::*;

    fn encode(registry: &Registry) -> String {
        let families = registry.gather();
        from_text(&TextEncoder::new().encode_to_string(&families).unwrap())
    }

    #[test]
    fn counters_lose_their_suffix_in_the_family_only() {
        let registry = Registry::new();
        let counter = Counter::new("requests_total", "Requests.").unwrap();
        counter.inc_by(3.0);
        registry.register(Box::new(counter)).unwrap();
        assert_eq!(
            encode(&registry),
            "# TYPE requests counter\n# HELP requests Requests.\nrequests_total 3\n# EOF\n"
        );
    }

    #[test]
    fn a_counter_beside_a_gauge_of_its_name_is_unknown() {
        let registry = Registry::new();
        let gauge = Gauge::new("alloc_bytes", "Now.").unwrap();
        let counter = Counter::new("alloc_bytes_total", "Ever.").unwrap();
        registry.register(Box::new(gauge)).unwrap();
        registry.register(Box::new(counter)).unwrap();
        assert_eq!(
            encode(&registry),
            "# TYPE alloc_bytes gauge\n# HELP alloc_bytes Now.\nalloc_bytes 0\n\
             # TYPE alloc_bytes_total unknown\n# HELP alloc_bytes_total Ever.\n\
             alloc_bytes_total 0\n# EOF\n"
        );
    }

    #[test]
    fn hostile_text_stays_within_its_line() {
        let registry = Registry::new();
        let help = "a \"quoted\"\\\n# EOF\n# TYPE maps counter";
        let gauges = GaugeVec::new(Opts::new("maps", help), &["name"]).unwrap();
        let name = "x\"} 1\n# HELP evil\\";
        gauges.with_label_values(&[name]).set(1.5);
        registry.register(Box::new(gauges)).unwrap();
        assert_eq!(
            encode(&registry),
            "# TYPE maps gauge\n\
             # HELP maps a \\\"quoted\\\"\\\\\\n# EOF\\n# TYPE maps counter\n\
             maps{name=\"x\\\"} 1\\n# HELP evil\\\\\"} 1.5\n# EOF\n"
        );
    }

    #[test]
    fn nothing_at_all_ends_properly_too() {
        assert_eq!(from_text(""), "# EOF\n");
    }
}
