//! What failed assertions say.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message of the panic that `f` must end in.
#[track_caller]
pub(crate) fn message_of(f: impl FnOnce()) -> String {
    text_of(catch_unwind(AssertUnwindSafe(f)).expect_err("must fail"))
}

/// The text that a panic was made with.
#[track_caller]
pub(crate) fn text_of(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => (*other.downcast_ref::<&str>().expect("a text")).to_owned(),
    }
}

#[track_caller]
pub(crate) fn assert_contains(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part:?} in:\n{message}");
    }
}
