//! The groups as JSON: units in the names, null for what is not known.

use heaplens_maps::{CacheReport, MAX_GROUPS};
use serde_json::{Map, Value, json};

use super::ages::Ages;
use super::ranking::Sort;
use super::{Base, advice};
use crate::fields::{estimate, seconds};
use crate::map_group::{self, MapGroup};
use crate::memory::Memory;
use crate::survey::Survey;

/// All groups shown, in their order.
pub(super) fn list(survey: &Survey, shown: &[&MapGroup], sort: Sort, base: &Base) -> Value {
    json!({
        "taken_at_seconds": seconds(survey.taken_at),
        "sort": sort.name(),
        "groups_count": survey.groups.len(),
        "groups_max_count": MAX_GROUPS,
        "groups_overflowed_count": survey.groups_overflowed,
        "maps_refused_count": survey.maps_refused,
        "probes_refused_count": survey.probes_refused,
        "probes_panicked_count": survey.probes_panicked,
        "process": process(survey.memory),
        "missing": advice::missing_everywhere(survey),
        "maps": shown.iter().map(|group| summary(group, base)).collect::<Vec<_>>(),
    })
}

/// Everything that is known of one group.
pub(super) fn one(survey: &Survey, group: &MapGroup, ages: Option<&Ages>, base: &Base) -> Value {
    let mut document = summary(group, base);
    let of = &group.report;
    let more = json!({
        "taken_at_seconds": seconds(survey.taken_at),
        "process": process(survey.memory),
        "site": of.site,
        "heap_bytes_per_entry": per_entry(group),
        "growth_bytes_per_second": group.growth_bytes,
        "contents": survey.estimates.then(|| estimate(&of.contents)),
        "tables": survey.estimates.then(|| estimate(&of.tables)),
        "ages": ages.map(Ages::document),
        "contents_counted_bytes": of.sized_bytes,
        "probed_instances_count": of.probed,
        "capacity_wasted_for_seconds": group.wasteful_for.map(|lasting| lasting.as_secs_f64()),
        "missing": advice::missing(survey, group),
        "retained_bytes": group.retained.map(|last| last.bytes),
        "retained_at_seconds": group.retained.map(|last| seconds(last.taken_at)),
        "advice": advice::advice(group),
        "links": {
            "heap": base.heap(group.name()),
            "self": base.map(group.name()),
            "retained": format!("{}/retained", base.map(group.name())),
            "maps": base.maps(),
        },
    });
    if let Value::Object(more) = more {
        document.extend(more);
    }
    document.into()
}

fn summary(group: &MapGroup, base: &Base) -> Map<String, Value> {
    let of = &group.report;
    let summary = json!({
        "name": of.name,
        "path": base.map(&of.name),
        "instances_count": of.instances,
        "entries_count": group.entries(),
        "entries_max_instance_count": group.entries_max_instance(),
        "capacity_entries_count": group.capacity(),
        "table_bytes": group.table_bytes(),
        "heap_bytes": group.heap_bytes,
        "heap_stderr_bytes": group.heap_bytes_error,
        "capacity_waste_bytes": group.waste_bytes,
        "growth_entries_per_second": group.growth(),
        "inserts_count": group.inserts(),
        "removes_count": group.removes(),
        "resizes_count": group.resizes(),
        "shrinks_count": group.shrinks(),
        "max_entries_count": of.max_entries,
        "expected_ttl_seconds": of.expected_ttl.map(|ttl| ttl.as_secs_f64()),
        "oldest_entry_age_seconds": group.oldest_age.map(|age| age.as_secs_f64()),
        "last_insert_at_seconds": of.last_insert.map(seconds),
        "last_access_at_seconds": of.last_access.map(seconds),
        "seconds_to_limit": group.outlook.map(|outlook| outlook.seconds),
        "limit": group.outlook.map(|outlook| outlook.limit.name()),
        "cache": of.cache.as_ref().map(cache),
    });
    match summary {
        Value::Object(summary) => summary,
        _ => Map::new(),
    }
}

fn cache(cache: &CacheReport) -> Value {
    let evictions: Map<String, Value> = map_group::evictions(cache)
        .map(|(cause, count)| (cause.to_owned(), count.into()))
        .collect();
    json!({
        "entries_count": cache.size,
        "hits_count": cache.hits,
        "misses_count": cache.misses,
        "puts_count": cache.puts,
        "evicted_count": cache.evicted(),
        "evictions": evictions,
        "weight": cache.weight,
        "max_weight": cache.max_weight,
        "evicted_weight": cache.eviction_weight,
    })
}

fn process(memory: Memory) -> Value {
    json!({
        "resident_bytes": memory.resident,
        "memory_limit_bytes": memory.limit,
        "headroom_bytes": memory.headroom(),
    })
}

fn per_entry(group: &MapGroup) -> Option<f64> {
    let entries = group.entries().filter(|&entries| entries > 0)?;
    Some(group.heap_bytes? / entries as f64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heaplens_maps::GroupReport;

    use super::*;

    fn group() -> GroupReport {
        let mut group = GroupReport::default();
        group.name = "src/a.rs:41:7".to_owned();
        group.site = Some(group.name.clone());
        (group.instances, group.entries, group.capacity) = (1, 100, 112);
        (group.entries_max_instance, group.inserts, group.removes) = (100, 150, 50);
        group.table_bytes = 1000;
        group.growth_per_second = Some(2.0);
        group.contents.record(4000, 1);
        group.max_entries = Some(120);
        group.expected_ttl = Some(Duration::from_millis(1500));
        group
    }

    fn with(group: GroupReport) -> Value {
        let memory = Memory {
            resident: Some(1 << 20),
            limit: Some(1 << 30),
        };
        let survey = Survey::with(vec![group], memory);
        one(&survey, &survey.groups[0], None, &Base::under("/internal"))
    }

    #[test]
    fn everything_with_its_unit() {
        let document = with(group());
        let expected = [
            ("name", json!("src/a.rs:41:7")),
            ("site", json!("src/a.rs:41:7")),
            ("path", json!("/internal/debug/maps/src%2Fa.rs%3A41%3A7")),
            ("entries_count", json!(100)),
            ("heap_bytes", json!(5000.0)),
            ("heap_stderr_bytes", json!(0.0)),
            ("heap_bytes_per_entry", json!(50.0)),
            ("growth_bytes_per_second", json!(100.0)),
            ("expected_ttl_seconds", json!(1.5)),
            ("seconds_to_limit", json!(10.0)),
            ("limit", json!("max_entries")),
            ("inserts_count", json!(150)),
            ("removes_count", json!(50)),
            ("cache", Value::Null),
        ];
        for (name, value) in expected {
            assert_eq!(document[name], value, "{name}");
        }
        assert_eq!(document["process"]["headroom_bytes"], (1 << 30) - (1 << 20));
    }

    #[test]
    fn names_of_figures_tell_their_units() {
        let Value::Object(document) = with(group()) else {
            panic!("no object");
        };
        for (name, value) in &document {
            let has_unit = ["_count", "_bytes", "_seconds", "_per_second", "_per_entry"]
                .iter()
                .any(|unit| name.ends_with(unit));
            let tells = has_unit || ["table_bytes", "seconds_to_limit"].contains(&name.as_str());
            assert!(!value.is_number() || tells, "{name}");
        }
    }

    #[test]
    fn caches_by_cause() {
        let mut cached = group();
        let mut counts = CacheReport::default();
        (counts.hits, counts.misses) = (Some(3), Some(1));
        counts.evictions = [Some(5), None, None, Some(7)];
        cached.cache = Some(counts);
        let document = with(cached);
        let cache = &document["cache"];
        assert_eq!(cache["hits_count"], 3);
        assert_eq!(cache["puts_count"], Value::Null);
        assert_eq!(cache["evictions"]["expired"], 5);
        assert_eq!(cache["evictions"]["explicit"], Value::Null);
        assert_eq!(cache["evicted_count"], 12);
    }
}
