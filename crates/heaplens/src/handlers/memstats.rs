//! `/debug/memstats`.

use std::sync::Arc;

use heaplens_alloc::{AllocatorStats, Counters, Snapshot};
use serde_json::{Map, Value, json};

use crate::fields::{estimate, seconds};
use crate::metrics::memstats;
use crate::respond::{self, Reply};
use crate::state::App;

/// Answers with Go's `MemStats` fields as far as there are honest figures, the
/// reasons for those that are missing, and the profiler's own estimates.
pub(crate) async fn serve(app: &Arc<App>) -> Reply {
    let done = app.figures.run(|| {
        let stats = memstats::read();
        let snapshot = heaplens_alloc::snapshot();
        format!("{:#}\n", document(&stats, &snapshot))
    });
    match done.await {
        Ok(body) => respond::json(body),
        Err(failure) => failure.reply(),
    }
}

fn document(stats: &AllocatorStats, snapshot: &Snapshot) -> Value {
    let mut document = Map::new();
    let mut missing = Map::new();
    for field in memstats::FIELDS {
        let value = field.value(stats, &snapshot.counters);
        document.insert(field.name.to_owned(), value.into());
        if let Some(reason) = field.missing(stats, &snapshot.counters) {
            missing.insert(field.name.to_owned(), reason.into());
        }
    }
    if !stats.classes.is_empty() {
        document.insert("BySize".to_owned(), by_size(stats));
        missing.remove("BySize");
    }
    document.insert("missing".to_owned(), missing.into());
    document.insert("allocator".to_owned(), allocator(stats));
    document.insert("heaplens".to_owned(), heaplens(snapshot));
    document.into()
}

/// The small size classes. As in Go, larger blocks are in the totals only.
fn by_size(stats: &AllocatorStats) -> Value {
    let classes = stats.classes.iter();
    let small = classes.filter_map(|class| {
        Some(json!({
            "Size": class.size?,
            "Mallocs": class.mallocs,
            "Frees": class.mallocs.saturating_sub(class.live),
        }))
    });
    small.collect()
}

/// The inner allocator's figures under its own names, in bytes unless the name
/// says otherwise; null = not given.
fn allocator(stats: &AllocatorStats) -> Value {
    json!({
        "source": stats.source.name(),
        "allocated": stats.allocated,
        "active": stats.active,
        "metadata": stats.metadata,
        "resident": stats.resident,
        "mapped": stats.mapped,
        "retained": stats.retained,
        "dirty": stats.dirty,
        "muzzy": stats.muzzy,
        "tcache": stats.tcache,
        "allocated_total": stats.allocated_total,
        "mallocs_count": stats.mallocs,
        "frees_count": stats.frees,
        "arenas_count": stats.arenas,
        "purged_pages_count": stats.purged_pages,
    })
}

fn heaplens(snapshot: &Snapshot) -> Value {
    let counters = &snapshot.counters;
    let totals = snapshot.totals();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "installed": counters.installed,
        "sampling_active": counters.is_sampling(),
        "sample_interval_bytes": counters.sample_interval,
        "max_overhead_ppm": counters.max_overhead_ppm,
        "sampling_seconds": counters.sampling_nanos as f64 / 1e9,
        "walker": counters.walker.name(),
        "taken_at_seconds": seconds(snapshot.taken_at),
        "since_seconds": seconds(snapshot.since),
        "samples_count": counters.samples,
        "live_samples_count": counters.live_samples,
        "stacks_count": counters.stacks,
        "sites_count": counters.sites,
        "drops": drops(counters),
        "memory_used_bytes": counters.memory_used,
        "memory_budget_bytes": counters.memory_budget,
        "inuse": counters.installed.then(|| estimate(&totals.inuse)),
        "alloc": counters.installed.then(|| estimate(&totals.alloc)),
    })
}

fn drops(counters: &Counters) -> Map<String, Value> {
    counters
        .drops()
        .map(|(reason, count)| (reason.name().to_owned(), count.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_is_not_known_is_null_with_a_reason() {
        let now = SystemTime::now();
        let snapshot = Snapshot::from_parts(now, now, Counters::default(), vec![], vec![]);
        let document = document(&AllocatorStats::default(), &snapshot);
        for field in memstats::FIELDS {
            let value = &document[field.name];
            let reason = &document["missing"][field.name];
            assert_eq!(
                value.is_null(),
                reason.is_string(),
                "{}: {value}",
                field.name
            );
        }
        assert!(document["Alloc"].is_null());
        assert!(
            document["heaplens"]["inuse"].is_null(),
            "nothing was sampled"
        );
        assert_eq!(document["Lookups"], 0, "0 in Go too");
    }
}
