//! mini-moka tells sizes and bounds.

use ::mini_moka::{sync, unsync};

use super::weighted::weighted;

weighted! {
    "Estimates of the cache, which lag behind its writes by some hundred of them; a few \
     nanoseconds. The bound in entries is told while each weighs one. Hits and evictions are \
     not counted by it.";
    sync::Cache<K, V, S>;
    unsync::Cache<K, V, S>;
}
