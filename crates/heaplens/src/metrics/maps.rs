//! The series of tracked maps and caches, and of what they may grow into. One
//! value a group; no series has an instance, a key or a value in it.

use std::time::{SystemTime, UNIX_EPOCH};

use super::reading::Reading;
use super::series::{Kind, Sample, Series, by, counter, gauge, map, number, sample};
use crate::map_group::MapGroup;

/// What the maps say of themselves, one value a group.
pub(super) static MAPS: &[Series] = &[
    map(
        "map_entries",
        "Entries in all live maps of the group.",
        Kind::Gauge,
        |group| number(group.entries()),
    ),
    map(
        "map_entries_max_instance",
        "Entries in the largest live map of the group.",
        Kind::Gauge,
        |group| number(group.entries_max_instance()),
    ),
    map(
        "map_instances",
        "Live maps of the group that have a table, and probed containers.",
        Kind::Gauge,
        |group| number(Some(group.report.instances)),
    ),
    map(
        "map_capacity_entries",
        "Entries that the tables of the group have room for.",
        Kind::Gauge,
        |group| number(group.capacity()),
    ),
    map(
        "map_table_bytes",
        "Bytes of the tables of the group, without what keys and values own.",
        Kind::Gauge,
        |group| number(group.table_bytes()),
    ),
    map(
        "map_capacity_waste_bytes",
        "Bytes that shrinking the tables to twice their entries would give back; 0 unless they \
         take 1 MiB and are less than one eighth full.",
        Kind::Gauge,
        |group| number(group.waste_bytes),
    ),
    map(
        "map_max_entries",
        "Declared bound on the entries of each map of the group.",
        Kind::Gauge,
        |group| number(group.report.max_entries),
    ),
    map(
        "map_expected_ttl_seconds",
        "Declared longest life of an entry.",
        Kind::Gauge,
        |group| Some(group.report.expected_ttl?.as_secs_f64()),
    ),
    map(
        "map_inserts_total",
        "Entries inserted since the start.",
        Kind::Counter,
        |group| number(group.inserts()),
    ),
    map(
        "map_removes_total",
        "Entries removed since the start in whatever way, with their map or by eviction included.",
        Kind::Counter,
        |group| number(group.removes()),
    ),
    by(
        "map_evictions_total",
        "Entries that left a cache since the start, by cause.",
        Kind::Counter,
        &["map", "cause"],
        evictions,
    ),
    map(
        "map_resizes_total",
        "Changes of a table's size since the start.",
        Kind::Counter,
        |group| number(group.resizes()),
    ),
    map(
        "map_shrinks_total",
        "Tables that maps made smaller by themselves since the start.",
        Kind::Counter,
        |group| number(group.shrinks()),
    ),
    map(
        "map_growth_entries_per_second",
        "Slope of the group's entries over the last five minutes; negative as it shrinks.",
        Kind::Trend,
        MapGroup::growth,
    ),
    map(
        "map_last_insert_timestamp_seconds",
        "When a report last saw new entries in the group, in seconds since 1970.",
        Kind::Gauge,
        |group| timestamp(group.report.last_insert),
    ),
    map(
        "map_last_access_timestamp_seconds",
        "When a map of the group was last seen in use, reads included, in seconds since 1970.",
        Kind::Gauge,
        |group| timestamp(group.report.last_access),
    ),
    map(
        "map_retained_bytes",
        "Bytes that dropping the maps of the group would have freed when that was last measured.",
        Kind::Gauge,
        |group| number(Some(group.retained?.bytes)),
    ),
    map(
        "map_retained_timestamp_seconds",
        "When map_retained_bytes was measured, in seconds since 1970.",
        Kind::Gauge,
        |group| timestamp(Some(group.retained?.taken_at)),
    ),
];

/// What sampled blocks tell of them besides, and what follows from that.
pub(super) static HELD: &[Series] = &[
    map(
        "map_heap_bytes",
        "Bytes of the tables and of what keys and values own, the latter by samples unless the \
         program counts it.",
        Kind::Gauge,
        |group| group.heap_bytes,
    ),
    map(
        "map_heap_bytes_stderr",
        "Standard error of map_heap_bytes, in bytes.",
        Kind::Gauge,
        |group| group.heap_bytes_error,
    ),
    map(
        "map_oldest_entry_age_seconds",
        "Age of the oldest sampled block that an entry of the group owns.",
        Kind::Gauge,
        |group| Some(group.oldest_age?.as_secs_f64()),
    ),
    map(
        "map_seconds_to_limit",
        "Time until the group, growing as it does, takes what is left of the process's memory \
         limit or reaches its declared bound, whichever comes first.",
        Kind::Gauge,
        |group| Some(group.outlook?.seconds),
    ),
];

/// What is not shown for itself, or not at all.
pub(super) static LIMITS: &[Series] = &[
    counter(
        "map_groups_overflowed_total",
        "Requests for a new group of maps that went to __other__ because there were too many.",
        |now| number(Some(now.maps.groups_overflowed)),
    ),
    counter(
        "map_instances_refused_total",
        "Maps that are not counted because too many others were alive.",
        |now| number(Some(now.maps.maps_refused)),
    ),
    counter(
        "map_probes_refused_total",
        "Containers that are not probed because too many others were.",
        |now| number(Some(now.maps.probes_refused)),
    ),
    counter(
        "map_probes_panicked_total",
        "Probes that panicked, and are not asked any more.",
        |now| number(Some(now.maps.probes_panicked)),
    ),
];

/// What the growth of maps comes up against.
pub(super) static PROCESS: &[Series] = &[gauge(
    "process_memory_limit_bytes",
    "Tightest memory limit of the process's control groups.",
    |now| number(now.maps.memory.limit),
)];

/// What left by itself, or was seen to leave, with a cause of its own where the
/// cache does not tell one.
fn evictions(now: &Reading) -> Vec<Sample<'_>> {
    let mut samples = Vec::new();
    for group in &now.maps.groups {
        for (cause, count) in group.evictions() {
            samples.push(sample([group.name(), cause], count as f64));
        }
    }
    samples
}

/// Seconds since 1970.
fn timestamp(time: Option<SystemTime>) -> Option<f64> {
    Some(time?.duration_since(UNIX_EPOCH).ok()?.as_secs_f64())
}
