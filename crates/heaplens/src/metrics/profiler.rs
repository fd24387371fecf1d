//! The profiler's series.

use super::series::{Kind, Series, by, counter, gauge, number, sample};

/// The profiler on itself.
pub(super) static COUNTERS: &[Series] = &[
    // Go's name, but not the allocator's figure: known with any.
    gauge(
        "rust_memstats_buck_hash_sys_bytes",
        "Bytes of memory of the profiler itself.",
        |now| number(Some(now.counters.memory_used)),
    ),
    gauge(
        "heaplens_sampling_active",
        "Whether allocations are being sampled: 1 or 0.",
        |now| Some(f64::from(u8::from(now.counters.is_sampling()))),
    ),
    gauge(
        "heaplens_sample_interval_bytes",
        "Mean bytes allocated between two samples; 0 is off.",
        |now| number(Some(now.counters.sample_interval)),
    ),
    counter(
        "heaplens_sample_intervals_bytes_total",
        "Sum of the intervals at which samples were drawn, by heaplens_samples_total the mean one: \
         threads that allocate fast take larger ones.",
        |now| number(Some(now.counters.sample_intervals)),
    ),
    gauge(
        "heaplens_max_overhead_ratio",
        "Largest share of its time that a thread spends on samples; 0 is no bound.",
        |now| Some(f64::from(now.counters.max_overhead_ppm) / 1e6),
    ),
    counter(
        "heaplens_sampling_seconds_total",
        "Time spent on taking samples, in all threads; not there if it is not bounded.",
        |now| {
            let measured = now.counters.max_overhead_ppm > 0;
            measured.then(|| now.counters.sampling_nanos as f64 / 1e9)
        },
    ),
    counter(
        "heaplens_samples_total",
        "Allocations sampled since the start.",
        |now| number(Some(now.counters.samples)),
    ),
    gauge(
        "heaplens_live_samples",
        "Sampled blocks not freed yet.",
        |now| number(Some(now.counters.live_samples)),
    ),
    gauge(
        "heaplens_sites",
        "Distinct call sites recorded: stack, size class and labels.",
        |now| number(Some(now.counters.sites)),
    ),
    gauge("heaplens_stacks", "Distinct stacks recorded.", |now| {
        number(Some(now.counters.stacks))
    }),
    by(
        "heaplens_drops_total",
        "Samples that could not be recorded in full, by reason.",
        Kind::Counter,
        &["reason"],
        |now| {
            let drops = now.counters.drops();
            drops
                .map(|(why, count)| sample([why.name()], count as f64))
                .collect()
        },
    ),
    gauge(
        "heaplens_memory_used_bytes",
        "Bytes of the profiler's memory budget in use.",
        |now| number(Some(now.counters.memory_used)),
    ),
    gauge(
        "heaplens_memory_budget_bytes",
        "Bytes of memory that the profiler may use at the most.",
        |now| number(Some(now.counters.memory_budget)),
    ),
    by(
        "heaplens_build_info",
        "Version of Heaplens; the value is always 1.",
        Kind::Gauge,
        &["version"],
        |_| vec![sample([env!("CARGO_PKG_VERSION")], 1.0)],
    ),
    by(
        "heaplens_walker_info",
        "How stacks are captured; the value is always 1.",
        Kind::Gauge,
        &["walker"],
        |now| vec![sample([now.counters.walker.name()], 1.0)],
    ),
    by(
        "heaplens_allocator_info",
        "Which allocator is inside and gives the statistics; the value is always 1.",
        Kind::Gauge,
        &["source"],
        |now| vec![sample([now.stats.source.name()], 1.0)],
    ),
];

/// Its estimates of the heap. Bytes are requested bytes here.
pub(super) static ESTIMATES: &[Series] = &[
    gauge(
        "heaplens_inuse_space_bytes",
        "Estimate of the requested bytes in live blocks.",
        |now| now.estimate(|totals| totals.inuse.bytes),
    ),
    gauge(
        "heaplens_inuse_space_stderr_bytes",
        "Standard error of heaplens_inuse_space_bytes.",
        |now| now.estimate(|totals| totals.inuse.bytes_error()),
    ),
    gauge(
        "heaplens_inuse_objects",
        "Estimate of the number of live blocks.",
        |now| now.estimate(|totals| totals.inuse.objects),
    ),
    gauge(
        "heaplens_inuse_objects_stderr",
        "Standard error of heaplens_inuse_objects.",
        |now| now.estimate(|totals| totals.inuse.objects_error()),
    ),
    counter(
        "heaplens_alloc_space_bytes_total",
        "Estimate of the bytes requested since the start.",
        |now| now.estimate(|totals| totals.alloc.bytes),
    ),
    counter(
        "heaplens_alloc_objects_total",
        "Estimate of the number of blocks requested since the start.",
        |now| now.estimate(|totals| totals.alloc.objects),
    ),
];
