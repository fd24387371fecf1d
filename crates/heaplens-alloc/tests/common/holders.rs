//! Holders, and what is held by one.

use heaplens_alloc::holder::{Held, Holder, held};

/// The map of this name, which the first call registers.
#[track_caller]
pub(crate) fn holder(name: &str) -> Holder {
    Holder::register("map", name).expect("few are registered")
}

#[track_caller]
pub(crate) fn held_by(holder: Holder) -> Held {
    held()
        .into_iter()
        .find(|held| held.holder == holder)
        .expect("registered")
}
