//! What `/metrics` shows, and how.

mod allocator;
mod caches;
pub(crate) mod collector;
mod cost;
mod maps;
pub(crate) mod memstats;
pub(crate) mod negotiate;
pub(crate) mod openmetrics;
mod profiler;
mod reading;
mod series;
#[cfg(test)]
mod table;
mod verdicts;

use prometheus::Registry;
use prometheus::process_collector::ProcessCollector;

use collector::Collector;

/// The agent's own registry: the process's figures and ours.
pub(crate) fn registry() -> Registry {
    let registry = Registry::new();
    // Both fail only for names that clash; a test registers them.
    let _ = registry.register(Box::new(ProcessCollector::for_self()));
    let _ = registry.register(Box::new(Collector::new()));
    registry
}
