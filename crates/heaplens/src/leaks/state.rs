//! What a subject is found to be.

use std::fmt;

/// What is found of a map or a call site. Ordered by how much it concerns people: the worst
/// of several is their maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum State {
    /// It does not grow.
    #[default]
    Ok,
    /// It grows, but less and less, towards a size that does no harm; or it is too young to
    /// tell.
    Warming,
    /// It grows within the bound that was declared for it.
    Filling,
    /// It grows, and nothing says yet that it will stop or that it will not.
    Growing,
    /// For the last few looks all signs of a leak were there: worth looking at now.
    Suspect,
    /// They have been there for long enough: it leaks.
    Leak,
}

impl State {
    /// All of them, from the best to the worst.
    pub const ALL: [State; 6] = [
        State::Ok,
        State::Warming,
        State::Filling,
        State::Growing,
        State::Suspect,
        State::Leak,
    ];

    /// As it is written in documents and labels: `ok`, `warming`, `filling`, `growing`,
    /// `suspect`, `leak`.
    pub const fn name(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warming => "warming",
            State::Filling => "filling",
            State::Growing => "growing",
            State::Suspect => "suspect",
            State::Leak => "leak",
        }
    }

    /// Whether somebody should be told: suspect or leak.
    pub const fn is_flagged(self) -> bool {
        matches!(self, State::Suspect | State::Leak)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_the_greatest() {
        assert!(State::ALL.is_sorted());
        assert_eq!(State::ALL.into_iter().max(), Some(State::Leak));
        assert_eq!(State::default(), State::Ok);
        let flagged = State::ALL.map(State::is_flagged);
        assert_eq!(flagged, [false, false, false, false, true, true]);
        assert_eq!(format!("{:>8}", State::Leak), "    leak");
    }
}
