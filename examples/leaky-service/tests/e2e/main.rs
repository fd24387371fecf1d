//! End to end: the service as a user runs it, read by the real `go tool pprof`,
//! scraped by real Prometheus servers, its alerts sent on by real Alertmanagers.
//!
//! All of it is marked `ignored`, since it needs tools that `scripts/setup`
//! fetches; `scripts/test` runs it, in release mode, as
//! `cargo nextest run --release -p leaky-service --test e2e --run-ignored only`,
//! except for [`alerts`] and [`verdicts`], which `scripts/e2e-alerts` and
//! `scripts/e2e-verdicts` run.
//! The tools are named by `HEAPLENS_PPROF`, `HEAPLENS_PROMETHEUS2`,
//! `HEAPLENS_PROMETHEUS3`, `HEAPLENS_PROMTOOL`, `HEAPLENS_ALERTMANAGER2` and
//! `HEAPLENS_ALERTMANAGER3`.

mod alertmanager;
mod alerts;
mod cases;
mod curl;
mod fleet;
mod lifecycle;
mod maps;
mod pprof;
mod process;
mod profiles;
mod prometheus;
mod receiver;
mod retained;
mod scale;
mod scraping;
mod service;
mod shipped;
mod verdicts;
