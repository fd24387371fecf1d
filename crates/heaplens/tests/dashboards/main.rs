//! The shipped configurations and the table of metrics, with running agents.

#[path = "../common/mod.rs"]
mod common;
mod costs;
mod kubernetes;
mod metrics;
mod scraping;
mod shipped;

#[global_allocator]
static ALLOC: heaplens::Alloc = heaplens::Alloc::new();
