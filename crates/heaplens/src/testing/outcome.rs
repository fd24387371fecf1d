//! What an operation may return.

use std::fmt::Debug;

/// What an operation under [`Pressure`](super::Pressure) returns: anything that can
/// fail or not. `Result` and `()` are outcomes, and so is `bool` (`false` = failed).
pub trait Outcome {
    /// What went wrong, in words, if it failed.
    fn failure(&self) -> Option<String>;
}

impl Outcome for () {
    fn failure(&self) -> Option<String> {
        None
    }
}

impl Outcome for bool {
    fn failure(&self) -> Option<String> {
        (!self).then(|| "returned false".to_owned())
    }
}

impl<T, E: Debug> Outcome for Result<T, E> {
    fn failure(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("{error:?}"))
    }
}
