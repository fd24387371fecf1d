//! Heaplens over the allocator that the features name, for the programs of this package.

use heaplens_alloc::Alloc;

/// What Heaplens wraps.
#[cfg(feature = "jemalloc")]
pub type Inner = heaplens_alloc::Jemalloc;
/// What Heaplens wraps.
#[cfg(feature = "mimalloc")]
pub type Inner = mimalloc::MiMalloc;
/// What Heaplens wraps.
#[cfg(not(any(feature = "jemalloc", feature = "mimalloc")))]
pub type Inner = std::alloc::System;

/// Heaplens as it is by default, but for the allocator that it wraps.
#[must_use]
pub const fn alloc() -> Alloc<Inner> {
    #[cfg(feature = "jemalloc")]
    return Alloc::new();
    #[cfg(feature = "mimalloc")]
    return Alloc::with(mimalloc::MiMalloc);
    #[cfg(not(any(feature = "jemalloc", feature = "mimalloc")))]
    return Alloc::with(std::alloc::System);
}

/// The numbers among the arguments of this program.
#[must_use]
pub fn numbers<N: std::str::FromStr>() -> Vec<N> {
    let arguments = std::env::args().skip(1);
    arguments.filter_map(|text| text.parse().ok()).collect()
}
