//! End to end: the service as a user runs it, read by the real `go tool pprof`
//! and scraped by real Prometheus servers.
//!
//! All of it is marked `ignored`, since it needs tools that `scripts/setup`
//! fetches; `scripts/test` runs it, in release mode, as
//! `cargo nextest run --release -p leaky-service --test e2e --run-ignored only`.
//! The tools are named by `HEAPLENS_PPROF`, `HEAPLENS_PROMETHEUS2`,
//! `HEAPLENS_PROMETHEUS3` and `HEAPLENS_PROMTOOL`.

mod cases;
mod curl;
mod lifecycle;
mod maps;
mod pprof;
mod process;
mod profiles;
mod prometheus;
mod scraping;
mod service;
