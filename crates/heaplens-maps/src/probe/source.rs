//! The ways in which a probe gets at its container.

use std::sync::{Arc, Weak};

use heaplens_alloc::retained::{Limits, Measurement, RetainedError, start};

use crate::map_metrics::{Figures, MapMetrics};

/// What came of asking. Moved once, from the stack to the stack.
#[expect(
    clippy::large_enum_variant,
    reason = "a box would be an allocation a poll"
)]
pub(super) enum Answer {
    Told(Figures),
    /// Behind a lock that somebody has.
    Busy,
    /// The container is no more.
    Gone,
}

impl From<Option<Figures>> for Answer {
    fn from(figures: Option<Figures>) -> Self {
        figures.map_or(Answer::Busy, Answer::Told)
    }
}

/// What came of the attempt to measure what a container retains.
#[derive(Debug)]
pub(crate) enum Attempt {
    Begun(Result<Measurement, RetainedError>),
    /// Behind a lock that somebody has.
    Busy,
    /// The container is no more.
    Gone,
    /// A handle, one of several to what it holds: alone it retains nothing.
    Handle,
}

/// Measures what a container retains, as soon as it is still.
fn attempt<M>(container: &M, hold: Hold<M>, limits: Limits) -> Attempt {
    let mut begun = None;
    hold(container, &mut || begun = Some(start(container, limits)));
    begun.map_or(Attempt::Busy, Attempt::Begun)
}

/// As [`MapMetrics::hold_still`].
pub(super) type Hold<M> = fn(&M, &mut dyn FnMut()) -> bool;

/// A container, however it is reached.
pub(super) trait Source: Send + Sync {
    /// Asks it. Runs the program's code, which may panic.
    fn ask(&self) -> Answer;

    /// Begins to measure what it retains. Runs the program's code, which may panic.
    fn measure(&self, limits: Limits) -> Attempt;

    /// Whether it still exists. Runs none of the program's code.
    fn exists(&self) -> bool {
        true
    }
}

/// Held by others, and only looked at.
pub(super) struct Watched<M, F> {
    container: Weak<M>,
    read: F,
    hold: Hold<M>,
}

impl<M, F> Watched<M, F> {
    pub(super) fn new(container: &Arc<M>, read: F, hold: Hold<M>) -> Self {
        Watched {
            container: Arc::downgrade(container),
            read,
            hold,
        }
    }
}

impl<M, F> Source for Watched<M, F>
where
    M: Send + Sync,
    F: Fn(&M) -> Option<Figures> + Send + Sync,
{
    fn ask(&self) -> Answer {
        match self.container.upgrade() {
            Some(container) => (self.read)(&container).into(),
            None => Answer::Gone,
        }
    }

    fn measure(&self, limits: Limits) -> Attempt {
        match self.container.upgrade() {
            Some(container) => attempt(&*container, self.hold, limits),
            None => Attempt::Gone,
        }
    }

    fn exists(&self) -> bool {
        self.container.strong_count() > 0
    }
}

/// A handle of our own.
pub(super) struct Owned<M>(pub(super) M);

impl<M: MapMetrics + Send + Sync> Source for Owned<M> {
    fn ask(&self) -> Answer {
        self.0.figures().into()
    }

    fn measure(&self, _limits: Limits) -> Attempt {
        Attempt::Handle
    }
}

/// There for ever.
pub(super) struct Static<M: 'static>(pub(super) &'static M);

impl<M: MapMetrics + Sync> Source for Static<M> {
    fn ask(&self) -> Answer {
        self.0.figures().into()
    }

    fn measure(&self, limits: Limits) -> Attempt {
        attempt(self.0, M::hold_still, limits)
    }
}
