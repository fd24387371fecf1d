//! What containers of other crates tell: a feature for each.

#[cfg(feature = "cached")]
mod cached;
#[cfg(feature = "dashmap")]
mod dashmap;
#[cfg(feature = "hashbrown")]
mod hashbrown;
#[cfg(feature = "indexmap")]
mod indexmap;
#[cfg(any(feature = "parking_lot", feature = "tokio"))]
mod locks;
#[cfg(feature = "lru")]
mod lru;
#[cfg(feature = "mini-moka")]
mod mini_moka;
#[cfg(any(feature = "moka", feature = "moka-future"))]
pub mod moka;
#[cfg(feature = "papaya")]
mod papaya;
#[cfg(feature = "quick_cache")]
pub mod quick_cache;
#[cfg(feature = "scc")]
mod scc;
#[cfg(any(feature = "mini-moka", feature = "moka", feature = "moka-future"))]
mod weighted;

/// The bound of a cache that counts weights, in entries: known only while each
/// entry weighs one, as it does where the program has no weigher.
#[cfg(any(
    feature = "mini-moka",
    feature = "moka",
    feature = "moka-future",
    feature = "quick_cache"
))]
fn bound_in_entries(entries: u64, weight: u64, max_weight: Option<u64>) -> Option<u64> {
    max_weight.filter(|_| entries == weight)
}
