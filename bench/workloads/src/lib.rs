//! What the benchmarks do with an allocator, the same for each, and with the same data in each run.

mod depth;
mod pair;

#[cfg(feature = "programs")]
mod programs;

pub use depth::at_depth;
pub use pair::Pair;
#[cfg(feature = "programs")]
pub use programs::{Allocator, main, prepared, status_bytes};
