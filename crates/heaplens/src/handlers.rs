//! One module a route, or a family of them.

pub(crate) mod cmdline;
pub(crate) mod cpu;
pub(crate) mod delta;
pub(crate) mod delta_heap;
pub(crate) mod flamegraph;
pub(crate) mod health;
pub(crate) mod heap;
pub(crate) mod held;
pub(crate) mod history;
pub(crate) mod index;
pub(crate) mod leaks;
pub(crate) mod maps;
pub(crate) mod memstats;
pub(crate) mod metrics;
pub(crate) mod peak;
pub(crate) mod retained;
pub(crate) mod symbol;
