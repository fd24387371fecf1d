#![forbid(unsafe_code)]
//! A service with five map leaks, each as it happened in production, and each
//! repaired: something real to point a heap profiler at.
//!
//! The binary adds the allocator and the agent. Everything else is here, so
//! that tests can run the service under an allocator of their own.

pub mod app;
pub mod cases;
pub mod cli;
mod heap_bytes;
pub mod load;
pub mod service;
pub mod shutdown;
pub mod traffic;
