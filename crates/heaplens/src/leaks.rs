//! Does it leak? Verdicts on tracked maps and call sites, from nothing but their series.
//!
//! Everything here is a pure function of what it is given: no clock is read, nothing is looked
//! up, nothing is written. Times are durations since any one start, such as that of the
//! process. So a program that keeps series of its own can judge them in the same way as the
//! agent does, and hours can be tried out in milliseconds.
//!
//! ```
//! use std::time::Duration;
//! use heaplens::leaks::{Facts, Judge, Kind, Point, Series, State, Windows};
//!
//! let windows = Windows::standard();
//! let mut series = Series::new(&windows);
//! let mut judge = Judge::new(Kind::Map, &windows);
//! let mut state = State::Warming;
//! // Twenty new entries a second of 500 bytes each, for eight hours, and none ever leaves.
//! for tick in 0..1920_u64 {
//!     let entries = tick * 300;
//!     let point = Point { entries, bytes: entries * 500, births: entries, deaths: 0 };
//!     series.push(windows.tick() * tick as u32, point);
//!     state = judge.look(&series, &Facts::default()).state;
//! }
//! assert_eq!(state, State::Leak);
//! ```
//!
//! # How it is decided
//!
//! Nearly every live service grows: while it warms up, with its daily load, until its first
//! sweep. So growth is no verdict. Four questions tell a leak from growth, and each is a
//! [`Gate`]: do the *troughs* rise, and by enough to matter; does it go on *now* and not level
//! off; do the old entries *stay*; and has nobody *declared a bound*?
//!
//! They are asked of several windows at once ([`Windows`]), every five minutes, and a state
//! is reached only when they have been answered with yes for some time ([`Judge`]). What was
//! asked, what it came to and what would have been needed is in [`Verdict::evidence`].
//!
//! # Cost
//!
//! A [`Series`] takes 9 KiB at the most, a [`Judge`] 3 KiB while it grows. A look takes 1 µs
//! while the subject does not grow, which is found out first, and some 20 µs for one that grows
//! in all windows, every five minutes. Sites that hold less than [`Rules::least_bytes`] cannot
//! be suspected, since growth of so much is needed; they need no series at all.

mod blocks;
pub mod cogrowth;
mod cohorts;
mod facts;
mod floor;
mod gates;
mod growth;
mod holds;
mod judge;
mod peaks;
mod protection;
mod retention;
mod ring;
mod rules;
mod series;
mod state;
mod trend;
mod verdict;
mod windows;
pub mod words;

pub use blocks::{BLOCKS, Blocks};
pub use cohorts::Cohorts;
pub use facts::{Facts, Kind};
pub use gates::{Gate, Reading};
pub use growth::Growth;
pub use judge::Judge;
pub use rules::Rules;
pub use series::{Keep, Point, Series};
pub use state::State;
pub use trend::{Interval, mann_kendall, theil_sen};
pub use verdict::{Evidence, Verdict};
pub use windows::Windows;
